"""Attention over blocks against float64 attention, row by row, on keys and values that were never in blocks."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.kernels.paged_attention import paged_attention, paged_attention_reference
from labkit.measure import trace

WAYS = (paged_attention_reference, paged_attention)


def paged(lengths, block_size, kv_heads=2, head=8, dtype=torch.float32, seed=0, spare=3):
    """Rows of random keys and values, and the same scattered over blocks in random order, the rest NaN."""
    generator = torch.Generator().manual_seed(seed)
    needed = [-(-n // block_size) for n in lengths]
    shuffled = torch.randperm(sum(needed) + spare, generator=generator).split([*needed, spare])[:-1]
    tables = torch.nn.utils.rnn.pad_sequence(shuffled, batch_first=True, padding_value=0)
    blocks = torch.full((2, sum(needed) + spare, block_size, kv_heads, head), float("nan"), dtype=dtype)
    rows = []
    for n, table in zip(lengths, shuffled, strict=True):
        kv = torch.randn(2, n, kv_heads, head, generator=generator).to(dtype)
        rows.append(kv)
        for place in range(n):
            blocks[:, table[place // block_size], place % block_size] = kv[:, place]
    return rows, blocks, tables


def expected(q, kv, groups):
    """softmax(q k^T / sqrt(head)) v of the last tokens of a row, in float64."""
    k, v = (x.double().repeat_interleave(groups, dim=1).transpose(0, 1) for x in kv)
    scores = q.double().transpose(0, 1) @ k.mT / q.shape[-1] ** 0.5
    late = torch.arange(k.shape[1])[None] > torch.arange(k.shape[1] - len(q), k.shape[1])[:, None]
    return (scores.masked_fill(late, -torch.inf).softmax(dim=-1) @ v).transpose(0, 1)


@settings(deadline=None, max_examples=60)
@given(
    rows=st.lists(st.tuples(st.just(1) | st.integers(1, 6), st.integers(0, 20)), min_size=1, max_size=6),
    block_size=st.integers(1, 7),
    heads=st.sampled_from([(2, 2), (4, 2), (6, 1)]),
    head=st.sampled_from([8, 16, 80, 144]),
    dtype=st.sampled_from([torch.float32, torch.bfloat16]),
    seed=st.integers(0, 999),
)
def test_any_rows_and_blocks(rows, block_size, heads, head, dtype, seed):
    news, lengths = [new for new, _ in rows], [new + before for new, before in rows]
    held, (keys, values), tables = paged(lengths, block_size, heads[1], head, dtype, seed)
    q = torch.randn(sum(news), heads[0], head, generator=torch.Generator().manual_seed(seed))
    wanted = [expected(part, kv, heads[0] // heads[1]) for part, kv in zip(q.split(news), held, strict=True)]
    for way in WAYS:
        found = way(q, keys, values, tables, news, lengths)
        torch.testing.assert_close(found.double(), torch.cat(wanted), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("threads", [1, 2])
def test_every_way_with_any_threads(way, dtype, threads):
    torch.set_num_threads(threads)
    for news in ([1, 1, 1], [1, 3, 1], [2, 4, 3]):
        lengths = [9, 30, 4]
        held, (keys, values), tables = paged(lengths, 4, 2, 32, dtype)
        q = torch.randn(4, sum(news), 32).transpose(0, 1)  # as the decoder gives it: not contiguous
        wanted = [expected(part, kv, 2) for part, kv in zip(q.split(news), held, strict=True)]
        found = paged_attention(q, keys, values, tables, news, lengths)
        torch.testing.assert_close(found.double(), torch.cat(wanted), atol=1e-5, rtol=1e-4)


def test_queries_in_bf16():
    held, (keys, values), tables = paged([9, 4], 4, dtype=torch.bfloat16)
    q = torch.randn(3, 4, 8).bfloat16()
    wanted = [expected(part, kv, 2) for part, kv in zip(q.split([2, 1]), held, strict=True)]
    for way in WAYS:
        found = way(q, keys, values, tables, [2, 1], [9, 4])
        assert found.dtype == torch.bfloat16
        torch.testing.assert_close(found.double(), torch.cat(wanted), atol=0.03, rtol=0.03)


def test_a_block_that_is_not_there_is_refused(way):
    for head in (8, 16):
        _, (keys, values), tables = paged([5, 5], 2, head=head)
        tables[1, 2] = 99
        with pytest.raises(IndexError):
            paged_attention(torch.randn(2, 4, head), keys, values, tables, [1, 1], [5, 5])


def test_cost_is_that_of_the_reference_without_the_copies():
    news, lengths = [1, 5, 1], [17, 40, 3]
    _, (keys, values), tables = paged(lengths, 16, spare=40)
    q = torch.randn(7, 4, 8)
    with trace() as fused:
        paged_attention(q, keys, values, tables, news, lengths)
    with trace() as plain:
        paged_attention_reference(q, keys, values, tables, news, lengths)
    (call,) = [op for op in fused.ops if "paged_attention" in op.name]
    assert not call.unknown
    assert call.flops == plain.flops == 4 * 4 * 8 * (17 + 5 * 40 + 3)
    blocks_named = 2 + 3 + 1
    assert call.bytes_read == q.nbytes + 2 * sum(lengths) * 2 * 8 * 4 + 8 * blocks_named
    assert call.bytes_written == q.nbytes
    assert call.bytes_read + call.bytes_written < plain.bytes_read + plain.bytes_written


@pytest.mark.parametrize(
    ("news", "lengths"), [([1], [3, 3]), ([1, 1], [3, 3]), ([2, 1], [1, 3]), ([3, 0], [3, 3]), ([2, 1], [3, 99])]
)
def test_lengths_that_do_not_fit_are_refused(news, lengths):
    _, (keys, values), tables = paged([3, 3], 2)
    with pytest.raises(ValueError, match=r"do not fit|at least one new token"):
        paged_attention(torch.randn(3, 4, 8), keys, values, tables, news, lengths)


def test_the_meta_device_knows_the_shape():
    _, (keys, values), tables = paged([3, 3], 2)
    q = torch.empty(3, 4, 8, device="meta")
    assert paged_attention(q, keys.to("meta"), values.to("meta"), tables.to("meta"), [2, 1], [3, 3]).shape == q.shape
