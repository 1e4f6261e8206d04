"""Load figures at their ends, and drops against counting by hand."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import entropy

from labkit.moe.load import capacity, dropped, load, max_violation, normalised_entropy


@given(tokens=st.integers(1, 60), chosen=st.integers(1, 4), seed=st.integers(0, 999))
def test_figures_agree_with_counting(tokens, chosen, seed):
    indices = torch.rand(tokens, 6, generator=torch.Generator().manual_seed(seed)).topk(chosen).indices
    counts = [indices.flatten().tolist().count(e) for e in range(6)]
    assert load(indices, 6).tolist() == pytest.approx([c / sum(counts) for c in counts])
    assert max_violation(indices, 6) == pytest.approx(max(counts) / (sum(counts) / 6) - 1, abs=1e-5)
    assert normalised_entropy(indices, 6) == pytest.approx(entropy(counts, base=6), abs=1e-5)
    room = capacity(tokens, chosen, 6, 1.0)
    lost = sum(max(c - room, 0) for c in counts)
    assert dropped(indices, 6, 1.0) == pytest.approx(lost / sum(counts), abs=1e-6)


def test_the_ends():
    even, one = torch.arange(8).view(4, 2), torch.zeros(4, 1, dtype=torch.long)
    assert (max_violation(even, 8), normalised_entropy(even, 8)) == (0.0, pytest.approx(1.0))
    assert (max_violation(one, 8), normalised_entropy(one, 8)) == (7.0, 0.0)
    assert dropped(one, 8, 8.0) == 0.0
    assert normalised_entropy(one, 1) == 1.0


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="No token"):
        load(torch.zeros(0, 2, dtype=torch.long), 4)
    for factor in (0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="above 0"):
            capacity(10, 2, 8, factor)
