"""A loaded model whose quantized layers run as on a GPU: in Triton, interpreted here, compiled where there is one."""

import importlib.util

import pytest
import torch

import labkit as lk
from labkit.models.quantized_linear import QuantizedLinear
from tests.kernels import interpreted

QUANTIZATIONS = ["w4a16", "w4a8", "w8a16", "w8a8"]


@pytest.fixture
def folder(save_random):
    return save_random("llama", hidden_size=64, intermediate_size=96, attention_bias=True)[0]


@pytest.fixture
def tokens():
    return torch.randint(3, 96, (2, 5))


@pytest.fixture(scope="module")
def interpreter():
    with interpreted.interpreter() as pool:
        yield pool


@pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="blocked: no triton")
@pytest.mark.parametrize("quantization", QUANTIZATIONS)
@torch.no_grad()
def test_every_quantized_layer_launches_a_kernel(interpreter, folder, tokens, quantization):
    model = lk.load(folder, quantization=quantization, dtype="float32", device="cpu").model
    found, launches = interpreter.submit(interpreted.logits, folder, tokens, quantization).result(timeout=200)
    assert launches == sum(isinstance(module, QuantizedLinear) for module in model.modules())
    torch.testing.assert_close(found, model(tokens), atol=2e-3, rtol=0)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="blocked: no CUDA GPU")
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize("quantization", QUANTIZATIONS)
@torch.no_grad()
def test_a_gpu_computes_what_the_processor_does(folder, tokens, quantization, dtype):
    from labkit.kernels.triton.running import triton_runs

    expected = lk.load(folder, quantization=quantization, dtype="float32", device="cpu").model(tokens)
    model = lk.load(folder, quantization=quantization, dtype=dtype, device="cuda").model
    assert triton_runs()
    slack = {"float32": 2e-3, "float16": 1e-2, "bfloat16": 5e-2}[dtype]
    torch.testing.assert_close(model(tokens.cuda()).float().cpu(), expected, atol=slack, rtol=0)
