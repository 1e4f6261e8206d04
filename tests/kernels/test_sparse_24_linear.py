"""The packed 2:4 product against float64, compiled and not, and what it costs."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.kernels.sparse_24 import Packed24, pack_24
from labkit.kernels.sparse_24_linear import Panels24, from_panels, in_panels, sparse_24_linear
from labkit.measure import trace

WIDTHS = (torch.float32, torch.bfloat16)


def two_of_four(out, inner, seed=0):
    generator = torch.Generator().manual_seed(seed)
    kept = torch.rand(out, inner // 4, 4, generator=generator).topk(2).indices
    mask = torch.zeros(out, inner // 4, 4).scatter_(-1, kept, 1).flatten(1)
    return torch.randn(out, inner, generator=generator) * mask


@settings(deadline=None, max_examples=60)
@given(
    rows=st.integers(1, 9),
    groups=st.integers(1, 40),
    out=st.integers(1, 70),
    dtype=st.sampled_from(WIDTHS),
    seed=st.integers(0, 999),
)
def test_any_shape(rows, groups, out, dtype, seed):
    weight = two_of_four(out, 4 * groups, seed).to(dtype)
    packed = pack_24(weight)
    panels = in_panels(packed, dtype)
    for there, back in zip(packed, from_panels(panels, out, 4 * groups), strict=True):
        assert torch.equal(there, back)
    x, bias = torch.randn(rows, 4 * groups), torch.randn(out)
    exact = x.double() @ weight.double().T + bias
    torch.testing.assert_close(sparse_24_linear(x, panels, out, bias).double(), exact, atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize("dtype", WIDTHS)
@pytest.mark.parametrize("threads", [1, 2])
def test_any_stride_and_threads(way, dtype, threads):
    weight = two_of_four(35, 24).to(dtype)
    panels = in_panels(pack_24(weight), dtype)
    torch.set_num_threads(threads)
    for x in (torch.randn(24), torch.randn(2, 3, 24), torch.randn(24, 5).T, torch.randn(0, 24)):
        expected = x @ weight.float().T
        torch.testing.assert_close(sparse_24_linear(x, panels, 35), expected, atol=1e-5, rtol=1e-5)


def test_nan_goes_through(way):
    panels = in_panels(pack_24(two_of_four(16, 8)))
    assert sparse_24_linear(torch.full((1, 8), float("nan")), panels, 16).isnan().all()


@pytest.mark.parametrize("dtype", WIDTHS)
def test_reads_packed_bytes_and_multiplies_what_is_kept(way, dtype):
    panels, x = in_panels(pack_24(two_of_four(64, 128)), dtype), torch.randn(3, 128)
    with trace() as t:
        sparse_24_linear(x, panels, 64)
    assert not [op for op in t.ops if op.unknown]
    assert t.flops == 2 * 3 * 64 * 64
    assert t.bytes_read + t.bytes_written == panels.nbytes + 4 * 3 * (128 + 64)


def test_nine_sixteenths_in_memory_too():
    panels = in_panels(pack_24(two_of_four(64, 128)), torch.bfloat16)
    assert panels.nbytes * 16 == 9 * 2 * 64 * 128
    assert sum(t.untyped_storage().nbytes() for t in panels) == panels.nbytes


@pytest.mark.parametrize("inner", [33, 64])
def test_a_weight_of_other_inputs_is_refused(inner):
    panels = in_panels(pack_24(two_of_four(16, 32)))
    with pytest.raises(ValueError, match=f"x has {inner} inputs, the packed weight 32"):
        sparse_24_linear(torch.ones(1, inner), panels, 16)


def test_values_and_places_that_do_not_belong_together_are_refused():
    packed = pack_24(two_of_four(16, 32))
    with pytest.raises(ValueError, match="do not go with"):
        in_panels(Packed24(packed.values[:3], packed.places))


def test_only_two_widths_multiply():
    with pytest.raises(ValueError, match=r"not torch\.float16"):
        in_panels(pack_24(two_of_four(16, 8)), torch.float16)


def test_the_meta_device_knows_the_shape():
    panels = Panels24(*(t.to("meta") for t in in_panels(pack_24(two_of_four(35, 24)))))
    assert sparse_24_linear(torch.empty(2, 24, device="meta"), panels, 35).shape == (2, 35)
