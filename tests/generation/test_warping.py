"""Samplers against transformers' logits processors, on random logits and at the edges."""

import pytest
import torch
import transformers as t
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers.generation import logits_process as theirs

from labkit.generation import warping
from labkit.generation.sampling import GREEDY, Sampling, choose, probabilities

VALUES = st.floats(0.01, 1)
seeds = settings(deadline=None, max_examples=30)
drawn = given(seed=st.integers(0, 10**6), p=VALUES, k=st.integers(1, 40), vocab=st.integers(2, 33))


def _case(seed, vocab):
    torch.manual_seed(seed)
    return torch.randn(3, vocab) * 4, torch.randint(0, vocab, (3, 9))


@seeds
@drawn
def test_each_warper_equals_that_of_transformers(seed, p, k, vocab):
    logits, context = _case(seed, vocab)
    pairs = [
        (warping.temperature(logits, 2 * p), theirs.TemperatureLogitsWarper(2 * p)),
        (warping.top_k(logits, k), theirs.TopKLogitsWarper(k)),
        (warping.top_p(logits, p), theirs.TopPLogitsWarper(p)),
        (warping.min_p(logits, p), theirs.MinPLogitsWarper(p)),
        (
            warping.repetition_penalty(logits, context.tolist(), 0.5 + p),
            theirs.RepetitionPenaltyLogitsProcessor(0.5 + p),
        ),
    ]
    for ours, warper in pairs:
        torch.testing.assert_close(ours, warper(context, logits.clone()), msg=type(warper).__name__)


@seeds
@drawn
def test_all_together_equal_the_pipeline_of_transformers(seed, p, k, vocab):
    logits, context = _case(seed, vocab)
    config = t.GenerationConfig(
        do_sample=True, temperature=0.5 + p, top_k=k, top_p=p, min_p=p / 4, repetition_penalty=1.2
    )
    pipeline = t.LlamaForCausalLM(
        t.LlamaConfig(vocab_size=vocab, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1)
    )._get_logits_processor(config, input_ids_seq_length=9, encoder_input_ids=context, device="cpu")
    expected = pipeline(context, logits.clone()).softmax(-1)
    sampling = Sampling(0.5 + p, k, p, p / 4, 1.2)
    torch.testing.assert_close(probabilities(logits, context.tolist(), sampling), expected)


def test_draws_follow_the_distribution_and_the_generator():
    from scipy.stats import chisquare

    logits = torch.tensor([0.4, 0.3, 0.2, 0.1]).log().expand(20_000, 4)
    contexts, sampling = [[]] * len(logits), Sampling(top_k=3)
    tokens, again = (choose(logits, contexts, sampling, torch.Generator().manual_seed(0)) for _ in range(2))
    assert torch.equal(tokens, again)
    counts = tokens.bincount(minlength=4)
    assert counts[3] == 0
    assert chisquare(counts[:3], 20_000 * torch.tensor([4, 3, 2]).double() / 9).pvalue > 1e-3


def test_greedy_takes_the_best_after_the_penalty():
    logits = torch.tensor([[3.0, 2.9, -1.0]])
    assert choose(logits, [[0]], GREEDY).tolist() == [0]
    assert choose(logits, [[0]], Sampling(temperature=0, repetition_penalty=1.1)).tolist() == [1]
    assert probabilities(logits, [[0]], GREEDY).tolist() == [[1, 0, 0]]


@pytest.mark.parametrize("sampling", [GREEDY, Sampling()])
@pytest.mark.parametrize("bad", [float("nan"), float("-inf")])
def test_logits_that_name_no_token_are_an_error(sampling, bad):
    logits = torch.zeros(2, 3)
    logits[1, :] = torch.tensor([0.0, bad, 0.0]) if bad != bad else bad
    with pytest.raises(ValueError, match="hold NaN or rule out every token"):
        choose(logits, [[0], [0]], sampling)


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({"temperature": -0.1}, "temperature"),
        ({"temperature": float("nan")}, "temperature"),
        ({"top_k": 0}, "top_k"),
        ({"top_p": 0.0}, "top_p"),
        ({"top_p": 1.1}, "top_p"),
        ({"min_p": -0.1}, "min_p"),
        ({"repetition_penalty": 0.0}, "repetition_penalty"),
    ],
)
def test_settings_outside_their_range_are_named(fields, rule):
    with pytest.raises(ValueError, match=rule):
        Sampling(**fields)


def test_a_place_without_a_context_has_nothing_to_be_penalised():
    logits = torch.randn(2, 5)
    assert torch.equal(warping.repetition_penalty(logits, [[], []], 1.3), logits)
