"""Skipping inactive inputs against the dense product in float64, compiled and not, and what it reads."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.kernels.row_skipping import active_inputs, pack_inputs, row_skipping_linear, unpack_inputs
from labkit.measure import trace

WIDTHS = (torch.float32, torch.bfloat16)


def activations(*shape, density, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator) * (torch.rand(*shape, generator=generator) < density)


@settings(deadline=None, max_examples=60)
@given(
    rows=st.integers(1, 7),
    inner=st.integers(1, 60),
    out=st.integers(1, 70),
    density=st.sampled_from([0.0, 0.1, 0.5, 1.0]),
    dtype=st.sampled_from(WIDTHS),
    seed=st.integers(0, 999),
)
def test_any_shape_and_density(rows, inner, out, density, dtype, seed):
    weight = torch.randn(out, inner, generator=torch.Generator().manual_seed(seed)).to(dtype)
    packed = pack_inputs(weight, dtype)
    assert torch.equal(unpack_inputs(packed, out), weight)
    x, bias = activations(rows, inner, density=density, seed=seed), torch.randn(out)
    active = active_inputs(x)
    assert active.tolist() == [k for k in range(inner) if any(float(v) != 0 for v in x[:, k])]
    exact = x.double() @ weight.double().T + bias
    found = row_skipping_linear(x, active, packed, out, bias)
    torch.testing.assert_close(found.double(), exact, atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize("dtype", WIDTHS)
@pytest.mark.parametrize("threads", [1, 2])
def test_any_stride_and_threads(way, dtype, threads):
    weight = torch.randn(35, 24).to(dtype)
    packed = pack_inputs(weight, dtype)
    torch.set_num_threads(threads)
    wide = activations(24, 5, density=0.4)
    for x in (activations(24, density=0.4), activations(2, 3, 24, density=0.4), wide.T, torch.zeros(0, 24)):
        found = row_skipping_linear(x, active_inputs(x), packed, 35)
        torch.testing.assert_close(found, x @ weight.float().T, atol=1e-5, rtol=1e-5)
        assert found.is_contiguous()


def test_no_active_input_gives_the_bias(way):
    packed, x = pack_inputs(torch.randn(20, 8)), torch.zeros(1, 8)
    bias = torch.randn(20)
    assert torch.equal(row_skipping_linear(x, active_inputs(x), packed, 20, bias), bias[None])


def test_inactive_weights_are_not_read(way):
    """What is skipped may hold anything: a weight that is not a number does no harm there."""
    weight = torch.randn(20, 8)
    weight[:, 3] = float("nan")
    x = torch.tensor([[1.0, 0, 2, 0, 3, 0, 0, 4]])
    found = row_skipping_linear(x, active_inputs(x), pack_inputs(weight, torch.float32), 20)
    torch.testing.assert_close(found, x[:, [0, 2, 4, 7]] @ weight[:, [0, 2, 4, 7]].T, atol=1e-5, rtol=1e-5)


def test_nan_and_infinity_in_the_input_are_active():
    x = torch.tensor([[0.0, float("nan"), float("inf"), 0.0]])
    assert active_inputs(x).tolist() == [1, 2]


@pytest.mark.parametrize("dtype", WIDTHS)
@pytest.mark.parametrize("rows", [1, 3])
def test_reads_the_rows_of_active_inputs_alone(way, dtype, rows):
    packed, x = pack_inputs(torch.randn(64, 40), dtype), torch.randn(rows, 40)
    active = torch.arange(0, 40, 4)
    with trace() as t:
        row_skipping_linear(x, active, packed, 64)
    (call,) = [op for op in t.ops if "row_skipping" in op.name]
    assert not call.unknown
    assert call.flops == 2 * rows * 10 * 64
    assert call.bytes_read == 10 * 64 * dtype.itemsize + 4 * rows * 10 + 8 * 10
    assert call.bytes_written == 4 * rows * 64


@pytest.mark.parametrize("active", [[8], [-1], [0, 3, 99]])
def test_an_active_input_that_is_not_there_is_refused(way, active):
    with pytest.raises(IndexError, match="go from 0 to 7; got"):
        row_skipping_linear(torch.ones(1, 8), torch.tensor(active), pack_inputs(torch.randn(20, 8)), 20)


def test_a_weight_of_other_inputs_is_refused():
    with pytest.raises(ValueError, match="x has 9 inputs, the packed weight 8"):
        row_skipping_linear(torch.ones(1, 9), torch.tensor([0]), pack_inputs(torch.randn(20, 8)), 20)


def test_only_two_widths_can_be_packed():
    with pytest.raises(ValueError, match=r"not torch\.float16"):
        pack_inputs(torch.ones(2, 2), torch.float16)


def test_the_meta_device_knows_the_shape():
    x, packed = torch.empty(2, 24, device="meta"), pack_inputs(torch.randn(35, 24)).to("meta")
    assert row_skipping_linear(x, torch.empty(3, device="meta").long(), packed, 35).shape == (2, 35)
