"""GPTQ against optimal brain quantization, column by column with the inverse worked on explicitly, in float64."""

import math

import pytest
import torch

from labkit.kernels.weight_format import WeightFormat
from labkit.quantization.gptq import BLOCK, gptq, hessian_of, inverse_factor
from labkit.quantization.output_error import output_error
from labkit.quantization.rounding import round_to_nearest

EXACT = torch.float32


def naive(weight, hessian, order, round_one, damping=0.01):
    """Optimal brain surgeon, equations 2 and 3 of the paper, one row and one weight at a time; no block, no Cholesky.

    `round_one(row, place, weights)` returns the value that a weight is rounded to. Returns all values.
    """
    out = torch.zeros_like(weight)
    size = len(order)
    damped = hessian + damping * hessian.diagonal().mean() * torch.eye(size, dtype=hessian.dtype)
    for r in range(len(weight)):
        w, left = weight[r].clone(), list(order)
        for place in order:
            inverse = torch.linalg.inv(damped[left][:, left])  # of the inputs that are still free, from scratch
            value = round_one(r, place, w)
            step = (w[place] - value) / inverse[0, 0]
            w[left] -= step * inverse[0]
            out[r, place] = value
            left.remove(place)
    return out


def rounder(scales, zeros, fmt, size):
    def round_one(row, place, weights):
        scale = scales[row][place // size]
        zero = 2 ** (fmt.bits - 1) if fmt.symmetric else zeros[row][place // size]
        code = min(max(round(weights[place].item() / scale) + zero, 0), 2**fmt.bits - 1)
        return (code - zero) * scale

    return round_one


def scales_of(rtn):
    return rtn.scales.double().tolist(), None if rtn.zeros is None else rtn.zeros.double().tolist()


@pytest.mark.parametrize("act_order", [False, True])
@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("bits", [2, 3, 4])
def test_a_scale_for_each_row_equals_optimal_brain_quantization(correlated, bits, symmetric, act_order):
    fmt = WeightFormat(bits, None, symmetric, scale_dtype=EXACT)
    weight, hessian = correlated(5, 24, seed=1), hessian_of(correlated(96, 24))
    order = hessian.diagonal().argsort(descending=True).tolist() if act_order else list(range(24))
    expected = naive(weight, hessian, order, rounder(*scales_of(round_to_nearest(weight, fmt)), fmt, 24))
    got = gptq(weight, hessian, fmt, act_order=act_order).dequantize().double()
    torch.testing.assert_close(got, expected, atol=1e-5, rtol=1e-5)


def test_groups_take_their_scales_from_the_weights_as_they_have_become(correlated):
    fmt = WeightFormat(3, 6, symmetric=False, scale_dtype=EXACT)
    weight, hessian = correlated(4, 24, seed=1), hessian_of(correlated(96, 24))

    scales = {}

    def round_one(row, place, weights):
        if place % 6 == 0:
            group = round_to_nearest(weights[None, place : place + 6], WeightFormat(3, None, False, scale_dtype=EXACT))
            scales[row, place // 6] = group.scales.item(), group.zeros.item()
        scale, zero = scales[row, place // 6]
        return (min(max(round(weights[place].item() / scale) + zero, 0), 7) - zero) * scale

    expected = naive(weight, hessian, list(range(24)), round_one)
    torch.testing.assert_close(gptq(weight, hessian, fmt).dequantize().double(), expected, atol=1e-5, rtol=1e-5)


def test_groups_under_act_order_keep_the_scales_of_the_weights_as_they_came(correlated):
    fmt = WeightFormat(3, 6, scale_dtype=EXACT)
    weight, hessian = correlated(4, 24, seed=1), hessian_of(correlated(96, 24))
    order = hessian.diagonal().argsort(descending=True).tolist()
    expected = naive(weight, hessian, order, rounder(*scales_of(round_to_nearest(weight, fmt)), fmt, 6))
    got = gptq(weight, hessian, fmt, act_order=True).dequantize().double()
    torch.testing.assert_close(got, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("size", [None, 48])
def test_blocks_change_the_speed_and_not_the_result(correlated, size):
    columns = 2 * BLOCK + 32
    fmt = WeightFormat(4, size, scale_dtype=EXACT)
    weight, hessian = correlated(2, columns, seed=1), hessian_of(correlated(4 * columns, columns))
    scales = {}

    def round_one(row, place, weights):
        group = 0 if size is None else place // size
        if (row, group) not in scales:
            part = weights[None] if size is None else weights[None, place : place + size]
            scales[row, group] = round_to_nearest(part, WeightFormat(4, scale_dtype=EXACT)).scales.item()
        scale = scales[row, group]
        return min(max(round(weights[place].item() / scale), -8), 7) * scale

    factor = inverse_factor(hessian, 0.01)
    expected = weight.clone()
    for row in range(2):  # the same moves without blocks; that they are the right ones, the tests above have shown
        for place in range(columns):
            value = round_one(row, place, expected[row])
            step = (expected[row, place] - value) / factor[place, place]
            expected[row, place:] -= step * factor[place, place:]
            expected[row, place] = value
    got = gptq(weight, hessian, fmt).dequantize().double()
    torch.testing.assert_close(got, expected, atol=1e-5, rtol=1e-5)


def test_the_factor_is_a_root_of_the_inverse(correlated):
    hessian = hessian_of(correlated(60, 20))
    factor = inverse_factor(hessian, damping=0.05)
    damped = hessian + 0.05 * hessian.diagonal().mean() * torch.eye(20, dtype=hessian.dtype)
    assert torch.equal(factor, factor.triu())
    torch.testing.assert_close(factor.T @ factor @ damped, torch.eye(20, dtype=hessian.dtype), atol=1e-8, rtol=0)


@pytest.mark.parametrize(
    "fmt", [WeightFormat(3), WeightFormat(4, 32, False), WeightFormat(2, 32), WeightFormat(4, 32, code="nf4")]
)
def test_correlated_inputs_are_where_it_beats_rounding(correlated, fmt):
    weight, x = correlated(48, 64, seed=1).float(), correlated(512, 64).float()
    moment = x.T @ x
    ours, plain = (
        output_error(weight, q.dequantize(), moment).item()
        for q in (gptq(weight, hessian_of(x), fmt), round_to_nearest(weight, fmt))
    )
    assert ours < 0.5 * plain


def test_without_correlation_it_is_rounding(correlated):
    weight = correlated(8, 32, seed=1)
    fmt = WeightFormat(4)
    hessian = torch.diag(torch.rand(32, dtype=torch.float64) + 0.5)
    assert torch.equal(gptq(weight, hessian, fmt).codes, round_to_nearest(weight, fmt).codes)


def test_the_factor_of_the_hessian_does_not_matter(correlated):
    weight, x = correlated(8, 32, seed=1), correlated(128, 32)
    assert torch.equal(gptq(weight, x.T @ x, WeightFormat(3)).codes, gptq(weight, hessian_of(x), WeightFormat(3)).codes)


def test_inputs_that_are_always_zero_are_rounded_to_nearest(correlated):
    weight, x = correlated(8, 32, seed=1), correlated(128, 32)
    x[:, [3, 17]] = 0
    fmt = WeightFormat(4)
    got = gptq(weight, hessian_of(x), fmt)
    assert torch.equal(got.codes[:, [3, 17]], round_to_nearest(weight, fmt).codes[:, [3, 17]])


def test_the_weight_is_left_as_it_was(correlated):
    weight = correlated(4, 16)
    before = weight.clone()
    gptq(weight, hessian_of(correlated(64, 16)), WeightFormat(3), act_order=True)
    assert torch.equal(weight, before)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weight": torch.full((2, 8), math.nan)}, "The weight holds NaN"),
        ({"hessian": torch.eye(6)}, r"Hessian of 8 x 8; got \(6, 6\)"),
        ({"hessian": torch.full((8, 8), math.inf)}, "The Hessian holds NaN or infinity"),
        ({"damping": -1.0}, "Damping is 0 or more"),
        ({"hessian": torch.ones(8, 8), "damping": 0.0}, "singular at damping 0.0"),
        ({"fmt": WeightFormat(4, 3)}, "Groups of 3 do not divide"),
    ],
)
def test_what_it_cannot_work_with_is_refused(change, message):
    arguments = {"weight": torch.randn(2, 8), "hessian": torch.eye(8), "fmt": WeightFormat(4), **change}
    with pytest.raises(ValueError, match=message):
        gptq(**arguments)


def test_one_token_is_no_calibration_set():
    with pytest.raises(ValueError, match="Hessian from 1 token"):
        hessian_of(torch.randn(1, 8))
