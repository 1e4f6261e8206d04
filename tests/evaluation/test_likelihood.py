import math

import numpy as np
import pytest
import torch
from scipy.special import rel_entr, softmax

from labkit.evaluation.divergence import divergence, kl_divergence, top1_flips
from labkit.evaluation.likelihood import document_losses, perplexity, rectangle, token_losses

TEXTS = [
    "Salury was founded in 238.",
    "Who governs Belarath? Nobody knows, people in Wenowen say, and nobody minds.",
    "def f(x):\n    return x + 1\n",
]


def test_losses_are_those_transformers_computes(pairs, tokenizer):
    ours, theirs = pairs[0]
    sums, counts = document_losses(ours, tokenizer, TEXTS, batch_size=3)  # rows of different length, padded
    for text, total, count in zip(TEXTS, sums, counts, strict=True):
        tokens = tokenizer(text, return_tensors="pt").input_ids
        assert count == tokens.shape[1] - 1
        assert total / count == pytest.approx(theirs(tokens, labels=tokens).loss.item(), rel=1e-4)


def test_perplexity_is_exp_of_the_mean_token_loss_over_all_documents():
    estimate = perplexity([2.0, 10.0], [2, 2])
    assert estimate.value == pytest.approx(math.exp(12 / 4))
    assert estimate.low == pytest.approx(math.exp(1.0))
    assert estimate.high == pytest.approx(math.exp(5.0))


def test_a_uniform_model_is_as_perplexed_as_there_are_tokens():
    losses = token_losses(torch.zeros(2, 5, 77), torch.randint(77, (2, 5)))
    assert losses.exp().flatten().tolist() == pytest.approx([77.0] * 8, rel=1e-5)


def test_documents_are_cut_to_the_context(pairs, tokenizer):
    _, counts = document_losses(pairs[0][0], tokenizer, ["a b c " * 400])
    assert counts == [127]


def test_kl_is_scipys_and_flips_are_counted():
    rng = np.random.default_rng(0)
    p, q = rng.normal(size=(2, 6, 50)) * 3
    theirs = rel_entr(softmax(p, axis=-1), softmax(q, axis=-1)).sum(axis=-1)
    assert kl_divergence(torch.tensor(p), torch.tensor(q)).tolist() == pytest.approx(theirs.tolist(), rel=1e-4)
    assert top1_flips(torch.tensor(p), torch.tensor(q)).tolist() == (p.argmax(-1) != q.argmax(-1)).tolist()


def test_a_model_does_not_diverge_from_itself_and_does_from_another(pairs, tokenizer):
    (one, _), (other, _) = pairs
    same = divergence(one, one, tokenizer, TEXTS)
    assert (same.kl.value, same.flips.value) == (0, 0)
    moved = divergence(one, other, tokenizer, TEXTS)
    assert moved.kl.value > 0.1
    assert 0 < moved.flips.value <= 1


def test_divergence_over_a_padded_batch_is_that_of_each_text_alone(pairs, tokenizer):
    (one, one_theirs), (other, other_theirs) = pairs
    total = flips = count = 0
    for text in TEXTS:
        tokens = tokenizer(text, return_tensors="pt").input_ids
        with torch.no_grad():
            p, q = one_theirs(tokens).logits[0].double().numpy(), other_theirs(tokens).logits[0].double().numpy()
        total += rel_entr(softmax(p, axis=-1), softmax(q, axis=-1)).sum()
        flips += (p.argmax(-1) != q.argmax(-1)).sum()
        count += len(p)
    measured = divergence(one, other, tokenizer, TEXTS)
    assert measured.kl.value == pytest.approx(total / count, rel=1e-3)
    assert measured.flips.value == pytest.approx(flips / count)


def test_an_empty_row_is_refused():
    with pytest.raises(ValueError, match="token"):
        rectangle([[1], []])
