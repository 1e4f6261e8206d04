"""Products of rounded activations and packed weights against float64, compiled and not, and what they cost."""

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.kernels.native import building
from labkit.kernels.packed_weight import pack
from labkit.kernels.quantized_linear import quantized_linear, quantized_linear_reference
from labkit.kernels.quantized_panels import PanelLayout, fits_panels, from_panels, to_panels
from labkit.kernels.quantized_weight import QuantizedWeight
from labkit.kernels.rounded_activations import STEPS, round_activations
from labkit.kernels.weight_format import SCALE_DTYPES, WeightFormat
from labkit.measure import trace


def random_weight(fmt, out, inner, seed=0):
    """Codes over the whole range, scales of both signs, zeros that are no whole numbers."""
    generator = torch.Generator().manual_seed(seed)
    codes = torch.randint(0, 2**fmt.bits, (out, inner), generator=generator, dtype=torch.uint8)
    scales, zeros = torch.randn(2, out, fmt.groups(inner), generator=generator)
    zeros = None if fmt.symmetric else (2 ** (fmt.bits - 1) + zeros).to(fmt.scale_dtype)
    return QuantizedWeight(codes, scales.to(fmt.scale_dtype), zeros, fmt)


def exact(x, weight, bits, per_row=False):
    """The product in float64, and for each output how far fp32 sums and the rounding of x may be from it."""
    w, x = weight.dequantize().double(), x.double()
    blocks = torch.nn.functional.pad(x, (0, -x.shape[-1] % 32)).unflatten(-1, (-1, 32))
    peaks = blocks.abs().amax(dim=(-2, -1) if per_row else -1, keepdim=True).expand(blocks.shape)
    half_step = (0.5 / STEPS[bits] * peaks).flatten(-2)[..., : x.shape[-1]]
    codes = weight.codes.double().unflatten(1, (weight.scales.shape[1], -1)) * weight.scales.double().abs().unsqueeze(
        -1
    )
    sums = 1e-6 * x.abs() @ (w.abs() + codes.flatten(1)).T
    return x @ w.T, half_step @ w.abs().T + sums


def assert_within(found, expected, slack):
    assert found.shape == expected.shape
    worst = ((found.double() - expected).abs() - slack).max() if found.numel() else -1
    assert worst <= 0, f"{worst} beyond what rounding allows"


FORMATS = [
    WeightFormat(bits, group, symmetric, "integer", dtype)
    for bits, group, symmetric, dtype in itertools.product((4, 8), (32, 64, 128, None), (True, False), SCALE_DTYPES)
]


@settings(deadline=None, max_examples=150)
@given(
    fmt=st.sampled_from(FORMATS),
    rows=st.integers(1, 17),
    groups=st.integers(1, 3),
    inner=st.integers(1, 140),
    out=st.integers(1, 50),
    bits=st.sampled_from((8, 16)),
    per_row=st.booleans(),
    seed=st.integers(0, 999),
)
def test_any_shape_and_format(fmt, rows, groups, inner, out, bits, per_row, seed):
    weight = random_weight(fmt, out, inner if fmt.group_size is None else groups * fmt.group_size, seed)
    packed = pack(weight)
    panels = to_panels(packed)
    back = from_panels(panels)
    assert back.format == fmt
    for name, tensor in packed.to_tensors("").items():
        assert torch.equal(tensor, back.to_tensors("")[name])
    torch.manual_seed(seed)
    x = torch.randn(rows, packed.in_features) * 10 ** torch.randint(-3, 3, (rows, 1))
    expected, slack = exact(x, weight, bits, per_row)
    assert_within(quantized_linear(x, panels, None, bits, per_row), expected, slack)
    assert_within(quantized_linear_reference(x, packed, None, bits, per_row), expected, slack)


@pytest.mark.parametrize("fmt", [WeightFormat(4, 32), WeightFormat(8), WeightFormat(4, 32, symmetric=False)], ids=str)
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("threads", [1, 2])
def test_any_stride_bias_and_threads(way, fmt, bits, threads):
    torch.set_num_threads(threads)
    weight, bias = random_weight(fmt, 35, 96), torch.randn(35)
    panels = to_panels(pack(weight))
    for x in (torch.randn(96), torch.randn(2, 3, 96), torch.randn(96, 5).T, torch.randn(0, 96), torch.zeros(3, 96)):
        expected, slack = exact(x, weight, bits)
        assert_within(quantized_linear(x, panels, None, bits), expected, slack)
        assert_within(quantized_linear(x, panels, bias, bits), expected + bias, slack + 1e-6 * bias.abs())


