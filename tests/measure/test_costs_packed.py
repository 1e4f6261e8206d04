"""Packed and low-bit linears: FlopCounterMode sees zero in most of them; the product is M x N x K all the same."""

import pytest
import torch
from torch import nn

from labkit.measure.tracing import trace

M, N, K = 4, 64, 128


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


def only(t, name):
    (op,) = [op for op in t.ops if op.name == name]
    return op


def test_int8_product():
    a, b = torch.ones(32, K, dtype=torch.int8), torch.ones(K, N, dtype=torch.int8)
    with trace() as t:
        torch._int_mm(a, b)
    op = only(t, "aten::_int_mm")
    assert (op.flops, op.bytes_read, op.bytes_written) == (2 * 32 * N * K, 32 * K + K * N, 4 * 32 * N)
    assert op.dtype == "int8"


def test_int8_weight_only():
    x, w, scales = torch.randn(M, K).bfloat16(), torch.ones(N, K, dtype=torch.int8), torch.ones(N).bfloat16()
    with trace() as t:
        torch._weight_int8pack_mm(x, w, scales)
    op = only(t, "aten::_weight_int8pack_mm")
    assert (op.flops, op.bytes_read, op.bytes_written) == (2 * M * N * K, 2 * M * K + N * K + 2 * N, 2 * M * N)
    assert op.dtype == "bfloat16"


def test_int4_weight_only_reads_half_a_byte_a_weight():
    x, group = torch.randn(M, K).bfloat16(), 32
    packed = torch._convert_weight_to_int4pack_for_cpu(torch.zeros(N, K, dtype=torch.int32), 2)
    scales = torch.ones(K // group, N, 2).bfloat16()
    with trace() as t:
        torch._weight_int4pack_mm_for_cpu(x, packed, group, scales)
    op = only(t, "aten::_weight_int4pack_mm_for_cpu")
    assert op.flops == 2 * M * N * K
    assert op.bytes_read == 2 * M * K + N * K // 2 + 2 * 2 * N * K // group


@pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="this build of PyTorch has no oneDNN")
@pytest.mark.parametrize("bias", [True, False])
def test_onednn_packed_linear(bias):
    x, w, b = torch.randn(M, K), torch.randn(N, K), torch.randn(N) if bias else None
    packed = torch.ops.mkldnn._reorder_linear_weight(w, None)
    with trace() as t:
        torch.ops.mkldnn._linear_pointwise(x, packed, b, "none", [], "")
    op = only(t, "mkldnn::_linear_pointwise")
    assert op.flops == 2 * M * N * K
    stored = torch.ops.mkldnn._nbytes(packed)
    assert stored >= 4 * N * K
    assert (op.bytes_read, op.bytes_written) == (4 * M * K + stored + 4 * N * bias, 4 * M * N)


@pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="this build of PyTorch has no oneDNN")
@pytest.mark.parametrize("groups", [1, 2])
def test_onednn_packed_convolution(groups):
    """8 output channels at 6 x 6 positions, each from 4 / groups input channels and 3 x 3 taps."""
    x, w = torch.randn(1, 4, 8, 8), torch.randn(8, 4 // groups, 3, 3)
    no, one = [0, 0], [1, 1]
    packed = torch.ops.mkldnn._reorder_convolution_weight(w, no, one, one, groups, [1, 4, 8, 8])
    with torch.no_grad(), trace() as t:
        torch.ops.mkldnn._convolution_pointwise(x, packed, None, no, one, one, groups, "none", [], "")
    op = only(t, "mkldnn::_convolution_pointwise")
    assert op.flops == 2 * 36 * 8 * (4 // groups) * 9
    assert op.bytes_written == 4 * 36 * 8


@pytest.mark.skipif("x86" not in torch.backends.quantized.supported_engines, reason="needs an x86 quantized engine")
@pytest.mark.filterwarnings("ignore")
def test_dynamically_quantized_linear():
    layer = torch.ao.quantization.quantize_dynamic(nn.Sequential(nn.Linear(K, N)), {nn.Linear}, dtype=torch.qint8)
    with trace() as t:
        layer(torch.randn(M, K))
    op = only(t, "quantized::linear_dynamic")
    assert op.flops == 2 * M * N * K
    assert op.dtype == "int8"
    assert op.bytes_read == 4 * M * K + N * K + 4 * N  # activations, one byte a weight, bias
    assert not op.unknown


@pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="this build of PyTorch has no oneDNN")
def test_onednn_quantized_linear():
    x = torch.randint(0, 255, (M, K), dtype=torch.uint8)
    w = torch.ops.onednn.qlinear_prepack(torch.randint(-128, 127, (N, K), dtype=torch.int8), [M, K])
    scale, zero = torch.ones(N), torch.zeros(N, dtype=torch.int64)
    with trace() as t:
        torch.ops.onednn.qlinear_pointwise(x, 0.1, 3, w, scale, zero, None, 1.0, 0, torch.float32, "none", [], "")
    op = only(t, "onednn::qlinear_pointwise")
    assert (op.flops, op.dtype) == (2 * M * N * K, "int8")
    assert op.bytes_read >= M * K + N * K + 4 * N
    assert op.bytes_written == 4 * M * N
