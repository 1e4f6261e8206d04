"""SparseGPT against optimal brain surgery done column by column with explicit inverses, in float64."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.sparsity.masks import keep_in_layer, kept_count
from labkit.sparsity.scores import wanda_mask
from labkit.sparsity.sparsegpt import sparsegpt


def layer(out=6, inner=16, tokens=64, seed=0, dtype=torch.float64):
    """A weight and the second moment of inputs that go together."""
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(inner, inner, generator=generator, dtype=dtype)
    inputs = torch.randn(tokens, inner, generator=generator, dtype=dtype) @ mixing
    return torch.randn(out, inner, generator=generator, dtype=dtype), inputs.T @ inputs


def naive(weight, second_moment, density, n_of_m, block, damping):
    """Nothing shared with the code under test: no Cholesky factor, every row on its own, an inverse for each column.

    Optimal brain surgery (Hassibi et al., 1993) restricted to the columns that are left: removing w_j costs
    w_j^2 / [H^-1]_00 and the rest moves by - w_j / [H^-1]_00 H^-1[0, :], with H of the columns from j on.
    """
    W = weight.clone()
    inner = W.shape[1]
    H = second_moment + damping * second_moment.diagonal().mean() * torch.eye(inner, dtype=W.dtype)
    inverse = [torch.linalg.inv(H[j:, j:]) for j in range(inner)]
    mask = torch.ones(W.shape, dtype=torch.bool)

    def best(columns, count):
        cost = torch.stack([W[:, j] ** 2 / inverse[j][0, 0] for j in columns], dim=1)
        ranked = sorted(range(cost.numel()), key=lambda i: -float(cost.flatten()[i]))
        kept = torch.zeros(cost.numel(), dtype=torch.bool)
        kept[ranked[:count]] = True
        return kept.view(cost.shape)

    for j in range(inner):
        if n_of_m and j % n_of_m[1] == 0:
            columns = range(j, j + n_of_m[1])
            cost = torch.stack([W[:, c] ** 2 / inverse[c][0, 0] for c in columns], dim=1)
            for row in range(len(W)):
                order = cost[row].argsort(descending=True)
                mask[row, j : j + n_of_m[1]] = False
                mask[row, j + order[: n_of_m[0]]] = True
        elif not n_of_m and j % block == 0:
            stop = min(j + block, inner)
            count = kept_count(len(W) * stop, density) - kept_count(len(W) * j, density)
            mask[:, j:stop] = best(range(j, stop), count)
        for row in range(len(W)):
            if not mask[row, j]:
                W[row, j:] -= W[row, j] / inverse[j][0, 0] * inverse[j][0]
                W[row, j] = 0.0
    return W * mask, mask


@settings(deadline=None, max_examples=40)
@given(
    out=st.integers(1, 6),
    inner=st.integers(1, 20),
    density=st.floats(0, 1),
    block=st.sampled_from([1, 4, 7, 128]),
    seed=st.integers(0, 999),
)
def test_it_is_optimal_brain_surgery_in_blocks(out, inner, density, block, seed):
    weight, second_moment = layer(out, inner, tokens=2 * inner + 5, seed=seed)
    pruned, mask = sparsegpt(weight, second_moment, density, block=block)
    expected, expected_mask = naive(weight, second_moment, density, None, block, 0.01)
    assert torch.equal(mask, expected_mask)
    torch.testing.assert_close(pruned, expected, atol=1e-8, rtol=1e-8)
    assert mask.sum() == kept_count(out * inner, density)


@settings(deadline=None, max_examples=25)
@given(
    out=st.integers(1, 6),
    groups=st.integers(1, 5),
    n_of_m=st.sampled_from([(2, 4), (1, 4), (4, 8), (0, 2), (2, 2)]),
    block=st.sampled_from([8, 16, 128]),
    seed=st.integers(0, 999),
)
def test_n_of_m_too(out, groups, n_of_m, block, seed):
    n, m = n_of_m
    weight, second_moment = layer(out, groups * m, tokens=2 * groups * m + 5, seed=seed)
    pruned, mask = sparsegpt(weight, second_moment, n_of_m=n_of_m, block=block)
    expected, expected_mask = naive(weight, second_moment, 0, n_of_m, block, 0.01)
    assert torch.equal(mask, expected_mask)
    torch.testing.assert_close(pruned, expected, atol=1e-8, rtol=1e-8)
    assert (mask.unflatten(1, (-1, m)).sum(dim=-1) == n).all()


def error(weight, pruned, second_moment):
    """The squared error of the outputs, over all calibration inputs."""
    moved = weight - pruned
    return float(((moved @ second_moment) * moved).sum())


def test_compensation_beats_the_same_mask_without_it_and_wanda_and_wanda_chance():
    """The last two on the sum over layers: a single layer may fall out otherwise."""
    sums = dict.fromkeys(("compensated", "wanda", "chance"), 0.0)
    for seed in range(8):
        weight, second_moment = layer(32, 48, 200, seed)
        compensated, mask = sparsegpt(weight, second_moment, 0.5, block=16)
        assert error(weight, compensated, second_moment) < error(weight, weight * mask, second_moment)
        wanda = weight * wanda_mask(weight, second_moment.diagonal().sqrt(), 0.5)
        chance = weight * keep_in_layer(torch.rand(weight.shape, generator=torch.Generator().manual_seed(seed)), 0.5)
        for name, pruned in zip(sums, (compensated, wanda, chance), strict=True):
            sums[name] += error(weight, pruned, second_moment)
    assert list(sums.values()) == sorted(sums.values())


def test_density_0_and_1():
    weight, second_moment = layer()
    assert not sparsegpt(weight, second_moment, 0.0)[0].any()
    assert torch.equal(sparsegpt(weight, second_moment, 1.0)[0], weight)


def test_a_row_of_zeros_stays_one():
    weight, second_moment = layer()
    weight[2] = 0
    pruned, mask = sparsegpt(weight, second_moment, 0.5)
    assert not pruned[2].any()
    assert mask.sum() == weight.numel() // 2


def test_an_input_that_is_always_zero_loses_its_weights_first():
    weight, second_moment = layer()
    second_moment[3], second_moment[:, 3] = 0, 0
    pruned, mask = sparsegpt(weight, second_moment, 15 / 16)
    assert not mask[:, 3].any()
    assert torch.equal(pruned[mask], weight[mask]), "they did nothing, so nothing has to make up for them"
    kept, _ = sparsegpt(weight, second_moment, 1.0)
    assert torch.equal(kept, weight)


def test_a_singular_second_moment():
    weight, _ = layer()
    inputs = torch.randn(5, 16, dtype=torch.float64)  # fewer tokens than inputs
    with pytest.raises(ValueError, match="singular at damping 0"):
        sparsegpt(weight, inputs.T @ inputs, 0.5, damping=0.0)
    pruned, mask = sparsegpt(weight, inputs.T @ inputs, 0.5)
    assert pruned.isfinite().all()
    assert mask.sum() == weight.numel() // 2
    single = inputs.float()
    with pytest.raises(ValueError, match="singular at damping 0"):
        sparsegpt(weight.float(), single.T @ single, 0.5, damping=0.0)


def test_no_token_and_wrong_shapes_are_refused():
    weight, second_moment = layer()
    with pytest.raises(ValueError, match="No calibration input reached"):
        sparsegpt(weight, torch.zeros(16, 16), 0.5)
    with pytest.raises(ValueError, match="16 x 16; got"):
        sparsegpt(weight, second_moment[:4, :4], 0.5)
    with pytest.raises(ValueError, match=r"inputs \(16\) and a block \(128\) that m divides"):
        sparsegpt(weight, second_moment, n_of_m=(2, 5))
    with pytest.raises(ValueError, match=r"a block \(6\) that m divides"):
        sparsegpt(weight, second_moment, n_of_m=(2, 4), block=6)
    with pytest.raises(ValueError, match="from 0 to 1"):
        sparsegpt(weight, second_moment, 1.5)


def test_the_dtype_of_the_weight_comes_back_and_the_weight_is_untouched():
    weight, second_moment = layer(dtype=torch.float32)
    before = weight.clone()
    pruned, _ = sparsegpt(weight.bfloat16(), second_moment, 0.5)
    assert pruned.dtype == torch.bfloat16
    sparsegpt(weight, second_moment, 0.5)
    assert torch.equal(weight, before)
