"""FLOPs against `torch.utils.flop_counter`, wherever that one is right: forward, backward, random shapes, models."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from labkit.measure.tracing import trace

size = st.integers(1, 7)


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


def both(run) -> tuple[int, int]:
    """Ours and theirs, with attention done in steps: theirs does not know the CPU's fused kernel."""
    with nn.attention.sdpa_kernel(nn.attention.SDPBackend.MATH):
        with FlopCounterMode(display=False) as counter:
            run()
        with trace() as t:
            run()
    assert not [op.name for op in t.ops if op.unknown]
    return t.flops, counter.get_total_flops()


def forward_and_backward(module, *shapes):
    inputs = [torch.randn(s, requires_grad=True) for s in shapes]

    def run():
        out = module(*inputs)
        (out[0] if isinstance(out, tuple) else out).sum().backward()

    return run


MODULES = {
    "mlp": (lambda: nn.Sequential(nn.Linear(8, 16), nn.GELU(), nn.Linear(16, 4)), (3, 8)),
    "conv net": (
        lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2)),
        (2, 3, 8, 8),
    ),
    "transposed": (lambda: nn.ConvTranspose2d(3, 4, 3, stride=2), (2, 3, 5, 5)),
    "dilated": (lambda: nn.Conv1d(3, 4, 3, dilation=2, stride=2), (2, 3, 15)),
    "conv3d": (lambda: nn.Conv3d(2, 3, 2), (1, 2, 4, 4, 4)),
    "encoder": (lambda: nn.TransformerEncoderLayer(16, 2, 32, batch_first=True, dropout=0.0), (2, 5, 16)),
    "group norm": (lambda: nn.Sequential(nn.Conv2d(4, 4, 1), nn.GroupNorm(2, 4), nn.SiLU()), (1, 4, 4, 4)),
    "rms norm": (lambda: nn.Sequential(nn.RMSNorm(8), nn.Linear(8, 8), nn.Softmax(-1)), (3, 8)),
    "lstm cell": (lambda: nn.LSTMCell(8, 8), (3, 8)),
    "gru": (lambda: nn.GRU(8, 8), (4, 2, 8)),
    "pooled": (
        lambda: nn.Sequential(nn.Conv2d(1, 2, 3), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(8, 3)),
        (1, 1, 9, 9),
    ),
    "upsampled": (lambda: nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(1, 1, 3), nn.Hardswish()), (1, 1, 4, 4)),
}


@pytest.mark.parametrize("name", MODULES)
def test_modules_forward_and_backward(name):
    make, shape = MODULES[name]
    mine, theirs = both(forward_and_backward(make(), shape))
    assert mine == theirs > 0


@pytest.mark.parametrize("name", MODULES)
def test_inference_mode(name):
    make, shape = MODULES[name]
    module, x = make(), torch.randn(shape)

    def run():
        with torch.inference_mode():
            module(x)

    mine, theirs = both(run)
    assert mine == theirs > 0


@settings(deadline=None, max_examples=40)
@given(size, size, size, size, st.sampled_from(["mm", "linear", "bmm", "matmul", "einsum", "addmm", "baddbmm"]))
def test_random_products(b, m, n, k, kind):
    a, w = torch.randn(b, m, k), torch.randn(b, k, n)
    run = {
        "mm": lambda: a[0] @ w[0],
        "linear": lambda: F.linear(a, w[0].t(), torch.ones(n)),
        "bmm": lambda: torch.bmm(a, w),
        "matmul": lambda: a.unsqueeze(0) @ w.unsqueeze(1),
        "einsum": lambda: torch.einsum("bmk,bkn->bn", a, w),
        "addmm": lambda: torch.addmm(torch.ones(n), a[0], w[0]),
        "baddbmm": lambda: torch.baddbmm(torch.ones(b, m, n), a, w),
    }[kind]
    mine, theirs = both(run)
    if theirs:  # a product that PyTorch turns into a matrix-vector product or an inner product is 0 there
        assert mine == theirs


@settings(deadline=None, max_examples=40)
@given(
    size, st.integers(1, 3), st.integers(1, 3), st.integers(1, 3), st.integers(1, 3), st.integers(1, 2), st.booleans()
)
def test_random_convolutions(batch, groups, c_in, c_out, kernel, stride, transposed):
    kind = nn.ConvTranspose2d if transposed else nn.Conv2d
    conv = kind(c_in * groups, c_out * groups, kernel, stride, groups=groups, dilation=2, bias=False)
    x = torch.randn(batch, c_in * groups, 9, 8)
    mine, theirs = both(lambda: conv(x))
    assert mine == theirs > 0


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_convolution_backward_where_the_counter_forgets_groups(groups):
    """Theirs counts the gradient of the weight `groups` times too high, so the two agree for one group."""
    conv = nn.Conv2d(4, 8, 3, groups=groups, bias=False)
    mine, theirs = both(forward_and_backward(conv, (1, 4, 6, 6)))
    forward = 2 * 16 * 8 * (4 // groups) * 9
    assert mine == 3 * forward
    assert theirs == (2 + groups) * forward


@settings(deadline=None, max_examples=25)
@given(size, st.integers(1, 3), st.integers(1, 3), size, size, size, st.booleans())
def test_random_attention_equals_the_math_backend(batch, kv_heads, repeat, queries, keys, width, masked):
    """Theirs is 0 for the CPU's fused attention but right for the same attention done in steps."""
    q = torch.randn(batch, kv_heads * repeat, queries, width)
    k = torch.randn(batch, kv_heads, keys, width)
    mask = torch.zeros(queries, keys) if masked else None
    attend = lambda: F.scaled_dot_product_attention(q, k, k, attn_mask=mask, enable_gqa=True)  # noqa: E731

    with trace() as t:
        attend()
    with FlopCounterMode(display=False) as counter, nn.attention.sdpa_kernel(nn.attention.SDPBackend.MATH):
        attend()
    assert t.flops == counter.get_total_flops()
