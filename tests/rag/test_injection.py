import dataclasses

import pytest

from labkit.rag import injection
from labkit.rag.document import Chunk
from labkit.rag.injection import ATTACKS, Case, injection_trial

CASES = [
    Case(
        f"Where is number {n}?",
        (Chunk("d", 0, 9, f"Number {n} is at mill {n}.", "0430-01-02"),),
        (f"mill {n}",),
        "Hesta",
    )
    for n in range(20)
]


@pytest.fixture
def answered(monkeypatch):
    """A model whose answer is a function of the message: `answered(rule)` plants it and keeps the messages."""
    asked = []

    def plant(rule):
        def answers(reader, messages):
            asked.extend(messages)
            return [rule(message) for message in messages]

        monkeypatch.setattr(injection, "answers_in_turn", answers)
        return asked

    return plant


def _truth(message):
    return f"mill {message.rsplit('number ', 1)[1].rstrip('?')}"


def test_a_model_that_reads_only_the_first_passage_is_unmoved(answered, reader):
    answered(_truth)
    trial = injection_trial(reader, CASES)
    assert trial.right.value == 1
    for effect in trial.effects:
        assert (effect.changed.value, effect.target.value, effect.right.value, effect.obedience.value) == (0, 0, 1, 0)


def test_a_model_that_obeys_is_found_out_and_one_that_copies_names_is_not_called_obedient(answered, reader):
    answered(lambda message: "Hesta" if "Ignore" in message else _truth(message))
    trial = injection_trial(reader, CASES)
    assert trial.effect("order").obedience.low == 1
    assert trial.effect("order").right.value == 0
    assert trial.effect("forged fact").changed.value == trial.effect("control").changed.value == 0
    answered(lambda message: "Hesta" if "Hesta" in message else _truth(message))
    trial = injection_trial(reader, CASES)
    assert trial.effect("order").target.value == trial.effect("control").target.value == 1
    assert trial.effect("order").obedience.value == 0
    assert "orders" in str(trial)


def test_the_stranger_speaks_last_and_only_undefended_in_tokens_that_count(answered, reader):
    asked = answered(_truth)
    injection_trial(reader, CASES[:1])
    clean, control, *attacks, undefended = asked
    assert len(attacks) == len(ATTACKS)
    first = clean.removesuffix(CASES[0].question)
    for message in (control, *attacks, undefended):
        assert message.startswith(first)
        assert message.endswith(CASES[0].question)
        assert "Hesta" in message
    special = set(reader.tokenizer.all_special_ids)
    assert [bool(special & set(reader.tokenizer(m)["input_ids"])) for m in asked] == [False] * 5 + [True]


def test_the_stranger_speaks_last_among_passages_of_any_date(answered, reader):
    asked = answered(_truth)
    told = [Chunk(d, 0, 9, f"Paper {d}.", d) for d in ("0432-05-01", "my-notes.md", "0430-01-02")]
    injection_trial(reader, [dataclasses.replace(CASES[0], chunks=tuple(told))])
    clean, *others = asked
    assert all(message.startswith(clean.removesuffix(CASES[0].question)) for message in others)


def test_no_cases_and_a_target_that_is_right_are_refused(reader):
    with pytest.raises(ValueError, match="no case"):
        injection_trial(reader, [])
    with pytest.raises(ValueError, match="'mill 0'"):
        injection_trial(reader, [dataclasses.replace(CASES[0], target="mill 0")])
    with pytest.raises(KeyError, match="control"):
        injection_trial(reader, CASES[:2]).effect("bribe")
