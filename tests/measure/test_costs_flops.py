"""FLOPs against arithmetic done by hand: each expected number is written as the product a reader can check."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from labkit.measure.tracing import trace


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)
    torch.manual_seed(0)


def flops_of(run) -> int:
    with torch.no_grad(), trace() as t:
        run()
    assert not [op.name for op in t.ops if op.unknown]
    return t.flops


MODULES = {
    # multiply-adds x 2, worked out by hand
    "linear": (lambda: nn.Linear(64, 32), (5, 64), 2 * 5 * 32 * 64),
    "linear without bias, batched": (lambda: nn.Linear(64, 32, bias=False), (2, 5, 64), 2 * 10 * 32 * 64),
    "conv1d": (lambda: nn.Conv1d(4, 6, 3), (2, 4, 10), 2 * 2 * 8 * 6 * 4 * 3),
    "conv2d, stride 2, padding 1": (lambda: nn.Conv2d(3, 8, 3, 2, 1), (2, 3, 9, 9), 2 * 2 * 25 * 8 * 3 * 9),
    "conv2d, 2 groups": (lambda: nn.Conv2d(4, 6, 3, groups=2), (1, 4, 8, 8), 2 * 36 * 6 * 2 * 9),
    "depthwise conv2d": (lambda: nn.Conv2d(8, 8, 3, padding=1, groups=8), (1, 8, 5, 5), 2 * 25 * 8 * 1 * 9),
    "conv2d, dilation 2": (lambda: nn.Conv2d(2, 5, 3, dilation=2), (1, 2, 9, 9), 2 * 25 * 5 * 2 * 9),
    "conv3d": (lambda: nn.Conv3d(2, 3, 2), (1, 2, 4, 4, 4), 2 * 27 * 3 * 2 * 8),
    "transposed conv1d": (lambda: nn.ConvTranspose1d(4, 6, 3, stride=2), (1, 4, 7), 2 * 7 * 4 * 6 * 3),
    "transposed conv2d, 2 groups": (
        lambda: nn.ConvTranspose2d(4, 6, 3, stride=2, groups=2),
        (1, 4, 5, 5),
        2 * 25 * 4 * 3 * 9,
    ),
    # LSTM, 3 steps of batch 2: four gates of 16 from 8 inputs and 16 states
    "lstm": (lambda: nn.LSTM(8, 16), (3, 2, 8), 2 * 3 * 2 * 4 * 16 * (8 + 16)),
    # bidirectional: both directions; the second layer reads both
    "lstm, 2 layers, both directions": (
        lambda: nn.LSTM(8, 16, num_layers=2, bidirectional=True),
        (3, 2, 8),
        2 * 3 * 2 * 4 * 16 * (2 * (8 + 16) + 2 * (32 + 16)),
    ),
    "gru": (lambda: nn.GRU(8, 16), (3, 2, 8), 2 * 3 * 2 * 3 * 16 * (8 + 16)),
    "embedding": (lambda: nn.Embedding(100, 8), None, 0),
    "layer norm": (lambda: nn.LayerNorm(64), (5, 64), 0),
    "relu": (lambda: nn.ReLU(), (5, 64), 0),
    # 4 projections of 16 x 16 for 6 rows of 2 sequences, then scores and values: 2 products of 2 heads, 6 x 6 x 8
    "multi-head attention block": (
        lambda: nn.TransformerEncoderLayer(16, 2, dim_feedforward=32, batch_first=True),
        (2, 6, 16),
        2 * 12 * 4 * 16 * 16 + 2 * 2 * (2 * 2) * 6 * 6 * 8 + 2 * 2 * 12 * 16 * 32,
    ),
}


@pytest.mark.parametrize("name", MODULES)
def test_module_by_hand(name):
    make, shape, expected = MODULES[name]
    module = make().train()  # eval would take the fused encoder layer; its parts are what is counted by hand
    x = torch.randint(0, 100, (4, 7)) if shape is None else torch.randn(shape)
    assert flops_of(lambda: module(x)) == expected


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("kv_heads", [4, 2, 1])
def test_grouped_query_attention(kv_heads, causal):
    """B=2, 4 query heads, 6 queries, 10 keys, width 8: scores and values, causal not discounted."""
    q, k = torch.randn(2, 4, 6, 8), torch.randn(2, kv_heads, 10, 8)
    expected = 2 * (2 * 4 * 6 * 10 * 8) * 2
    run = lambda: F.scaled_dot_product_attention(q, k, k, is_causal=causal, enable_gqa=True)  # noqa: E731
    assert flops_of(run) == expected


def test_mv_dot_and_batched_sum():
    a, v, b = torch.randn(7, 5), torch.randn(5), torch.randn(3, 5, 4)
    assert flops_of(lambda: a @ v) == 2 * 7 * 5
    assert flops_of(lambda: v @ v) == 2 * 5
    assert flops_of(lambda: torch.addbmm(torch.zeros(7, 4), a.expand(3, 7, 5), b)) == 2 * 3 * 7 * 4 * 5
    assert flops_of(lambda: torch.baddbmm(torch.zeros(3, 7, 4), a.expand(3, 7, 5), b)) == 2 * 3 * 7 * 4 * 5
    assert flops_of(lambda: torch.einsum("bik,bkj->bij", a.expand(3, 7, 5), b)) == 2 * 3 * 7 * 4 * 5


def test_in_place_and_out_variants_cost_what_the_functional_form_costs():
    a, b, c = torch.randn(7, 5), torch.randn(5, 4), torch.zeros(7, 4)
    assert flops_of(lambda: torch.mm(a, b, out=c)) == 2 * 7 * 5 * 4
    assert flops_of(lambda: c.addmm_(a, b)) == 2 * 7 * 5 * 4


def test_grouped_product():
    """12 rows among 3 experts of 8 x 16."""
    x, w = torch.randn(12, 8, dtype=torch.bfloat16), torch.randn(3, 8, 16, dtype=torch.bfloat16)
    offs = torch.tensor([4, 4, 12], dtype=torch.int32)
    assert flops_of(lambda: torch._grouped_mm(x, w, offs=offs)) == 2 * 12 * 8 * 16


def test_gradients_of_a_grouped_convolution():
    """Each gradient costs one forward: 2 x positions x weights."""
    conv, x = nn.Conv2d(4, 6, 3, groups=2), torch.randn(1, 4, 8, 8, requires_grad=True)
    y = conv(x)
    with trace() as t:
        y.backward(torch.ones_like(y))
    assert t.flops == 2 * (2 * 36 * 6 * 2 * 9)


def test_gradients_of_attention():
    """Backward recomputes the scores: five products of 2 B H S S D."""
    q = torch.randn(2, 4, 6, 8, requires_grad=True)
    y = F.scaled_dot_product_attention(q, q, q)
    with trace() as t:
        y.backward(torch.ones_like(y))
    assert t.flops == 5 * 2 * (2 * 4 * 6 * 6 * 8)
