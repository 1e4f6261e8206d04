"""Bytes against counting by hand: every distinct element an operator needs, once; every element it makes, once."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from labkit.measure.costs.spec import Part, spec_of, touched
from labkit.measure.tracing import trace


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


def moved(run) -> tuple[int, int]:
    with torch.no_grad(), trace() as t:
        run()
    assert not [op.name for op in t.ops if op.unknown]
    return t.bytes_read, t.bytes_written


def f32(*shape):
    return torch.randn(shape)


X, W, BIAS = f32(6, 8), f32(4, 8), f32(4)
TABLE, IDS = f32(100, 8), torch.tensor([3, 5, 7])
CACHE, ROW = f32(2, 50, 8), f32(2, 1, 8)
MASK = torch.tensor([True, False, True, False, True, False])

CASES = {
    # operation: (run, elements x bytes read, elements x bytes written)
    "matrix product": (lambda: X @ W.t(), 4 * (48 + 32), 4 * 24),
    "linear": (lambda: F.linear(X, W, BIAS), 4 * (48 + 32 + 4), 4 * 24),
    "linear by itself": (lambda: X @ X.t(), 4 * 48, 4 * 36),
    "broadcast add": (lambda: X + f32_row, 4 * (48 + 8), 4 * 48),
    "expanded operand": (lambda: X * f32_row.expand(6, 8), 4 * (48 + 8), 4 * 48),
    "in-place add": (lambda: scratch().add_(X), 4 * 96, 4 * 48),
    "in-place scale": (lambda: scratch().mul_(2.0), 4 * 48, 4 * 48),
    "comparison": (lambda: X > 0, 4 * 48, 48),
    "fill": (lambda: scratch().zero_(), 0, 4 * 48),
    "copy": (lambda: scratch().copy_(X), 4 * 48, 4 * 48),
    "cast": (lambda: X.bfloat16(), 4 * 48, 2 * 48),
    "clone": (lambda: X.clone(), 4 * 48, 4 * 48),
    "concatenation": (lambda: torch.cat([X, X.flip(0)]), 4 * (48 + 96), 4 * (48 + 96)),  # flip, then both
    "zeros": (lambda: torch.zeros(6, 8), 0, 4 * 48),
    "zeros like": (lambda: torch.zeros_like(X), 0, 4 * 48),
    "uninitialised": (lambda: torch.empty(6, 8), 0, 0),
    "views": (lambda: X.view(8, 6).t()[1:3].unsqueeze(0).expand(5, 2, 8).permute(2, 0, 1), 0, 0),
    "sum": (lambda: X.sum(), 4 * 48, 4),
    "mean of rows": (lambda: X.mean(1), 4 * 48, 4 * 6),
    "largest": (lambda: X.max(1), 4 * 48, (4 + 8) * 6),
    "top 2": (lambda: X.topk(2), 4 * 48, (4 + 8) * 12),
    "softmax": (lambda: X.softmax(-1), 4 * 48, 4 * 48),
    "layer norm": (lambda: F.layer_norm(X, (8,)), 4 * 48, 4 * (48 + 6 + 6)),  # and mean and 1 / deviation of 6 rows
    "embedding": (lambda: F.embedding(IDS, TABLE), 4 * 24 + 8 * 3, 4 * 24),
    "rows by index": (lambda: TABLE[IDS], 4 * 24 + 8 * 3, 4 * 24),
    "index select": (lambda: TABLE.index_select(0, IDS), 4 * 24 + 8 * 3, 4 * 24),
    "gather": (lambda: X.gather(1, torch_zeros_6x2), 4 * 12 + 8 * 12, 4 * 12),
    "write one row of a cache": (lambda: CACHE.index_copy_(1, IDS[:1], ROW), 4 * 16 + 8, 4 * 16),
    "put rows": (lambda: TABLE.index_put_((IDS,), f32_3x8), 4 * 24 + 8 * 3, 4 * 24),
    "add to rows": (lambda: TABLE.index_add_(0, IDS, f32_3x8), 4 * (24 + 24) + 8 * 3, 4 * 24),
    "scatter": (lambda: scratch().scatter_(1, torch_zeros_6x2, X), 4 * 12 + 8 * 12, 4 * 12),
    "slice of a cache": (lambda: CACHE[:, :10].sum(), 4 * 2 * 10 * 8, 4),
    "write through a slice": (lambda: CACHE[:, 3:4].copy_(ROW), 4 * 16, 4 * 16),
}
f32_row, f32_3x8, torch_zeros_6x2 = f32(8), f32(3, 8), torch.zeros(6, 2, dtype=torch.int64)
SCRATCH = f32(6, 8)


def scratch():
    return SCRATCH


@pytest.mark.parametrize("name", CASES)
def test_bytes_by_hand(name):
    run, read, written = CASES[name]
    assert moved(run) == (read, written)


def test_boolean_mask_reads_the_mask_and_the_rows_it_keeps():
    """The mask is first turned into indices: 6 bytes in, 3 indices out, then 3 rows of 8."""
    read, written = moved(lambda: X[MASK])
    assert (read, written) in (
        (6 + 4 * 24, 4 * 24),
        (6 + 8 * 3 + 4 * 24, 8 * 3 + 4 * 24),
    )


def test_attention_reads_fewer_key_heads_than_query_heads():
    q, k = f32(1, 8, 5, 16), f32(1, 2, 7, 16)
    with torch.no_grad(), trace() as t:
        F.scaled_dot_product_attention(q, k, k.clone(), enable_gqa=True)
    (op,) = [op for op in t.ops if "attention" in op.name]
    assert op.bytes_read == 4 * (8 * 5 * 16 + 2 * 7 * 16 * 2)
    assert op.bytes_written == 4 * (8 * 5 * 16 + 8 * 5)  # the result and one log-sum-exp for each row of scores


def test_grouped_product_reads_only_experts_that_have_rows():
    """Rows 0-3 go to expert 0, 4-11 to expert 2; expert 1 has none and its 128 weights stay where they are."""
    x, w = torch.randn(12, 8, dtype=torch.bfloat16), torch.randn(3, 8, 16, dtype=torch.bfloat16)
    offs = torch.tensor([4, 4, 12], dtype=torch.int32)
    read, written = moved(lambda: torch._grouped_mm(x, w, offs=offs))
    assert read == 2 * 12 * 8 + 2 * (2 * 8 * 16) + 4 * 3
    assert written == 2 * 12 * 16


def test_convolution_backward_reads_what_each_gradient_needs():
    conv, x = nn.Conv2d(4, 6, 3, bias=False), f32(1, 4, 8, 8)
    y = conv(x)  # x wants no gradient, so the weight is not read
    with trace() as t:
        y.backward(torch.ones_like(y))
    (op,) = [op for op in t.ops if op.name == "aten::convolution_backward"]
    assert op.bytes_read == 4 * (6 * 36 + 4 * 64)
    assert op.bytes_written == 4 * 6 * 4 * 9


def test_training_batch_norm_writes_its_running_statistics():
    norm = nn.BatchNorm1d(8).train()
    with trace() as t:
        norm(X)
    (op,) = [op for op in t.ops if "batch_norm" in op.name]
    assert op.bytes_read == 4 * (48 + 4 * 8)
    assert op.bytes_written == 4 * (48 + 2 * 8 + 2 * 8)  # result, saved and running statistics


@pytest.mark.parametrize("fused", [True, False])
def test_optimizer_moves_at_least_parameters_gradients_and_moments(fused):
    """AdamW reads 4 and writes 3 numbers a parameter; anything less would be wrong, the fused kernel does just that."""
    weight = nn.Parameter(f32(1000))
    optimizer = torch.optim.AdamW([weight], fused=fused)
    weight.grad = f32(1000)
    optimizer.step()
    read, written = moved(optimizer.step)
    assert read >= 4 * 4000
    assert written >= 4 * 3000
    if fused:
        assert read <= 4 * 4000 + 100
        assert written <= 4 * 3000 + 100


@st.composite
def some_views(draw):
    """One to three views of one buffer of 256 floats, made as PyTorch code makes them."""
    base = torch.zeros(4, 8, 8)
    views = []
    for _ in range(draw(st.integers(1, 3))):
        view = base
        for _ in range(draw(st.integers(0, 3))):
            kind = draw(st.sampled_from(["slice", "transpose", "step", "select", "expand", "window"]))
            dim = draw(st.integers(0, view.ndim - 1)) if view.ndim else 0
            if view.ndim == 0 or 0 in view.shape:
                break
            if kind == "slice":
                start = draw(st.integers(0, view.shape[dim] - 1))
                view = view.narrow(dim, start, draw(st.integers(1, view.shape[dim] - start)))
            elif kind == "transpose":
                view = view.transpose(0, dim)
            elif kind == "step":
                view = view[(slice(None),) * dim + (slice(None, None, 2),)]
            elif kind == "select" and view.ndim > 1:
                view = view.select(dim, 0)
            elif kind == "expand":
                view = view.unsqueeze(0).expand(3, *view.shape)
            elif kind == "window" and view.shape[dim] >= 2:
                view = view.unfold(dim, 2, 1)
        views.append(view)
    return base, views


def true_bytes(base: torch.Tensor, views: list[torch.Tensor]) -> int:
    """Mark every element that any view reaches, and count the marks."""
    marks = np.zeros(base.numel(), dtype=bool)
    for view in views:
        offsets = np.full(view.shape, view.storage_offset())
        for dim, (n, stride) in enumerate(zip(view.shape, view.stride(), strict=True)):
            offsets = offsets + (np.arange(n) * stride).reshape([-1 if d == dim else 1 for d in range(view.ndim)])
        marks[offsets.reshape(-1)] = True
    return int(marks.sum()) * 4


@given(some_views())
def test_views_are_never_undercounted_and_never_exceed_the_buffer(drawn):
    base, views = drawn
    counted = sum(r.nbytes for r in touched([spec_of(v) for v in views]))
    assert true_bytes(base, views) <= counted <= 4 * base.numel()


@given(some_views())
def test_one_view_without_windows_is_exact(drawn):
    base, (view, *_) = drawn
    if len({(s, n) for n, s in zip(view.shape, view.stride(), strict=True) if s}) and not _overlaps(view):
        assert sum(r.nbytes for r in touched([spec_of(view)])) == true_bytes(base, [view])


def _overlaps(view: torch.Tensor) -> bool:
    """Whether two indices reach the same element along dimensions that are not expanded."""
    shape = [n for n, s in zip(view.shape, view.stride(), strict=True) if s]
    return true_bytes(view, []) != 0 or int(np.prod(shape)) * 4 != true_bytes(torch.zeros(256), [view])


def test_the_same_view_twice_and_its_transpose_count_once():
    x = f32(8, 6)[:, ::2]
    assert sum(r.nbytes for r in touched([spec_of(x), spec_of(x), spec_of(x.t())])) == 4 * 24


def test_interleaved_views_of_a_fused_projection_count_each_element():
    qkv = f32(5, 24)
    q, k, v = qkv.chunk(3, dim=-1)
    assert sum(r.nbytes for r in touched([spec_of(x) for x in (q, k, v)])) == 4 * 120
    assert sum(r.nbytes for r in touched([spec_of(x) for x in (q, k)])) == 4 * 80


def test_a_part_is_never_more_than_the_whole():
    spec = spec_of(f32(4, 4))
    assert touched([Part(spec, 10**6)])[0].nbytes == 64
