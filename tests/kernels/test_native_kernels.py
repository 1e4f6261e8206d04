"""Each native kernel against its reference, compiled and not, and its cost against the reference traced."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.kernels.block_weights import BlockArena, BlockWeights, MatrixLayouts
from labkit.kernels.decode_blocks import decode_block_reference, decode_blocks
from labkit.kernels.packed_linear import pack, packed_linear, unpack
from labkit.kernels.packed_weight import pack as pack_quantized
from labkit.kernels.quantized_panels import PanelLayout, to_panels
from labkit.kernels.quantized_weight import QuantizedWeight
from labkit.kernels.rms_norm import rms_norm_reference
from labkit.kernels.weight_format import WeightFormat
from labkit.measure import trace

WIDTHS = (torch.float32, torch.bfloat16)


@settings(deadline=None, max_examples=60)
@given(rows=st.integers(1, 20), inner=st.integers(1, 70), out=st.integers(1, 70), seed=st.integers(0, 999))
def test_a_packed_weight_is_the_weight(rows, inner, out, seed):
    torch.manual_seed(seed)
    weight = torch.randn(out, inner)
    for dtype in WIDTHS:
        assert torch.equal(unpack(pack(weight, dtype), out), weight.to(dtype))
    x, bias = torch.randn(rows, inner), torch.randn(out)
    for dtype in WIDTHS:
        exact = x.double() @ weight.to(dtype).double().T + bias
        torch.testing.assert_close(
            packed_linear(x, pack(weight, dtype), out, bias).double(), exact, atol=1e-5 * inner, rtol=1e-5
        )


@pytest.mark.parametrize("dtype", WIDTHS)
@pytest.mark.parametrize("threads", [1, 2])
def test_linear_of_any_shape_stride_and_threads(way, dtype, threads):
    weight, bias = torch.randn(35, 24), torch.randn(35)
    torch.set_num_threads(threads)
    for x in (torch.randn(24), torch.randn(2, 3, 24), torch.randn(24, 5).T, torch.randn(0, 24)):
        expected = x @ weight.to(dtype).float().T
        torch.testing.assert_close(packed_linear(x, pack(weight, dtype), 35), expected, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(
            packed_linear(x, pack(weight, dtype), 35, bias), expected + bias, atol=1e-5, rtol=1e-5
        )


def test_nan_and_infinity_go_through(way):
    weight = torch.ones(16, 8)
    x = torch.tensor([[float("nan")] * 8, [float("inf")] * 8])
    out = packed_linear(x, pack(weight), 16)
    assert out[0].isnan().all()
    assert out[1].isinf().all()


def test_only_two_widths_can_be_packed():
    with pytest.raises(ValueError, match=r"not torch\.float16"):
        pack(torch.ones(2, 2), torch.float16)


FORMATS = {"4 bits": WeightFormat(4), "8 bits": WeightFormat(8), "affine": WeightFormat(4, None, False)}


def _quantized(out, inner, fmt):
    codes = torch.randint(0, 2**fmt.bits, (out, inner), dtype=torch.uint8)
    scales = (torch.randn(out, fmt.groups(inner)) / inner**0.5 / 2 ** (fmt.bits - 2)).half()
    return to_panels(pack_quantized(QuantizedWeight(codes, scales, None if fmt.symmetric else 0 * scales + 7, fmt)))


def _block(heads, kv_heads, head, hidden, inner, dtype, bias, norms):
    def matrix(out, inner):
        if isinstance(dtype, WeightFormat):
            return _quantized(out, inner, dtype).panels
        return pack(torch.randn(out, inner) / inner**0.5, dtype)

    def gain(size):
        return 1 + 0.3 * torch.randn(size)

    width = (heads + 2 * kv_heads) * head
    return BlockWeights(
        attention_norm=gain(hidden),
        qkv=matrix(width, hidden),
        qkv_bias=torch.randn(width) if bias else None,
        q_norm=gain(head) if norms else None,
        k_norm=gain(head) if norms else None,
        o=matrix(hidden, heads * head),
        o_bias=torch.randn(hidden) if bias else None,
        mlp_norm=gain(hidden),
        gate_up=matrix(2 * inner, hidden),
        down=matrix(hidden, inner),
    )


def _inputs(batch, seq, kv_heads, layers=2, capacity=20):
    """The stream, the angles, and caches that hold something already."""
    angles = torch.randn(batch, 1, seq, 8)
    keys, values = torch.randn(2, layers, batch, kv_heads, capacity, 16)
    return torch.randn(batch, seq, 48), angles.cos(), angles.sin(), keys, values


def _by_reference(x, weights, cos, sin, positions, keys, values, first, seen, eps):
    for n, w in enumerate(weights, first):
        x = decode_block_reference(x, w, cos, sin, positions, keys[n, :, :, :seen], values[n, :, :, :seen], eps)
    return x


SHAPES = [(1, 1, 4, 2), (1, 1, 2, 2), (3, 1, 4, 1), (2, 4, 6, 2), (1, 5, 4, 4)]


@pytest.mark.parametrize(("batch", "seq", "heads", "kv_heads"), SHAPES)
@pytest.mark.parametrize("dtype", WIDTHS)
@pytest.mark.parametrize("extras", [False, True])
@pytest.mark.parametrize("threads", [1, 2])
def test_blocks_equal_their_reference(way, batch, seq, heads, kv_heads, dtype, extras, threads):
    """Two blocks in the middle of a model of four, with a cache of which only the first slots are seen."""
    torch.set_num_threads(threads)
    weights = [_block(heads, kv_heads, 16, 48, 80, dtype, extras, extras) for _ in range(2)]
    positions = torch.stack([torch.arange(start, start + seq) for start in (3, 0, 7)][:batch])
    positions[-1, 0] = -1 if seq > 1 else positions[-1, 0]  # padding on the left
    x, cos, sin, keys, values = _inputs(batch, seq, kv_heads, layers=4)
    wanted_keys, wanted_values, before = keys.clone(), values.clone(), x.clone()
    expected = _by_reference(x, weights, cos, sin, positions, wanted_keys, wanted_values, 1, 12, 1e-6)
    found = decode_blocks(x, BlockArena.of(weights), cos, sin, positions, keys, values, 1, 12, 1e-6)
    real = positions >= 0
    torch.testing.assert_close(found[real], expected[real], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(keys, wanted_keys, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(values, wanted_values, atol=1e-4, rtol=1e-4)
    assert torch.equal(x, before)
    assert found.isfinite().all()


@pytest.mark.parametrize(("batch", "seq", "heads", "kv_heads"), SHAPES)
@pytest.mark.parametrize("fmt", FORMATS)
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("threads", [1, 2])
def test_quantized_blocks_equal_their_reference(way, batch, seq, heads, kv_heads, fmt, bits, threads):
    """Two blocks, the second with matrices of 8 bits, so that formats may differ from block to block."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    formats = (FORMATS[fmt], WeightFormat(8))
    sizes = (heads, kv_heads, 16, 48, 80)
    weights = [_block(*sizes, f, batch > 1, batch > 1) for f in formats]
    shapes = ((16 * (heads + 2 * kv_heads), 48), (48, 16 * heads), (160, 48), (48, 80))
    quantized = MatrixLayouts.of([[PanelLayout.of(f, *shape) for shape in shapes] for f in formats], bits, seq == 5)
    positions = torch.arange(5, 5 + seq).expand(batch, seq)
    x, cos, sin, keys, values = _inputs(batch, seq, kv_heads)
    wanted_keys, wanted_values, expected = keys.clone(), values.clone(), x
    for n, w in enumerate(weights):
        one = quantized._replace(layouts=quantized.layouts[n : n + 1])
        caches = (wanted_keys[n, :, :, :12], wanted_values[n, :, :, :12])
        expected = decode_block_reference(expected, w, cos, sin, positions, *caches, 1e-6, one)
    found = decode_blocks(x, BlockArena.of(weights), cos, sin, positions, keys, values, 0, 12, 1e-6, quantized)
    # A sum that differs in its last bit may tip an activation to the next step: 1/127 of the largest of its block.
    for ours, theirs in ((found, expected), (keys, wanted_keys), (values, wanted_values)):
        step = (0.03 if bits == 8 else 1e-3) * theirs.abs().max().item()
        torch.testing.assert_close(ours, theirs, atol=step, rtol=0)


