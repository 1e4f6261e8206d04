"""Masks keep exactly the counts, the best scores, and of equals the first; bad densities and shapes are told."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from labkit.sparsity.masks import density_of, keep_in_layer, keep_in_rows, keep_largest, keep_n_of_m, kept_count
from labkit.sparsity.scores import magnitude_mask, random_scores, wanda_mask, wanda_scores

SHAPES = {"out": st.integers(1, 9), "inner": st.integers(1, 17), "seed": st.integers(0, 999)}


def scores(out, inner, seed, ties=False):
    drawn = torch.rand(out, inner, generator=torch.Generator().manual_seed(seed))
    return (drawn * 4).round() if ties else drawn


@given(**SHAPES, density=st.floats(0, 1), ties=st.booleans())
def test_exactly_as_many_as_asked_for(out, inner, seed, density, ties):
    drawn = scores(out, inner, seed, ties)
    assert keep_in_layer(drawn, density).sum() == kept_count(out * inner, density)
    assert (keep_in_rows(drawn, density).sum(dim=1) == kept_count(inner, density)).all()
    assert abs(kept_count(inner, density) - density * inner) <= 0.5


@given(**SHAPES, density=st.floats(0, 1), ties=st.booleans())
def test_what_is_kept_is_the_best_and_of_equals_the_first(out, inner, seed, density, ties):
    drawn = scores(out, inner, seed, ties)
    count = kept_count(out * inner, density)
    ranked = sorted(range(out * inner), key=lambda i: (-float(drawn.flatten()[i]), i))
    assert keep_in_layer(drawn, density).flatten().nonzero().flatten().tolist() == sorted(ranked[:count])


@given(out=st.integers(1, 6), groups=st.integers(1, 6), m=st.integers(1, 8), data=st.data(), seed=st.integers(0, 999))
def test_n_of_every_m(out, groups, m, data, seed):
    n = data.draw(st.integers(0, m))
    drawn = scores(out, groups * m, seed, ties=seed % 2 == 0)
    mask = keep_n_of_m(drawn, n, m)
    for row in range(out):
        for g in range(groups):
            kept, values = mask[row, g * m : (g + 1) * m], drawn[row, g * m : (g + 1) * m]
            assert kept.sum() == n
            if 0 < n < m:
                assert values[kept].min() >= values[~kept].max()


def test_density_0_keeps_nothing_and_1_everything():
    drawn = scores(4, 6, 0)
    for choose in (keep_in_layer, keep_in_rows):
        assert not choose(drawn, 0.0).any()
        assert choose(drawn, 1.0).all()
    assert density_of(keep_in_layer(drawn, 0.5)) == 0.5


def test_a_row_of_zeros_keeps_its_first_weights():
    weight = torch.tensor([[0.0, 0.0, 0.0, 0.0], [1.0, 2.0, 3.0, 4.0]])
    assert wanda_mask(weight, torch.ones(4), 0.5)[0].tolist() == [True, True, False, False]
    assert keep_n_of_m(weight.abs(), 2, 4)[0].tolist() == [True, True, False, False]
    assert not magnitude_mask(weight, 0.5)[0].any(), "in the layer it may lose all"


@pytest.mark.parametrize("density", [-0.1, 1.1, float("nan")])
def test_a_density_that_is_no_share_is_refused(density):
    with pytest.raises(ValueError, match="from 0 to 1"):
        keep_in_layer(torch.ones(2, 2), density)


def test_shapes_that_m_does_not_divide_are_refused():
    with pytest.raises(ValueError, match="4 divides; got 6"):
        keep_n_of_m(torch.ones(2, 6), 2, 4)
    with pytest.raises(ValueError, match="got 5:4"):
        keep_n_of_m(torch.ones(2, 8), 5, 4)
    with pytest.raises(ValueError, match="got 0:0"):
        keep_n_of_m(torch.ones(2, 8), 0, 0)


def test_scores_that_are_not_numbers_are_refused():
    with pytest.raises(ValueError, match="NaN"):
        keep_largest(torch.tensor([1.0, float("nan")]), 1)


def naive_wanda(weight, inputs, density):
    """Row by row and weight by weight, from the inputs themselves, in float64."""
    kept = int(weight.shape[1] * density + 0.5)
    mask = torch.zeros(weight.shape, dtype=torch.bool)
    for row in range(weight.shape[0]):
        importance = []
        for j in range(weight.shape[1]):
            norm = sum(float(x) ** 2 for x in inputs[:, j]) ** 0.5
            importance.append(abs(float(weight[row, j])) * norm)
        for j in sorted(range(len(importance)), key=importance.__getitem__, reverse=True)[:kept]:
            mask[row, j] = True
    return mask


@given(**SHAPES, density=st.floats(0, 1), tokens=st.integers(1, 12))
def test_wanda_is_the_naive_wanda(out, inner, seed, density, tokens):
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(out, inner, generator=generator, dtype=torch.float64)
    inputs = torch.randn(tokens, inner, generator=generator, dtype=torch.float64)
    found = wanda_mask(weight, (inputs.T @ inputs).diagonal().sqrt(), density)
    assert torch.equal(found, naive_wanda(weight, inputs, density))


def test_wanda_needs_inputs():
    with pytest.raises(ValueError, match="No calibration input reached"):
        wanda_scores(torch.ones(2, 3), torch.zeros(3))
    with pytest.raises(ValueError, match="each of 3 inputs; got"):
        wanda_scores(torch.ones(2, 3), torch.ones(2))


def test_chance_repeats_with_its_seed():
    first, second = (random_scores(torch.ones(3, 4), torch.Generator().manual_seed(5)) for _ in range(2))
    assert torch.equal(first, second)
