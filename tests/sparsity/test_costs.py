"""The formulas against counts of real formats, simulated activations, and the crossing they promise."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from labkit.kernels.csr_linear import pack_csr
from labkit.kernels.sparse_24 import pack_24
from labkit.sparsity.costs import (
    active_share,
    csr_break_even_density,
    csr_bytes,
    dense_bytes,
    most_rows,
    row_skipping_speedup,
    sparse_24_bytes,
)
from labkit.sparsity.masks import keep_in_layer, keep_n_of_m


def test_bytes_are_those_of_the_formats():
    weight = torch.randn(48, 64)
    sparse = weight * keep_in_layer(weight.abs(), 0.25)
    assert csr_bytes(64, 48, 0.25) == pack_csr(sparse).nbytes
    halved = (weight * keep_n_of_m(weight.abs(), 2, 4)).half()
    assert sparse_24_bytes(64, 48) == pack_24(halved).nbytes
    assert dense_bytes(64, 48) == halved.nbytes


def test_the_break_even_of_csr_is_where_bytes_are_equal():
    density = csr_break_even_density(1024)
    assert csr_bytes(1024, 512, density) == pytest.approx(dense_bytes(1024, 512, 4), rel=1e-4)


def test_the_share_of_needed_inputs_is_what_random_rows_need():
    generator = torch.Generator().manual_seed(0)
    for density, rows in ((0.1, 4), (0.3, 2), (0.5, 8)):
        active = torch.rand(400, rows, 200, generator=generator) < density
        assert float(active.any(dim=1).float().mean()) == pytest.approx(active_share(density, rows), abs=0.01)


@given(
    inner=st.integers(16, 8192),
    out=st.integers(16, 8192),
    density=st.floats(0.01, 0.99),
    bandwidth=st.floats(1e9, 1e11),
    call=st.floats(1e-6, 1e-3),
)
def test_it_wins_up_to_the_rows_that_are_promised_and_no_further(inner, out, density, bandwidth, call):
    rows = most_rows(inner, out, density, bandwidth, call)
    if rows:
        assert row_skipping_speedup(inner, out, density, rows, bandwidth, call) > 1 - 1e-9
    assert row_skipping_speedup(inner, out, density, rows + 1, bandwidth, call) <= 1 + 1e-9


def test_the_ends():
    assert most_rows(1024, 1024, 1.0, 1e10, 1e-5) == 0
    with pytest.raises(ValueError, match="any number of rows at density 0"):
        most_rows(1024, 1024, 0, 1e10, 1e-5)
    with pytest.raises(ValueError, match="0 s a call"):
        most_rows(1024, 1024, 0.5, 1e10, 0)