@pytest.mark.parametrize("fmt", [WeightFormat(4, 32), WeightFormat(8), WeightFormat(8, 64, symmetric=False)], ids=str)
@pytest.mark.parametrize("bits", [8, 16])
def test_the_largest_numbers_of_every_sign_overflow_nothing(way, fmt, bits):
    """All codes at either end against all activations at either end: where a sum of 16 bits would be full first."""
    for code, sign in itertools.product((0, 1, 2**fmt.bits - 1), (-1.0, 1.0)):
        ones = torch.ones(16, 64 // (fmt.group_size or 64), dtype=fmt.scale_dtype)
        zeros = None if fmt.symmetric else 5 * ones
        weight = QuantizedWeight(torch.full((16, 64), code, dtype=torch.uint8), ones, zeros, fmt)
        found = quantized_linear(torch.full((4, 64), sign * 127), to_panels(pack(weight)), None, bits)
        torch.testing.assert_close(found, (sign * 127 * weight.dequantize()).sum(1).expand(4, 16), rtol=1e-6, atol=0)


@pytest.mark.parametrize("bits", [8, 16])
def test_whole_numbers_and_ties_are_exact(way, bits):
    """At 8 bits 127 is the largest of each block, so every whole number is a step and halves go to the even one."""
    x = torch.cat([torch.full((5, 1), 127.0), torch.arange(5 * 31).view(5, 31) / 2 - 38], dim=1).repeat(1, 2)
    weight = random_weight(WeightFormat(8, None, True, "integer", torch.float32), 20, 64)
    weight = QuantizedWeight(weight.codes, torch.ones(20, 1), None, weight.format)
    found = quantized_linear(x, to_panels(pack(weight)), None, bits)
    expected = (x.round() if bits == 8 else x).double() @ weight.dequantize().double().T
    if bits == 8:
        assert torch.equal(found.double(), expected)
    torch.testing.assert_close(found.double(), expected, atol=0.5 * 127 / 16319 * 64 * 128, rtol=0)


def test_both_ways_round_alike(way):
    x, weight = torch.randn(7, 160), random_weight(WeightFormat(4, 32), 24, 160)
    packed = pack(weight)
    for bits, per_row in itertools.product((8, 16), (False, True)):
        rounded = round_activations(x, bits, per_row).dequantize(160).double() @ weight.dequantize().double().T
        found = quantized_linear(x, to_panels(packed), None, bits, per_row)
        torch.testing.assert_close(found.double(), rounded, atol=2e-6 * rounded.abs().max().item(), rtol=0)


@pytest.mark.slow
def test_a_processor_without_our_instructions_computes_the_same(monkeypatch, tmp_path):
    """What a compiler may use by default is less than what the code has instructions for."""
    x = torch.randn(5, 256)
    weights = [(to_panels(pack(random_weight(fmt, 40, 256))), bits) for fmt in FORMATS for bits in (8, 16)]
    expected = [quantized_linear(x, weight, None, bits) for weight, bits in weights]
    monkeypatch.setenv("LABKIT_CACHE", str(tmp_path))
    monkeypatch.setattr(building, "_FLAGS", ((("-O3",), ()),))
    building.native.cache_clear()
    assert building.native("quantized_linear") is not None
    found = [quantized_linear(x, weight, None, bits) for weight, bits in weights]
    building.native.cache_clear()
    torch.testing.assert_close(found, expected, atol=1e-3, rtol=1e-5)


@pytest.mark.parametrize("bits", [8, 16])
def test_nan_and_infinity_are_nan_in_their_row_alone(way, bits):
    x = torch.randn(4, 64)
    x[1, 40], x[2, 3] = math.nan, -math.inf
    panels = to_panels(pack(random_weight(WeightFormat(4, 32), 16, 64)))
    found = quantized_linear(x, panels, None, bits)
    assert found[1:3].isnan().all()
    assert found[[0, 3]].isfinite().all()


@pytest.mark.parametrize("bits", [8, 16])
def test_numbers_next_to_nothing_are_nothing(way, bits):
    x = torch.tensor([1e-45, 1e-39, -1e-38]).repeat(32)[None, :64]
    weight = random_weight(WeightFormat(8), 16, 64)
    found = quantized_linear(x, to_panels(pack(weight)), None, bits)
    torch.testing.assert_close(found, torch.zeros(1, 16), atol=1e-30, rtol=0)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_other_floats_come_back_as_they_went_in(way, dtype):
    weight, x = random_weight(WeightFormat(4, 32), 20, 64), torch.randn(3, 64).to(dtype)
    found = quantized_linear(x, to_panels(pack(weight)), torch.ones(20, dtype=dtype))
    assert found.dtype == dtype
    torch.testing.assert_close(found.double(), x.double() @ weight.dequantize().double().T + 1, atol=0.3, rtol=0.02)


def test_gradients_are_those_of_the_unpacked_weight(way):
    weight, x, bias = random_weight(WeightFormat(4, 32), 20, 64), torch.randn(2, 3, 64), torch.randn(20)
    probe, leaves = torch.randn(2, 3, 20), [x.requires_grad_(), bias.requires_grad_()]
    found = torch.autograd.grad((quantized_linear(x, to_panels(pack(weight)), bias) * probe).sum(), leaves)
    plain = torch.nn.functional.linear(x, weight.dequantize(), bias)
    for ours, theirs in zip(found, torch.autograd.grad((plain * probe).sum(), leaves), strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("bits", "dtype"), [(8, "int8"), (16, "float32")])
@pytest.mark.parametrize("fmt", [WeightFormat(4, 32), WeightFormat(8)], ids=str)
def test_it_costs_the_packed_bytes_and_the_flops_of_its_reference(bits, dtype, fmt):
    weight, x = pack(random_weight(fmt, 64, 128)), torch.randn(3, 128)
    panels = to_panels(weight)
    assert panels.panels.nbytes == weight.nbytes == fmt.nbytes(64, 128)
    with trace() as fused:
        quantized_linear(x, panels, None, bits)
    with trace() as plain:
        quantized_linear_reference(x, weight, None, bits)
    assert fused.flops == plain.flops == 2 * 3 * 128 * 64
    assert fused.bytes_read + fused.bytes_written == weight.nbytes + 4 * 3 * (128 + 64)
    assert plain.bytes_read + plain.bytes_written > 8 * 128 * 64
    (op,) = fused.ops
    assert (op.unknown, op.dtype) == ("", dtype)


def test_shapes_without_data():
    panels = to_panels(pack(random_weight(WeightFormat(4, 32), 20, 64)))
    found = quantized_linear(torch.empty(2, 5, 64, device="meta"), panels._replace(panels=panels.panels.to("meta")))
    assert found.shape == (2, 5, 20)


def test_rounding_by_hand():
    rounded = round_activations(torch.tensor([[-127.0, 0.5, 1.5, 2.4]]))
    assert rounded.codes[0, 0, :5].tolist() == [-127, 0, 2, 2, 0]
    assert round_activations(torch.tensor([[16319.0, 2.0]]), 16).codes[0, 0, :2].tolist() == [16319, 2]
    long = torch.cat([torch.full((1, 32), 1.0), torch.full((1, 1), 127.0)], dim=1)
    assert round_activations(long, per_row=True).codes[0, :, 0].tolist() == [1, 127]
    assert round_activations(long).codes[0, :, 0].tolist() == [127, 127]


def test_what_makes_no_sense_is_refused():
    panels = to_panels(pack(random_weight(WeightFormat(4, 32), 20, 64)))
    with pytest.raises(ValueError, match=r"rows of 64 floating-point numbers; got \(2, 65\)"):
        quantized_linear(torch.ones(2, 65), panels)
    with pytest.raises(ValueError, match=r"of torch\.int64"):
        quantized_linear(torch.ones(2, 64).long(), panels)
    with pytest.raises(ValueError, match="8 or 16 bits, not 4"):
        quantized_linear(torch.ones(2, 64), panels, activation_bits=4)
    with pytest.raises(ValueError, match="8 or 16 bits, not 4"):
        round_activations(torch.ones(2, 64), 4)
    for fmt in (WeightFormat(3, 32), WeightFormat(4, 16), WeightFormat(4, code="nf4")):
        assert not fits_panels(fmt)
        with pytest.raises(ValueError, match="There are no panels for WeightFormat"):
            PanelLayout.of(fmt, 16, 64)
