"""Routing and whole blocks against transformers' own: Mixtral, OLMoE, Qwen3-MoE, and DeepSeek-V3 for the sigmoid."""

import pytest
import torch
from transformers.models.deepseek_v3.modeling_deepseek_v3 import DeepseekV3Config, DeepseekV3MoE
from transformers.models.mixtral.modeling_mixtral import MixtralConfig, MixtralSparseMoeBlock
from transformers.models.olmoe.modeling_olmoe import OlmoeConfig, OlmoeSparseMoeBlock
from transformers.models.qwen3_moe.modeling_qwen3_moe import Qwen3MoeConfig, Qwen3MoeSparseMoeBlock

from labkit.models.config import MoeConfig
from labkit.moe.layer import RoutedMLP
from labkit.moe.routing import route

HIDDEN, INNER, EXPERTS = 32, 16, 8
SIZES = {"hidden_size": HIDDEN, "num_experts_per_tok": 2}


def mixtral():
    return MixtralSparseMoeBlock(MixtralConfig(**SIZES, intermediate_size=INNER, num_local_experts=EXPERTS)), True


def olmoe():
    config = OlmoeConfig(**SIZES, intermediate_size=INNER, num_experts=EXPERTS, norm_topk_prob=False)
    return OlmoeSparseMoeBlock(config), False


def qwen3_moe():
    config = Qwen3MoeConfig(**SIZES, moe_intermediate_size=INNER, num_experts=EXPERTS, norm_topk_prob=True)
    return Qwen3MoeSparseMoeBlock(config), True


def randomised(theirs):
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.normal_(std=0.3)
    return theirs.eval()


def with_weights_of(theirs, ours):
    with torch.no_grad():
        ours.router.weight.copy_(theirs.gate.weight)
        ours.experts.gate_up.copy_(theirs.experts.gate_up_proj)
        ours.experts.down.copy_(theirs.experts.down_proj)
    return ours


def equal_with_gradients(theirs, ours, tokens):
    x = torch.randn(2, tokens, HIDDEN)
    inputs = [x.clone().requires_grad_() for _ in range(2)]
    expected, got = theirs(inputs[0]), ours(inputs[1])
    assert expected.abs().mean() > 0.1
    torch.testing.assert_close(got, expected, atol=1e-5, rtol=1e-4)
    slopes = torch.randn_like(x)
    (expected * slopes).sum().backward()
    (got * slopes).sum().backward()
    torch.testing.assert_close(inputs[1].grad, inputs[0].grad, atol=1e-4, rtol=1e-4)
    for ours_of, theirs_of in ((ours.router.weight, theirs.gate.weight), (ours.experts.down, theirs.experts.down_proj)):
        torch.testing.assert_close(ours_of.grad, theirs_of.grad, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("tokens", [1, 33])
@pytest.mark.parametrize("family", [mixtral, olmoe, qwen3_moe])
def test_a_block_equals_that_of_transformers_forward_and_backward(family, tokens):
    torch.manual_seed(0)
    theirs, normalised = family()
    ours = RoutedMLP(HIDDEN, MoeConfig(EXPERTS, 2, INNER, normalised, (0,)))
    equal_with_gradients(randomised(theirs), with_weights_of(theirs, ours), tokens)


@pytest.mark.parametrize("normalised", [True, False])
def test_sigmoid_bias_scale_and_shared_experts_equal_deepseek_v3(normalised):
    torch.manual_seed(0)
    config = DeepseekV3Config(
        **SIZES, moe_intermediate_size=INNER, num_local_experts=EXPERTS, n_routed_experts=EXPERTS,
        n_shared_experts=2, n_group=1, topk_group=1, norm_topk_prob=normalised, routed_scaling_factor=2.5,
    )  # fmt: skip
    theirs = randomised(DeepseekV3MoE(config))
    theirs.gate.e_score_correction_bias.normal_(std=0.3)
    moe = MoeConfig(EXPERTS, 2, INNER, normalised, (0,))
    ours = with_weights_of(theirs, RoutedMLP(HIDDEN, moe, score="sigmoid", shared=2 * INNER, scale=2.5))
    ours.shared.load_state_dict(theirs.shared_experts.state_dict())
    ours.bias.copy_(theirs.gate.e_score_correction_bias)
    x = torch.randn(40, HIDDEN)
    unbiased = route(ours.router(x), 2, "sigmoid")[0]
    assert not torch.equal(ours.route(x)[0], unbiased), "a bias that changes no choice proves nothing"
    equal_with_gradients(theirs, ours, tokens=33)


def test_a_bias_changes_the_choice_and_not_the_weights():
    logits = torch.tensor([[2.0, 1.0, 0.0]])
    indices, weights = route(logits, 1, bias=torch.tensor([0.0, 5.0, 0.0]), normalise=False)
    assert indices.item() == 1
    torch.testing.assert_close(weights[0, 0], logits.softmax(-1)[0, 1])


def test_all_experts_may_be_chosen_and_no_token_may_come():
    logits = torch.randn(5, 4)
    indices, weights = route(logits, 4)
    torch.testing.assert_close(torch.zeros(5, 4).scatter(1, indices, weights), logits.softmax(-1))
    indices, weights = route(torch.randn(0, 4), 2)
    assert indices.shape == weights.shape == (0, 2)


def test_underflowing_sigmoids_still_give_numbers():
    _, weights = route(torch.full((1, 4), -200.0), 2, "sigmoid")
    assert torch.isfinite(weights).all()


@pytest.mark.parametrize(
    ("logits", "chosen", "score", "message"),
    [
        (torch.tensor([[0.0, torch.nan]]), 1, "softmax", "NaN"),
        (torch.zeros(1, 2), 3, "softmax", "1 to 2 of 2 experts; got 3"),
        (torch.zeros(1, 2), 0, "softmax", "got 0"),
        (torch.zeros(1, 2), 1, "tanh", "'tanh'"),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_sentence(logits, chosen, score, message):
    with pytest.raises(ValueError, match=message):
        route(logits, chosen, score)