@pytest.mark.parametrize("dtype", WIDTHS)
@pytest.mark.parametrize("cache_dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("threads", [1, 2])
def test_blocks_over_a_paged_cache_equal_their_reference(way, dtype, cache_dtype, threads):
    """Rows of other lengths whose tokens lie in blocks in any order; what nobody holds is NaN and stays it."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    weights, size = [_block(4, 2, 16, 48, 80, dtype, True, True) for _ in range(2)], 3
    tables, lengths = torch.tensor([[4, 7, 1, 0], [2, 0, 0, 0], [6, 5, 0, 0]]), [10, 1, 6]
    x, cos, sin, keys, values = _inputs(3, 1, 2, layers=4, capacity=12)
    rows = [cache.to(cache_dtype) for cache in (keys, values)]
    paged = [torch.full((4, 9, 2, size, 16), float("nan"), dtype=cache_dtype) for _ in rows]
    for row, (table, length) in enumerate(zip(tables.tolist(), lengths, strict=True)):
        for place in range(length - 1):
            for cache, kept in zip(rows, paged, strict=True):
                kept[:, table[place // size], :, place % size] = cache[:, row, :, place]
    positions = torch.tensor(lengths)[:, None] - 1
    arena, rest = BlockArena.of(weights), (1, max(lengths), 1e-6)
    expected = _by_reference(x, weights, cos, sin, positions, *rows, *rest)
    empty = [kept.isnan() for kept in paged]
    found = decode_blocks(x, arena, cos, sin, positions, *paged, *rest, block_tables=tables)
    tolerance = 1e-4 if cache_dtype == torch.float32 else 2e-2  # the last bit of a new key may fall either way
    torch.testing.assert_close(found, expected, atol=tolerance, rtol=tolerance)
    for cache, kept, before in zip(rows, paged, empty, strict=True):
        new = before & ~kept.isnan()
        assert new[1:3].sum() == new.sum() == 2 * len(lengths) * 2 * 16, "a slot a row, in the layers of these blocks"
        for row, (table, length) in enumerate(zip(tables.tolist(), lengths, strict=True)):
            written = kept[1:3, table[(length - 1) // size], :, (length - 1) % size]
            torch.testing.assert_close(written, cache[1:3, row, :, length - 1], atol=tolerance, rtol=tolerance)


def test_a_table_that_names_no_block_is_refused(way):
    _, cos, sin, keys, values = _inputs(2, 1, 2)
    arena, positions = BlockArena.of([_block(4, 2, 16, 48, 80, torch.float32, False, False)]), torch.tensor([[3], [25]])
    for wrong in ([[0, 0], [1, 2]], [[0, 0], [-3, 1]], [[0], [1]]):
        with pytest.raises(IndexError):
            decode_blocks(
                *(torch.randn(2, 1, 48), arena, cos, sin, positions, keys, values, 0, 26, 1e-6),
                block_tables=torch.tensor(wrong),
            )


@pytest.mark.parametrize("kind", [*WIDTHS, *FORMATS])
def test_an_arena_gives_its_tensors_back_and_a_norm_at_the_end_is_one(way, kind):
    weights = [_block(4, 2, 16, 48, 80, FORMATS.get(kind, kind), extras, extras) for extras in (False, True)]
    arena = BlockArena.of(weights)
    for ours, theirs in zip(arena.blocks(), weights, strict=True):
        for a, b in zip(ours, theirs, strict=True):
            assert (a is None and b is None) or (a.dtype == b.dtype and torch.equal(a, b))
            assert a is None or a.data_ptr() % 64 == arena.memory.data_ptr() % 64
    quantized = None
    if kind in FORMATS:
        shapes = ((128, 48), (48, 64), (160, 48), (48, 80))
        quantized = MatrixLayouts.of([[PanelLayout.of(FORMATS[kind], *shape) for shape in shapes]] * 2)
    x, cos, sin, keys, values = _inputs(2, 3, 2)
    rest = (cos, sin, torch.tensor([[4, 5, 6]] * 2), keys, values, 0, 12, 1e-6, quantized)
    gain = torch.randn(48)
    normed, plain = decode_blocks(x, arena, *rest, gain), decode_blocks(x, arena, *rest)
    torch.testing.assert_close(normed, rms_norm_reference(plain, gain, 1e-6), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("fmt", FORMATS)
def test_quantized_blocks_cost_what_their_reference_does(fmt):
    w, shapes = _block(4, 2, 16, 64, 96, FORMATS[fmt], True, True), ((128, 64), (64, 64), (192, 64), (64, 96))
    quantized = MatrixLayouts.of([[PanelLayout.of(FORMATS[fmt], *shape) for shape in shapes]])
    _, cos, sin, keys, values = _inputs(2, 1, 2)
    rest = (cos, sin, torch.tensor([[11], [11]]))
    arena = BlockArena.of([w])
    with trace() as fused:
        decode_blocks(torch.randn(2, 1, 64), arena, *rest, keys, values, 0, 12, 1e-6, quantized)
    with trace() as plain:
        decode_block_reference(
            torch.randn(2, 1, 64), w, *rest, keys[0, :, :, :12], values[0, :, :, :12], 1e-6, quantized
        )
    assert fused.flops == plain.flops > 0
    matrices, cache = sum(m.nbytes for m in w), (keys[0].nbytes + values[0].nbytes) * 12 // 20
    assert matrices + cache <= _moved(fused) < matrices + cache + 5000 < _moved(plain)


@pytest.mark.parametrize("dtype", WIDTHS)
def test_blocks_cost_what_their_reference_does_without_the_trips_between(dtype):
    weights = [_block(4, 2, 16, 48, 80, dtype, True, True) for _ in range(2)]
    x, cos, sin, keys, values = _inputs(2, 1, 2)
    rest = (cos, sin, torch.tensor([[11], [11]]), keys, values, 0, 12, 1e-6)
    arena = BlockArena.of(weights)
    with trace() as fused:
        decode_blocks(x, arena, *rest)
    with trace() as plain:
        _by_reference(x, weights, *rest)
    assert fused.flops == plain.flops > 0
    matrices = sum(m.nbytes for w in weights for m in w)
    cache = (keys.nbytes + values.nbytes) * 12 // 20
    assert matrices + cache <= _moved(fused) < matrices + cache + 4000 < _moved(plain)


@pytest.mark.parametrize("dtype", WIDTHS)
def test_what_a_linear_costs(dtype):
    weight, x = pack(torch.randn(64, 32), dtype), torch.randn(3, 32)
    with trace() as t:
        packed_linear(x, weight, 64)
    assert t.flops == 2 * 3 * 32 * 64
    assert _moved(t) == weight.nbytes + 4 * 3 * (32 + 64)


@pytest.fixture(autouse=True)
def threads_as_before():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def _moved(found):
    assert not [op for op in found.ops if op.unknown]
    return found.bytes_read + found.bytes_written
