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


LEVEL = {"validation_loss": 2.5}
DENSE = _training((100, 1000, {}), (500, 5000, {"validation_loss": 3.0}), (1000, 10_000, LEVEL))


def test_losses_are_compared_where_both_have_seen_the_same_tokens():
    found = equal_tokens(
        DENSE, _training((500, 5000, {"validation_loss": 3.1}), (1500, 15_000, {"validation_loss": 2}))
    )
    assert found.points == ((5000, 3.0, 3.1),)
    assert not found.lower
    assert found.same_batches
    assert "+0.1000" in str(found)


def test_a_level_race_counts_as_at_or_below():
    assert equal_tokens(DENSE, _training((500, 5000, {"validation_loss": 3.1}), (1000, 10_000, LEVEL))).lower


def test_the_past_that_both_share_is_left_out():
    found = equal_tokens(
        DENSE, _training((500, 5000, {"validation_loss": 3.0}), (1000, 10_000, {"validation_loss": 2}))
    )
    assert found.points == ((10_000, 2.5, 2),)
    assert (found.dense, found.mixture) == (((10_000, 2.5),), ((10_000, 2),))
    with pytest.raises(ValueError, match="share no step"):
        equal_tokens(DENSE, DENSE)


def test_a_mixture_that_stopped_earlier_is_compared_up_to_there():
    found = equal_tokens(DENSE, _training((500, 5000, {"validation_loss": 2.9}), (600, 6000, {"validation_loss": 2.8})))
    assert found.points == ((5000, 3.0, 2.9),)
    assert found.dense == ((5000, 3.0),)
    assert found.mixture == ((5000, 2.9), (6000, 2.8))


def test_other_batches_are_told_and_other_amounts_refused():
    found = equal_tokens(DENSE, _training((500, 4990, {"validation_loss": 3.1})))
    assert not found.same_batches
    assert "not the same ones" in str(found)
    with pytest.raises(ValueError, match=r"20\.0% apart"):
        equal_tokens(DENSE, _training((500, 4000, {"validation_loss": 3.1})))
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
