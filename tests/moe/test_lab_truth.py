"""What lab 04 calls right is what the decoder, its kernels and transformers compute."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers.models.mixtral.modeling_mixtral import MixtralConfig, MixtralTopKRouter, load_balancing_loss_func

from labkit.course.labs.lab04.balancing import BALANCE_LOSS, MAX_VIOLATION, MOVED_BIAS
from labkit.course.labs.lab04.fetching import EXPERTS_HIT
from labkit.course.labs.lab04.routing import DROPPED, ROUTE
from labkit.moe.bias import moved_bias
from labkit.moe.costs import experts_hit
from labkit.moe.load import dropped, max_violation

EXPERTS = 6
CHOICES = st.lists(st.integers(0, EXPERTS - 1), min_size=1, max_size=50)


def test_the_router_is_mixtrals():
    router = MixtralTopKRouter(MixtralConfig(hidden_size=8, num_local_experts=EXPERTS, num_experts_per_tok=2))
    torch.manual_seed(0)
    torch.nn.init.normal_(router.weight)
    logits, weights, indices = router(torch.randn(9, 8))
    mine, my_weights = ROUTE.judge.oracle(logits.detach(), 2)
    assert torch.equal(mine, indices)
    torch.testing.assert_close(my_weights, weights.detach())


def test_the_loss_is_mixtrals():
    logits = torch.randn(40, EXPERTS)
    torch.testing.assert_close(BALANCE_LOSS.judge.oracle(logits, 2), load_balancing_loss_func((logits,), EXPERTS, 2))


@given(CHOICES, st.sampled_from([0.75, 1.0, 1.3, 2.0]))
@settings(deadline=None)
def test_load_drops_and_bias_are_those_of_the_room(choices, factor):
    indices = torch.tensor(choices)[:, None]
    counts = torch.bincount(indices.flatten(), minlength=EXPERTS).tolist()
    torch.testing.assert_close(MAX_VIOLATION.judge.oracle(counts), max_violation(indices, EXPERTS), atol=1e-5, rtol=0)
    lost = DROPPED.judge.oracle(EXPERTS, choices, factor) / len(choices)
    torch.testing.assert_close(lost, dropped(indices, EXPERTS, factor), atol=1e-5, rtol=0)
    moved = MOVED_BIAS.judge.oracle([0.0] * EXPERTS, counts, 0.1)
    torch.testing.assert_close(torch.tensor(moved), moved_bias(torch.zeros(EXPERTS), indices, 0.1))


@given(st.integers(2, 64), st.data())
def test_the_woken_are_those_of_the_cost_formula(experts, data):
    chosen, tokens = data.draw(st.integers(1, experts)), data.draw(st.integers(1, 50))
    expected = experts_hit(experts, chosen, tokens)
    assert abs(EXPERTS_HIT.judge.oracle(experts, chosen, tokens) - expected) < 1e-9 * experts
