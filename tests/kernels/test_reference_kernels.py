"""Reference kernels against other libraries and against formulas written out."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import scaled_dot_product_attention, silu

from labkit.kernels.attention import attention, attention_reference
from labkit.kernels.expert_dispatch import expert_dispatch_loop, swiglu_expert
from labkit.kernels.rms_norm import rms_norm, rms_norm_reference
from labkit.kernels.rotary import rotary

SHAPES = [(1, 2, 2, 1, 1), (2, 4, 2, 3, 3), (1, 6, 1, 1, 9), (2, 4, 4, 5, 8)]


@pytest.mark.parametrize(("b", "h", "kv", "t", "n"), SHAPES)
@pytest.mark.parametrize("kernel", [attention_reference, attention])
def test_attention_equals_torch_with_repeated_heads(kernel, b, h, kv, t, n):
    q, k, v = torch.randn(b, h, t, 8), torch.randn(b, kv, n, 8), torch.randn(b, kv, n, 8)
    mask = torch.rand(b, 1, t, n) < 0.5
    mask[..., 0] = True
    wide_k, wide_v = k.repeat_interleave(h // kv, 1), v.repeat_interleave(h // kv, 1)
    expected = scaled_dot_product_attention(q, wide_k, wide_v, attn_mask=mask)
    torch.testing.assert_close(kernel(q, k, v, mask), expected, atol=1e-5, rtol=1e-5)
    if t == n:
        expected = scaled_dot_product_attention(q, wide_k, wide_v, is_causal=True)
        torch.testing.assert_close(kernel(q, k, v, causal=True), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kernel", [rms_norm_reference, rms_norm])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_rms_norm_against_double_precision(kernel, dtype):
    x, weight = torch.randn(3, 5, 16).to(dtype), torch.randn(16).to(dtype)
    wide = x.double()
    expected = wide / (wide.pow(2).mean(-1, keepdim=True) + 1e-5).sqrt() * weight.double()
    bound = {torch.float32: 1e-6, torch.bfloat16: 2**-7}[dtype]
    torch.testing.assert_close(kernel(x, weight, 1e-5).double(), expected, atol=bound, rtol=bound)


@given(shift=st.integers(0, 50), first=st.integers(0, 50), second=st.integers(0, 50))
@settings(deadline=None)
def test_rotary_products_depend_on_the_distance_alone(shift, first, second):
    """The property the embedding was made for: <R_m q, R_n k> is a function of m - n (equation 16 of the paper)."""
    torch.manual_seed(0)
    q, k, frequencies = torch.randn(8).double(), torch.randn(8).double(), torch.tensor([1.0, 0.3, 0.1, 0.01]).double()

    def turned(x, position):
        angle = (position * frequencies).view(1, 1, 1, 4)
        return rotary(x.view(1, 1, 1, 8), angle.cos(), angle.sin()).flatten()

    near = turned(q, first) @ turned(k, second)
    far = turned(q, first + shift) @ turned(k, second + shift)
    torch.testing.assert_close(near, far)
    torch.testing.assert_close(turned(q, first).norm(), q.norm())


@pytest.mark.parametrize(("tokens", "chosen"), [(0, 2), (1, 1), (7, 2), (9, 5)])
def test_dispatch_equals_running_every_expert_on_every_token(tokens, chosen):
    experts = [(torch.randn(12, 8), torch.randn(8, 6)) for _ in range(5)]
    x, weights = torch.randn(tokens, 8), torch.rand(tokens, chosen)
    indices = torch.stack([torch.randperm(5)[:chosen] for _ in range(tokens)]) if tokens else torch.zeros(0, 2).long()
    run = []

    def expert(e, rows):
        run.append(e)
        return swiglu_expert(rows, *experts[e])

    out = expert_dispatch_loop(x, indices, weights, expert)
    every = torch.stack([(silu(x @ w[:6].T) * (x @ w[6:].T)) @ d.T for w, d in experts])  # experts, tokens, hidden
    share = torch.zeros(tokens, 5).scatter_add(1, indices, weights)
    torch.testing.assert_close(out, torch.einsum("te,eth->th", share, every), atol=1e-4, rtol=1e-4)
    assert run == sorted(set(indices.flatten().tolist())), "an expert without tokens costs its weights"
