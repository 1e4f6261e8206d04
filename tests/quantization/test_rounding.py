"""Round-to-nearest against a loop over numbers, NF4 against bitsandbytes, and the inputs that break naive versions."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.kernels.packed_weight import pack, unpack
from labkit.kernels.weight_format import BITS, SCALE_DTYPES, WeightFormat
from labkit.quantization.rounding import round_to_nearest


def loop(row, fmt, scale):
    """One group, number by number, as a textbook says it: its exact scale, and codes and zero under a stored scale."""
    top, middle = 2**fmt.bits - 1, 2 ** (fmt.bits - 1)
    low, high = min(row), max(row)
    finest = max(-low, high) * torch.finfo(fmt.scale_dtype).eps
    exact = max(-low, high) / (middle - 1) if fmt.symmetric else max((high - low) / top, finest)
    zero = middle if fmt.symmetric else round(-low / scale)
    return exact, zero, [min(max(round(w / scale) + zero, 0), top) for w in row]


def tie(quotient):
    """Half way between two codes: may go either way in fp32 and in the float64 of the loop."""
    return abs(quotient % 1 - 0.5) < 1e-4


@given(
    bits=st.sampled_from(BITS),
    symmetric=st.booleans(),
    dtype=st.sampled_from(SCALE_DTYPES),
    shape=st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(2, 9)),
    shift=st.sampled_from([0.0, 0.7, -5.0]),
    seed=st.integers(0, 9999),
)
@settings(deadline=None, max_examples=150)
def test_every_group_equals_a_loop_over_its_numbers(bits, symmetric, dtype, shape, shift, seed):
    rows, groups, size = shape
    fmt = WeightFormat(bits, size, symmetric, scale_dtype=dtype)
    weight = torch.randn(rows, groups * size, generator=torch.Generator().manual_seed(seed)) + shift
    got = round_to_nearest(weight, fmt)
    for r in range(rows):
        for g in range(groups):
            part = slice(g * size, (g + 1) * size)
            row, scale = weight[r, part].tolist(), got.scales[r, g].item()
            exact, zero, codes = loop(row, fmt, scale)
            assert scale == pytest.approx(exact, rel=torch.finfo(dtype).eps)
            if not symmetric:
                if tie(-min(row) / scale):
                    continue
                assert got.zeros[r, g].item() == zero
            for w, ours, expected in zip(row, got.codes[r, part].tolist(), codes, strict=True):
                assert ours == expected or tie(w / scale)


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("size", [None, 16])
def test_no_weight_moves_by_more_than_half_a_step(symmetric, size):
    torch.manual_seed(0)
    weight = torch.randn(8, 64)
    got = round_to_nearest(weight, WeightFormat(4, size, symmetric, scale_dtype=torch.float32))
    step = got.scales.abs().repeat_interleave(64 // got.scales.shape[1], dim=1)
    # An affine zero is a whole number, so the end of the range may be half a step further away.
    assert ((got.dequantize() - weight).abs() <= step * (0.501 if symmetric else 1.001)).all()


def test_smaller_groups_and_more_bits_are_closer():
    torch.manual_seed(0)
    weight = torch.randn(64, 256)

    def error(*arguments, **options):
        return (round_to_nearest(weight, WeightFormat(*arguments), **options).dequantize() - weight).norm().item()

    assert error(4, None, per_tensor=True) > error(4) > error(4, 64) > error(4, 16)
    assert error(2) > error(3) > error(4) > error(8)
    assert error(4, 64, True, "nf4") < error(4, 64)  # normal weights: the levels are made for them


def test_a_scale_for_the_whole_tensor_is_that_of_its_largest_weight():
    weight = torch.tensor([[1.0, -7.0], [2.0, 0.5]])
    got = round_to_nearest(weight, WeightFormat(4, scale_dtype=torch.float32), per_tensor=True)
    assert got.scales.tolist() == [[1.0], [1.0]]
    assert got.dequantize().tolist() == [[1.0, -7.0], [2.0, 0.0]]


@pytest.mark.parametrize("fmt", [WeightFormat(b, 4, s) for b in BITS for s in (True, False)] + [
    WeightFormat(4, 4, code="nf4")
])  # fmt: skip
def test_groups_of_equal_weights_are_exact_after_unpacking(fmt):
    weight = torch.tensor([0.0, 3.1875, -0.0107421875, 1000.0])[:, None].repeat(1, 8)  # all of them fp16 numbers
    assert torch.equal(unpack(pack(round_to_nearest(weight, fmt))).dequantize(), weight)


@pytest.mark.parametrize("dtype", SCALE_DTYPES)
@pytest.mark.parametrize("spread", [1.0, 1e-2, 1e-5, 1e-7])
def test_a_range_far_from_zero_is_as_fine_as_its_scale_dtype_allows(dtype, spread):
    weight = 50 + spread * torch.rand(4, 16)
    fmt = WeightFormat(2, None, symmetric=False, scale_dtype=dtype)
    got = round_to_nearest(weight, fmt)
    allowed = spread / 3 + 2 * 51 * torch.finfo(dtype).eps
    assert (got.dequantize() - weight).abs().max() <= allowed
    assert torch.equal(got.zeros.float(), got.zeros.float().round())


def test_a_weight_of_zero_stays_zero():
    weight = torch.randn(16, 32)
    weight[:, ::5] = 0
    for fmt in (WeightFormat(3, 8, symmetric=False), WeightFormat(2), WeightFormat(4, 8, code="nf4")):
        assert (round_to_nearest(weight, fmt).dequantize()[:, ::5] == 0).all()


def test_weights_too_small_for_the_scale_become_zero_and_not_nan():
    weight = torch.full((1, 4), 1e-12) * torch.tensor([1, 2, -3, 4])
    for symmetric in (True, False):
        assert round_to_nearest(weight, WeightFormat(4, symmetric=symmetric)).dequantize().abs().max() == 0


@pytest.mark.parametrize("seed", range(5))
def test_nf4_codes_are_those_of_bitsandbytes(seed):
    from bitsandbytes.functional import quantize_4bit

    weight = torch.randn(32, 256, generator=torch.Generator().manual_seed(seed)) * 0.1
    ours = round_to_nearest(weight, WeightFormat(4, 64, code="nf4", scale_dtype=torch.float32))
    packed, state = quantize_4bit(weight, blocksize=64, quant_type="nf4")
    theirs = torch.stack([packed.flatten() >> 4, packed.flatten() & 15], dim=1).view_as(weight)
    assert torch.equal(ours.codes, theirs)
    assert torch.equal(ours.scales.flatten(), state.absmax)


def test_clipping_gives_up_the_tail_for_finer_steps():
    weight = torch.tensor([[0.1, -0.2, 0.3, 7.0]])
    whole, half = (round_to_nearest(weight, WeightFormat(3), clip=clip) for clip in (1.0, 0.5))
    assert half.scales.item() == pytest.approx(whole.scales.item() / 2, rel=1e-3)
    assert half.dequantize().max() == pytest.approx(3.5, rel=1e-3)


@pytest.mark.parametrize(
    ("weight", "fmt", "message"),
    [
        (torch.tensor([[1.0, math.nan]]), WeightFormat(4), "NaN or infinity in 1 of 2"),
        (torch.tensor([[1.0, math.inf]]), WeightFormat(4, symmetric=False), "NaN or infinity"),
        (torch.zeros(3), WeightFormat(4), r"matrix \(out, in\)"),
        (torch.zeros(0, 4), WeightFormat(4), "with entries"),
        (torch.zeros(2, 48), WeightFormat(4, 32), "Groups of 32 do not divide rows of 48"),
        (torch.tensor([[1e9, -1e9]]), WeightFormat(4), "too large for torch.float16"),
    ],
)
def test_what_cannot_be_rounded_is_refused(weight, fmt, message):
    with pytest.raises(ValueError, match=message):
        round_to_nearest(weight, fmt)
