"""Every way of dispatching tokens to experts against the loop, forward and backward."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.kernels.expert_dispatch import (
    expert_dispatch,
    expert_dispatch_loop,
    expert_dispatch_single,
    swiglu_expert,
)
from labkit.kernels.expert_grouped import expert_dispatch_grouped, grouped_takes
from labkit.kernels.expert_padded import expert_dispatch_padded, kept

VARIANTS = [expert_dispatch, expert_dispatch_grouped, expert_dispatch_padded]
EXPERTS, HIDDEN, INNER = 6, 16, 8


def loop(x, indices, weights, gate_up, down):
    return expert_dispatch_loop(x, indices, weights, lambda e, rows: swiglu_expert(rows, gate_up[e], down[e]))


def operands(indices, hidden=HIDDEN, inner=INNER, dtype=torch.float32):
    torch.manual_seed(0)
    indices = torch.as_tensor(indices)
    x, weights = torch.randn(len(indices), hidden), torch.rand(indices.shape)
    gate_up, down = torch.randn(EXPERTS, 2 * inner, hidden) / 4, torch.randn(EXPERTS, hidden, inner) / 4
    leaves = [t.to(dtype).requires_grad_() for t in (x, weights, gate_up, down)]
    return leaves[0], indices, *leaves[1:]


def results(variant, args):
    """The output and the gradients of a loss in which every element has its own weight."""
    out = variant(*args)
    leaves = [t for t in args if t.requires_grad]
    slopes = torch.linspace(-1, 1, out.numel(), dtype=out.dtype).view_as(out)
    return [out, *torch.autograd.grad((out * slopes).sum(), leaves)]


CASES = {
    "several": [[0, 3], [3, 1], [5, 0], [1, 3], [0, 5]],
    "empty experts": [[2, 3], [3, 2], [2, 3]],
    "one token": [[4, 1]],
    "all to one": [[2]] * 7,
    "k is the number of experts": [[5, 4, 3, 2, 1, 0], [0, 1, 2, 3, 4, 5]],
    "one expert twice": [[1, 1], [0, 1]],
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_equals_the_loop_forward_and_backward(variant, case):
    args = operands(CASES[case])
    for got, expected in zip(results(variant, args), results(loop, args), strict=True):
        torch.testing.assert_close(got, expected, atol=1e-5, rtol=1e-5)


def test_the_variant_for_one_token_equals_the_loop():
    args = operands([[4, 1, 0]])
    for got, expected in zip(results(expert_dispatch_single, args), results(loop, args), strict=True):
        torch.testing.assert_close(got, expected, atol=1e-5, rtol=1e-5)


@given(tokens=st.integers(1, 40), chosen=st.integers(1, EXPERTS), seed=st.integers(0, 999))
@settings(deadline=None, max_examples=40)
def test_any_routing(tokens, chosen, seed):
    generator = torch.Generator().manual_seed(seed)
    args = operands(torch.rand(tokens, EXPERTS, generator=generator).topk(chosen).indices)
    expected = loop(*args)
    for variant in VARIANTS:
        torch.testing.assert_close(variant(*args), expected, atol=1e-5, rtol=1e-5)


def test_zero_tokens_are_zero_rows():
    args = operands(torch.zeros(0, 2, dtype=torch.long))
    assert expert_dispatch(*args).shape == expert_dispatch_padded(*args).shape == (0, HIDDEN)


@pytest.mark.parametrize(
    ("hidden", "inner", "dtype"), [(5, 8, torch.float32), (8, 3, torch.float32), (8, 8, torch.float64)]
)
def test_what_the_grouped_operator_refuses_goes_through_the_loop(hidden, inner, dtype):
    args = operands([[0, 3], [3, 1], [5, 0]], hidden, inner, dtype)
    assert not grouped_takes(args[0], *args[3:])
    for got, expected in zip(results(expert_dispatch, args), results(loop, args), strict=True):
        torch.testing.assert_close(got, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("tokens", [1, 3])
def test_autocast_multiplies_in_bf16_and_returns_the_dtype_of_the_stream(tokens):
    args = operands(CASES["several"][:tokens])
    expected = loop(*args)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        got = expert_dispatch(*args)
    assert got.dtype == torch.float32
    torch.testing.assert_close(got, expected, atol=0.05, rtol=0.05)
    assert not torch.allclose(got, expected, atol=1e-6), "computed in fp32: autocast was not heard"


@pytest.mark.parametrize("variant", [*VARIANTS, expert_dispatch_single])
def test_bf16_stays_bf16(variant):
    wide = operands([[4, 1]])
    got = variant(*(t.detach().bfloat16() if t.is_floating_point() else t for t in wide))
    assert got.dtype == torch.bfloat16
    torch.testing.assert_close(got.float(), loop(*wide).detach(), atol=0.05, rtol=0.05)


def queue_by_hand(indices, experts, capacity):
    """GShard's algorithm 1, one choice after another: first choices of all tokens, then second ones."""
    taken = [0] * experts
    fits = torch.zeros(len(indices), len(indices[0]), dtype=torch.bool)
    for slot in range(len(indices[0])):
        for token, row in enumerate(indices):
            fits[token, slot] = taken[row[slot]] < capacity
            taken[row[slot]] += 1
    return fits


@given(tokens=st.integers(1, 30), chosen=st.integers(1, 4), capacity=st.integers(1, 12), seed=st.integers(0, 999))
@settings(deadline=None, max_examples=40)
def test_a_full_expert_drops_the_choices_that_came_last(tokens, chosen, capacity, seed):
    generator = torch.Generator().manual_seed(seed)
    indices = torch.rand(tokens, EXPERTS, generator=generator).topk(chosen).indices
    fits = queue_by_hand(indices.tolist(), EXPERTS, capacity)
    assert torch.equal(kept(indices, EXPERTS, capacity), fits)
    x, _, weights, gate_up, down = operands(indices)
    expected = loop(x, indices, weights * fits, gate_up, down)
    got = expert_dispatch_padded(x, indices, weights, gate_up, down, capacity)
    torch.testing.assert_close(got, expected, atol=1e-5, rtol=1e-5)


def test_dropped_choices_have_no_gradient():
    args = operands([[2]] * 5)
    out, _, weights, *_ = results(lambda *a: expert_dispatch_padded(*a, capacity=math.ceil(5 / 2)), args)
    assert (out[3:] == 0).all()
    assert (weights[3:] == 0).all()
    assert (weights[:3] != 0).all()


def test_no_room_at_all_is_refused():
    with pytest.raises(ValueError, match="at least 1 row"):
        expert_dispatch_padded(*operands([[0, 1]]), capacity=0)
