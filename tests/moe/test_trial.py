import dataclasses

import pytest
from transformers import AutoTokenizer

from labkit.data import shipped
from labkit.moe.trial import TOKENS, domain_texts, equal_tokens, speaks
from labkit.training.checkpoint import Progress
from labkit.training.optimiser import initial
from labkit.training.recipes import qwen3, with_experts


def _training(*points):
    return Progress(curve=[{"stage": "all", "step": s, "tokens": t, "loss": 9.0} | more for s, t, more in points])


DENSE = _training((100, 1000, {}), (500, 5000, {"validation_loss": 3.0}), (1000, 10_000, {"validation_loss": 2.5}))


def test_losses_are_compared_where_both_have_seen_the_same_tokens():
    found = equal_tokens(
        DENSE, _training((500, 5000, {"validation_loss": 3.1}), (1500, 15_000, {"validation_loss": 2}))
    )
    assert found.points == ((5000, 3.0, 3.1),)
    assert not found.lower
    assert "+0.1000" in str(found)


def test_a_level_race_counts_as_at_or_below():
    assert equal_tokens(DENSE, DENSE).lower


def test_other_batches_are_refused():
    with pytest.raises(ValueError, match="different tokens"):
        equal_tokens(DENSE, _training((500, 4999, {"validation_loss": 3.0})))
    with pytest.raises(ValueError, match="share no step"):
        equal_tokens(DENSE, _training((100, 1000, {})))


@pytest.mark.slow
def test_an_expert_for_each_domain_is_found_and_texts_are_equally_long():
    tokenizer = AutoTokenizer.from_pretrained(shipped("tokenizer"))
    texts = domain_texts(tokenizer)
    assert len(texts) == 6
    assert {len(row) for rows in texts.values() for row in rows} == {TOKENS}
    config = with_experts(dataclasses.replace(qwen3(64, 2, 1, 1), vocab_size=len(tokenizer)), 8, 2)
    found = speaks(initial(config, 0).eval(), {name: rows[:6] for name, rows in texts.items()}, shuffles=50)
    assert len(found.layers) == 2
    assert found.domains == tuple(texts)
