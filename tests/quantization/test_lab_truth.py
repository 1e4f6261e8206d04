"""What lab 06 calls right is what the room, its kernels and brute force compute."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.course.labs.lab06.compensating import COMPENSATE
from labkit.course.labs.lab06.packing import PACK_CODES
from labkit.course.labs.lab06.rounding import ROUND_GROUPS
from labkit.course.labs.lab06.scaling import SCALED_ERRORS
from labkit.course.labs.lab06.smoothing import SMOOTH
from labkit.course.labs.lab06.spending import SPEND
from labkit.kernels.bit_packing import pack_bits
from labkit.kernels.weight_format import WeightFormat
from labkit.quantization.gptq import gptq, inverse_factor
from labkit.quantization.output_error import output_error
from labkit.quantization.rounding import round_to_nearest
from labkit.quantization.smoothing import smoothing_scales


@given(st.sampled_from([2, 3, 4, 8]), st.data())
def test_codes_are_packed_as_the_kernels_pack_them(bits, data):
    codes = data.draw(st.lists(st.integers(0, 2**bits - 1), min_size=1, max_size=40))
    packed = pack_bits(torch.tensor([codes], dtype=torch.uint8), bits)
    assert PACK_CODES.judge.oracle(codes, bits) == packed[0].tolist()


@pytest.mark.parametrize(("bits", "size"), [(2, 8), (3, 4), (4, 16), (8, 2)])
def test_groups_are_rounded_as_the_room_rounds_them(bits, size, correlated):
    weight = correlated(5, 16).float()
    weight[0, :size] = 0
    known = round_to_nearest(weight, WeightFormat(bits, size, scale_dtype=torch.float32))
    codes, scales = ROUND_GROUPS.judge.oracle(weight, bits, size)
    torch.testing.assert_close(scales, known.scales)
    used = (scales > 0).repeat_interleave(
        size, dim=1
    )  # equal weights are coded otherwise in the room, zeros among them
    assert torch.equal(codes[used], known.codes[used])


def test_column_by_column_is_gptq(correlated):
    weight, x = correlated(6, 24, seed=1).float(), correlated(200, 24).float()
    known = gptq(weight, x.T @ x, WeightFormat(3, scale_dtype=torch.float32)).dequantize()
    factor, scales = inverse_factor(x.T @ x, damping=0.01), weight.abs().amax(dim=1) / 3
    for column in range(24):
        rounded = (weight[:, column] / scales).round().clamp(-4, 3) * scales
        weight = COMPENSATE.judge.oracle(weight, column, rounded, factor)
    torch.testing.assert_close(weight, known)


def test_errors_without_scales_are_those_of_plain_rounding(correlated):
    weight, x = correlated(6, 24, seed=1), correlated(50, 24)
    plain = round_to_nearest(weight, WeightFormat(3, scale_dtype=torch.float32)).dequantize()
    moved = output_error(weight, plain, x.T @ x) / output_error(weight, torch.zeros_like(weight), x.T @ x)
    assert SCALED_ERRORS.judge.oracle(weight, x, [0.0], 3) == pytest.approx([moved.sqrt().item()], rel=1e-5)


def test_smoothing_uses_the_scales_of_the_room(correlated):
    x, weight = correlated(20, 12), correlated(7, 12, seed=1)
    x[:, 3] = 0
    new_x, new_weight = SMOOTH.judge.oracle(x, weight, 0.5)
    scales = smoothing_scales(x.abs().amax(dim=0), [weight])
    torch.testing.assert_close(new_x, x / scales)
    torch.testing.assert_close(new_weight @ new_x.T, weight @ x.T)


@given(
    st.lists(st.tuples(*[st.floats(0, 9)] * 3, *[st.integers(1, 9)] * 3), min_size=1, max_size=5), st.integers(0, 30)
)
@settings(deadline=None)
def test_no_spending_is_better(layers, spare):
    losses, sizes = [list(layer[:3]) for layer in layers], [list(layer[3:]) for layer in layers]
    budget = sum(map(min, sizes)) + spare

    def total(table, choices):
        return sum(row[c] for row, c in zip(table, choices, strict=True))

    found = SPEND.judge.oracle(losses, sizes, budget)
    every = itertools.product(range(3), repeat=len(layers))
    assert total(sizes, found) <= budget
    assert total(losses, found) == pytest.approx(min(total(losses, c) for c in every if total(sizes, c) <= budget))
