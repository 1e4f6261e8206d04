"""The 2:4 format: an exact inverse, byte for byte torch's own packer, and clear words where a weight does not fit."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.sparse._semi_structured_conversions import (
    _calculate_meta_reordering_scatter_offsets,
    sparse_semi_structured_from_dense_cutlass,
    sparse_semi_structured_to_dense_cutlass,
)

from labkit.kernels.sparse_24 import Packed24, pack_24, semi_structured, unpack_24


def two_of_four(out, inner, seed=0, missing=0.0, dtype=torch.float32):
    """A random 2:4 weight; `missing` is the share of its kept weights that are zero all the same."""
    generator = torch.Generator().manual_seed(seed)
    kept = torch.rand(out, inner // 4, 4, generator=generator).topk(2).indices
    mask = torch.zeros(out, inner // 4, 4).scatter_(-1, kept, 1).flatten(1)
    there = torch.rand(out, inner, generator=generator) >= missing
    return (torch.randn(out, inner, generator=generator) * mask * there).to(dtype)


@settings(deadline=None)
@given(
    out=st.integers(1, 20),
    groups=st.integers(1, 20),
    missing=st.sampled_from([0.0, 0.3, 1.0]),
    dtype=st.sampled_from([torch.float16, torch.bfloat16, torch.float32, torch.float64]),
    seed=st.integers(0, 999),
)
def test_packing_loses_nothing(out, groups, missing, dtype, seed):
    weight = two_of_four(out, 4 * groups, seed, missing, dtype)
    packed = pack_24(weight)
    assert torch.equal(unpack_24(packed), weight)
    assert packed.values.shape == (out, 2 * groups)
    assert packed.values.dtype == dtype
    assert packed.places.shape == (out, (groups + 1) // 2)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("missing", [0.0, 0.4, 1.0])
def test_values_and_places_are_those_of_torch(dtype, missing):
    weight = two_of_four(64, 192, missing=missing, dtype=dtype)
    packed = pack_24(weight)
    values, reordered = sparse_semi_structured_from_dense_cutlass(weight)
    assert torch.equal(packed.values, values)
    order = _calculate_meta_reordering_scatter_offsets(64, 12, torch.int16, "cpu")
    assert torch.equal(packed.places.view(torch.int16).flatten(), reordered.flatten()[order])
    assert torch.equal(unpack_24(packed), sparse_semi_structured_to_dense_cutlass(values, reordered))


def test_every_pattern_of_one_group():
    """All eleven ways to fill at most two of four places."""
    patterns = [p for p in torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * 4) if p.sum() <= 2]
    assert len(patterns) == 11
    weight = torch.stack(patterns) * torch.tensor([2.0, 3.0, 5.0, 7.0])
    packed = pack_24(weight)
    assert torch.equal(unpack_24(packed), weight)
    first, second = packed.places & 3, packed.places >> 2
    assert (first < second).all()


def test_nine_sixteenths_of_the_bytes_in_16_bits():
    weight = two_of_four(48, 160, dtype=torch.float16)
    packed = pack_24(weight)
    assert packed.nbytes * 16 == weight.nbytes * 9
    stored = sum(t.untyped_storage().nbytes() for t in packed)
    assert stored == packed.nbytes, "a view into something larger would save nothing"


@pytest.mark.parametrize("inner", [1, 6, 31])
def test_inputs_that_4_does_not_divide_are_refused(inner):
    with pytest.raises(ValueError, match=f"4 divides; got {inner}"):
        pack_24(torch.zeros(2, inner))


def test_a_group_that_is_too_full_is_named():
    weight = torch.zeros(5, 16)
    weight[3, 8:11] = 1
    with pytest.raises(ValueError, match="Row 3 has 3 weights in inputs 8 to 11; 2:4 has room for 2"):
        pack_24(weight)


def test_rows_of_zeros_and_no_rows_at_all():
    assert torch.equal(unpack_24(pack_24(torch.zeros(3, 8))), torch.zeros(3, 8))
    assert unpack_24(pack_24(torch.zeros(0, 8))).shape == (0, 8)


def test_a_weight_that_is_not_contiguous():
    weight = two_of_four(16, 32)
    assert torch.equal(unpack_24(pack_24(weight.T.contiguous().T)), weight)


def test_torch_multiplies_it_on_a_gpu_alone():
    packed = pack_24(two_of_four(64, 128, dtype=torch.float16))
    with pytest.raises(ValueError, match="CUDA GPUs alone"):
        semi_structured(packed)
    if not torch.cuda.is_available():
        pytest.skip("blocked: no CUDA GPU, so the product in tensor cores is not tried")
    theirs = semi_structured(Packed24(*(t.cuda() for t in packed)))
    x = torch.randn(64, 128, dtype=torch.float16, device="cuda")
    expected = x.float() @ unpack_24(packed).cuda().float().T
    torch.testing.assert_close(torch.nn.functional.linear(x, theirs).float(), expected, atol=0.05, rtol=0.01)
