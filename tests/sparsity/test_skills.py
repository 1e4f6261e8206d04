"""Which skill dies first, on tasks whose answers are known: a decoder's own, so that the dense one is right."""

import json

import pytest
import torch
import transformers as t

from labkit.data import shipped
from labkit.evaluation import Task, answers
from labkit.evaluation.tasks import Item
from labkit.models.config import DecoderConfig
from labkit.sparsity.skills import which_skill_dies_first

CONFIG = DecoderConfig("llama", 4096, 32, 48, 2, 4, 2, 8, 1e-6, 128, eos_token_ids=(1,), pad_token_id=0)


@pytest.fixture(scope="module")
def tokenizer():
    return t.AutoTokenizer.from_pretrained(shipped("tokenizer"))


@pytest.fixture
def models(decoder):
    return decoder(CONFIG, seed=0), decoder(CONFIG, seed=1)


def _task(name, model, tokenizer, count=12):
    """Questions of which this model's answers are the right ones."""
    messages = [f"What is {name} {n}?" for n in range(count)]
    given = answers(model, tokenizer, messages, 4)
    return Task(name, ("right",), tuple(Item(m, (a.text,)) for m, a in zip(messages, given, strict=True)), limit=4)


def test_the_skill_that_is_lost_is_named_and_the_one_that_is_kept_is_not(models, tokenizer):
    dense, other = models
    tasks = [_task("sum", dense, tokenizer), _task("fact", dense, tokenizer)]
    found = which_skill_dies_first(dense, {"same": dense, "other": other}, tokenizer, tasks, ["Salury was founded."])
    assert found.first_to_die("same") is None
    assert found.change("same", "sum", "right").value == 0
    assert found.change("other", "sum", "right").value == -1
    assert found.first_to_die("other") in ("sum", "fact")
    rows = {row["task"]: row for row in found.table().to_dicts()}
    assert rows["sum"]["dense"] == rows["sum"]["same"] == "100.0%"
    assert rows["sum"]["other"] == "0.0%"
    assert "same: nothing for certain" in str(found)
    assert any(row["measure"].startswith("KL") for row in found.table().to_dicts())
    assert json.loads(found.to_json())["dense"]["model"] == "dense"


def test_the_larger_part_of_what_was_there_dies_first(models, tokenizer):
    """One task keeps half of its answers in the pruned model, the other none."""
    dense, other = models
    whole, mixed = _task("sum", dense, tokenizer), _task("fact", dense, tokenizer)
    theirs = answers(other, tokenizer, [item.message for item in mixed.items], 4)
    both = tuple(
        Item(i.message, (*i.accepted, a.text)) if n % 2 else i
        for n, (i, a) in enumerate(zip(mixed.items, theirs, strict=True))
    )
    found = which_skill_dies_first(dense, {"p": other}, tokenizer, [Task("fact", ("right",), both, 4), whole])
    assert found.change("p", "fact", "right").value == pytest.approx(-0.5)
    assert found.first_to_die("p") == "sum"


def test_nothing_to_judge_is_refused(models, tokenizer):
    with pytest.raises(ValueError, match="at least one task and one pruned decoder"):
        which_skill_dies_first(models[0], {}, tokenizer, [_task("sum", models[0], tokenizer)])
    with pytest.raises(ValueError, match="at least one task"):
        which_skill_dies_first(models[0], {"p": models[1]}, tokenizer, [])


def test_seeds_differ(models):
    assert not torch.equal(models[0].lm_head.weight, models[1].lm_head.weight)
