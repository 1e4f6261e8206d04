"""Information between domain and expert: against scipy, on routers that know everything and ones that know nothing."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import entropy

from labkit.moe.specialisation import mutual_information, specialisation

DOMAINS = ("prose", "python", "sums")
EXPERTS = 8


def routing(tokens, seed=0, favoured=0.0):
    """Three domains in turn, and choices that fall on two experts of the domain's own with probability `favoured`."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(tokens) % 3
    scores = torch.rand(tokens, EXPERTS, generator=generator)
    own = torch.rand(tokens, generator=generator) < favoured
    scores[own, 2 * labels[own]] += 1
    scores[own, 2 * labels[own] + 1] += 1
    return labels, scores.topk(2).indices


@given(table=st.lists(st.integers(0, 50), min_size=12, max_size=12).filter(lambda cells: sum(cells) > 0))
@settings(deadline=None)
def test_information_is_the_divergence_from_independence(table):
    counts = np.array(table, dtype=float).reshape(3, 4)
    joint = counts / counts.sum()
    independent = joint.sum(1, keepdims=True) * joint.sum(0, keepdims=True)
    expected = entropy(joint.ravel(), independent.ravel())
    assert float(mutual_information(torch.from_numpy(counts))) == pytest.approx(expected, abs=1e-6)


def test_experts_that_know_their_domain_are_above_chance_and_others_are_not():
    labels, aware = routing(900, favoured=0.5)
    _, blind = routing(900, favoured=0.0)
    found = specialisation([aware, blind], labels, DOMAINS, EXPERTS)
    assert [layer.specialised for layer in found.layers] == [True, False]
    assert found.share == 0.5
    assert found.layers[0].shares[1, 2:4].sum() > 0.5  # domain 1 goes to experts 2 and 3
    torch.testing.assert_close(found.layers[0].shares.sum(1), torch.ones(3))


def test_perfect_knowledge_is_the_entropy_of_the_domains():
    labels, choices = routing(300, favoured=1.0)
    (layer,) = specialisation([choices], labels, DOMAINS, EXPERTS, shuffles=10).layers
    assert layer.information == pytest.approx(np.log(3), abs=1e-5)


def test_chance_holds_what_it_promises():
    """Of 100 routers that know nothing about 1 in 100 is above the 99th percentile; five or more is one case in 290."""
    labels, _ = routing(120)
    blind = [routing(120, seed=seed)[1] for seed in range(100)]
    found = specialisation(blind, labels, DOMAINS, EXPERTS, shuffles=300)
    assert sum(layer.specialised for layer in found.layers) < 5


def test_tokens_of_a_text_are_shuffled_together():
    """Each of 40 texts likes an expert of its own choice, whatever its domain: as tokens it looks as if they knew."""
    texts = torch.arange(4000) // 100
    labels = texts % 2
    liked = torch.randint(EXPERTS, (40,), generator=torch.Generator().manual_seed(0))
    choices = liked[texts].unsqueeze(1)
    tokens = specialisation([choices], labels, DOMAINS[:2], EXPERTS, shuffles=200).layers[0]
    whole = specialisation([choices], labels, DOMAINS[:2], EXPERTS, texts, shuffles=200).layers[0]
    assert tokens.specialised
    assert not whole.specialised
    assert whole.chance > 10 * tokens.chance


def test_what_cannot_be_told_apart_is_refused():
    labels, choices = routing(30)
    with pytest.raises(ValueError, match="fewer than two domains"):
        specialisation([choices], torch.zeros(30, dtype=torch.long), DOMAINS, EXPERTS)
    with pytest.raises(ValueError, match="several domains"):
        specialisation([choices], labels, DOMAINS, EXPERTS, texts=torch.zeros(30, dtype=torch.long))
