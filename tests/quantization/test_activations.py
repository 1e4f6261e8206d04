"""Int8 activations and products against float64, and LLM.int8 against its definition and bitsandbytes."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.kernels.weight_format import WeightFormat
from labkit.quantization.activations import int8_product, quantize_tokens, w8a8_linear
from labkit.quantization.llm_int8 import llm_int8_linear, outlier_channels
from labkit.quantization.rounding import round_to_nearest

INT8 = WeightFormat(8, scale_dtype=torch.float32)


@given(rows=st.integers(1, 6), width=st.integers(1, 20), bits=st.integers(2, 8), seed=st.integers(0, 999))
@settings(deadline=None, max_examples=60)
def test_no_activation_moves_by_more_than_half_its_tokens_step(rows, width, bits, seed):
    x = torch.randn(rows, width, generator=torch.Generator().manual_seed(seed)) * 10
    codes, scales = quantize_tokens(x, bits)
    assert codes.abs().max() == 2 ** (bits - 1) - 1
    assert ((codes * scales - x).abs() <= scales * 0.5001).all()


def test_a_token_of_zeros_stays_zero_and_every_token_has_its_own_scale():
    codes, scales = quantize_tokens(torch.tensor([[[0.0, 0.0], [1.0, -2.0]], [[200.0, 100.0], [1e-3, 0.0]]]))
    assert codes.tolist() == [[[0, 0], [64, -127]], [[127, 64], [127, 0]]]
    torch.testing.assert_close(scales.flatten() * 127, torch.tensor([0.0, 2.0, 200.0, 1e-3]))


@pytest.mark.parametrize("shape", [(1, 3, 5), (7, 64, 32), (33, 2048, 16)])
def test_the_integer_product_is_exact(shape):
    m, k, n = shape
    a, b = (torch.randint(-127, 128, (rows, k), dtype=torch.int8) for rows in (m, n))
    assert torch.equal(int8_product(a, b), (a.double() @ b.double().T).int())


def test_w8a8_is_the_product_of_both_roundings():
    x, weight = torch.randn(2, 5, 48), round_to_nearest(torch.randn(9, 48), INT8)
    codes, scales = quantize_tokens(x)
    expected = (codes * scales).double() @ weight.dequantize().double().T
    torch.testing.assert_close(w8a8_linear(x, weight).double(), expected, atol=1e-4, rtol=1e-5)


def with_outliers(channels, factor=40.0):
    torch.manual_seed(0)
    x, weight = torch.randn(12, 64).clamp(-4, 4), torch.randn(16, 64) * 0.1
    x[:, channels] *= factor
    return x, weight


def by_definition(x, weight, threshold):
    """Equation 8 of the paper, element by element: which inputs go where, and each part's own rounding."""
    outliers = [j for j in range(x.shape[1]) if any(abs(v) >= threshold for v in x[:, j].tolist())]
    others = [j for j in range(x.shape[1]) if j not in outliers]
    w_scale = weight.double().abs().amax(dim=1, keepdim=True) / 127
    w = (weight.double() / w_scale).round() * w_scale
    x_scale = x[:, others].double().abs().amax(dim=1, keepdim=True) / 127
    rounded = (x[:, others].double() / x_scale).round() * x_scale
    return rounded @ w[:, others].T + x[:, outliers].double() @ w[:, outliers].T


@pytest.mark.parametrize("channels", [[], [3], [3, 40, 41]])
def test_llm_int8_is_its_definition(channels):
    x, weight = with_outliers(channels)
    got = llm_int8_linear(x, round_to_nearest(weight, INT8))
    assert outlier_channels(x).nonzero().flatten().tolist() == channels
    torch.testing.assert_close(got.double(), by_definition(x, weight, 6.0), atol=1e-4, rtol=1e-4)


def test_llm_int8_is_that_of_bitsandbytes():
    from bitsandbytes.functional import int8_vectorwise_quant
    from bitsandbytes.nn import Int8Params, Linear8bitLt

    x, weight = with_outliers([3, 40])
    layer = Linear8bitLt(64, 16, bias=False, has_fp16_weights=False, threshold=6.0, device="meta")
    codes, scales, _ = int8_vectorwise_quant(weight.half())
    layer.weight = Int8Params(codes, requires_grad=False, CB=codes, SCB=scales)
    with torch.no_grad():
        theirs = layer(x.half()).float()
    ours = llm_int8_linear(x, round_to_nearest(weight.half(), INT8))
    assert (ours - theirs).norm() < 3e-3 * theirs.norm()


def test_outliers_break_w8a8_and_keeping_them_apart_repairs_it():
    x, weight = with_outliers([3, 40])
    packed = round_to_nearest(weight, INT8)
    exact = x @ packed.dequantize().T  # what is left is the rounding of the activations
    broken, kept = ((y(x, packed) - exact).norm().item() for y in (w8a8_linear, llm_int8_linear))
    assert kept < broken / 5


def test_a_threshold_out_of_reach_is_plain_w8a8():
    x, weight = with_outliers([3])
    packed = round_to_nearest(weight, INT8)
    assert torch.equal(llm_int8_linear(x, packed, threshold=math.inf), w8a8_linear(x, packed))


@pytest.mark.parametrize("fmt", [WeightFormat(4), WeightFormat(8, symmetric=False), WeightFormat(8, 16)])
@pytest.mark.parametrize("linear", [w8a8_linear, llm_int8_linear])
def test_weights_whose_scales_stand_inside_the_sum_are_refused(linear, fmt):
    with pytest.raises(ValueError, match="one scale a row"):
        linear(torch.randn(2, 32), round_to_nearest(torch.randn(3, 32), fmt))


@pytest.mark.parametrize(
    ("x", "bits", "message"),
    [(torch.ones(1, 2), 9, "not 9"), (torch.ones(1, 2), 1, "not 1"), (torch.tensor([[math.nan]]), 8, "NaN")],
)
def test_what_has_no_scale_is_refused(x, bits, message):
    with pytest.raises(ValueError, match=message):
        quantize_tokens(x, bits)
