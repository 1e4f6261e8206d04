"""CSR against scipy's own rows, its product against the dense one, and its bytes against a count by hand."""

import pytest
import scipy.sparse
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.kernels.csr_linear import Csr, csr_linear, csr_linear_reference, pack_csr, unpack_csr
from labkit.measure import trace


def sparse(out, inner, density, seed=0, dtype=torch.float32):
    generator = torch.Generator().manual_seed(seed)
    there = torch.rand(out, inner, generator=generator) < density
    return (torch.randn(out, inner, generator=generator) * there).to(dtype)


@settings(deadline=None)
@given(
    rows=st.integers(1, 6),
    out=st.integers(1, 30),
    inner=st.integers(1, 30),
    density=st.sampled_from([0.0, 0.1, 0.5, 1.0]),
    seed=st.integers(0, 999),
)
def test_the_format_is_that_of_scipy_and_the_product_the_dense_one(rows, out, inner, density, seed):
    weight = sparse(out, inner, density, seed)
    packed, theirs = pack_csr(weight), scipy.sparse.csr_array(weight.numpy())
    assert packed.starts.tolist() == theirs.indptr.tolist()
    assert packed.columns.tolist() == theirs.indices.tolist()
    assert packed.values.tolist() == theirs.data.tolist()
    assert torch.equal(unpack_csr(packed, inner), weight)
    x, bias = torch.randn(rows, inner), torch.randn(out)
    exact = (x.double() @ weight.double().T + bias).float()
    torch.testing.assert_close(csr_linear(x, packed, bias), exact, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(csr_linear_reference(x, *packed, bias), exact, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_other_dtypes(dtype):
    weight = sparse(20, 12, 0.3, dtype=dtype)
    x = torch.randn(3, 12).to(dtype)
    tolerance = 1e-12 if dtype == torch.float64 else 0.05
    expected = x.double() @ weight.double().T
    torch.testing.assert_close(csr_linear(x, pack_csr(weight)).double(), expected, atol=tolerance, rtol=tolerance)


def test_any_leading_shape_and_stride():
    weight = sparse(7, 24, 0.2)
    for x in (torch.randn(24), torch.randn(2, 3, 24), torch.randn(24, 5).T, torch.randn(0, 24)):
        found = csr_linear(x, pack_csr(weight))
        torch.testing.assert_close(found, x @ weight.T, atol=1e-5, rtol=1e-5)
        assert found.is_contiguous()


@pytest.mark.parametrize("rows", [1, 5])
def test_reads_the_format_and_no_dense_weight(rows):
    weight = sparse(64, 48, 0.1)
    packed, x = pack_csr(weight), torch.randn(rows, 48)
    nonzero = int((weight != 0).sum())
    assert packed.nbytes == 8 * nonzero + 4 * 65
    with trace() as t:
        csr_linear(x, packed)
    assert not [op for op in t.ops if op.unknown]
    assert t.flops == 2 * rows * nonzero
    assert t.bytes_read + t.bytes_written == packed.nbytes + 4 * rows * (48 + 64)


def test_the_meta_device_knows_the_shape():
    packed = Csr(*(t.to("meta") for t in pack_csr(sparse(7, 24, 0.2))))
    assert csr_linear(torch.empty(2, 24, device="meta"), packed).shape == (2, 7)
