"""The walk: order and roles, capture against recomputation, replacement, outliers that change nothing."""

import pytest
import torch
from torch import nn
from torch.nn.functional import silu

from labkit.models.capture import capture
from labkit.models.config import DecoderConfig, MoeConfig
from labkit.models.decoder import Decoder, StackedExperts
from labkit.models.outliers import inject_outliers
from labkit.models.walk import linears, replace, unstack_experts, weight_of

DENSE = DecoderConfig("qwen3", 64, 16, 24, 2, 4, 2, 4, 1e-6, 64, qk_norm="head")
MOE = DecoderConfig("mixtral", 64, 16, 24, 2, 4, 2, 4, 1e-6, 64, moe=MoeConfig(3, 2, 24, True, (1,)))


@pytest.fixture(params=[DENSE, MOE], ids=["dense", "moe"])
def model(request):
    torch.manual_seed(0)
    model = Decoder(request.param).eval()
    for p in model.parameters():
        nn.init.normal_(p, mean=float(p.dim() == 1), std=0.3)
    return model


@pytest.fixture
def tokens():
    return torch.randint(0, 64, (3, 9))


def test_sites_are_every_linear_in_the_order_they_run(model):
    unstack_experts(model)
    ran = []
    for path, module in model.named_modules():
        if isinstance(module, nn.Linear):
            module.register_forward_hook(lambda *_, path=path: ran.append(path))
    model(torch.arange(60)[None])  # enough tokens to reach every expert
    sites = [site.path for site in linears(model)]
    assert sites == list(dict.fromkeys(ran))
    assert len(sites) == len(set(sites)) == sum(isinstance(m, nn.Linear) for m in model.modules())


def test_roles_say_what_a_site_is(model):
    down = linears(model, ("down",))
    assert {s.role for s in down} == {"down"}
    assert (down[0].layer, down[0].expert) == (0, None)
    if model.config.moe:
        assert [s.expert for s in down] == [None, 0, 1, 2]


@torch.no_grad()
def test_a_weight_is_a_view_of_the_model(model, tokens):
    before = model(tokens)
    for site in linears(model):
        weight = weight_of(model, site)
        kept = weight.clone()
        weight.mul_(1.5)
        assert not torch.equal(model(tokens), before), site.path
        weight.copy_(kept)
    assert torch.equal(model(tokens), before)


@torch.no_grad()
def test_replacing_every_layer_by_its_equal_changes_nothing(model, tokens):
    before = model(tokens)
    for site in linears(model):
        equal = nn.Linear(*reversed(weight_of(model, site).shape), bias=False)
        equal.weight = nn.Parameter(weight_of(model, site).clone())
        replace(model, site, equal)
        assert model.get_submodule(site.path) is equal
    torch.testing.assert_close(model(tokens), before)


@torch.no_grad()
def test_captured_inputs_are_what_the_layers_read(model, tokens):
    """Outputs recomputed from captured inputs and weights alone equal what the model computes, layer by layer."""
    captured = capture(model, [tokens[:2], tokens[2:]], keep=1000)
    head = captured["lm_head"]
    logits = head.kept() @ model.lm_head.weight.T
    torch.testing.assert_close(logits, model(tokens).flatten(0, 1), atol=1e-4, rtol=1e-4)
    for layer in range(2):
        for expert in [None] if layer == 0 or not model.config.moe else range(3):
            gate, up, down = (
                s for s in linears(model, ("gate", "up", "down")) if (s.layer, s.expert) == (layer, expert)
            )
            x = captured[gate.path].kept()
            inner = silu(x @ weight_of(model, gate).T) * (x @ weight_of(model, up).T)
            torch.testing.assert_close(captured[down.path].kept(), inner, atol=1e-4, rtol=1e-4)


def test_second_moments_are_sums_over_tokens(model, tokens):
    whole = capture(model, [tokens], keep=1000)
    streamed = capture(model, tokens.split(1), keep=4)
    for path, once in whole.items():
        x = once.kept().double()
        assert once.tokens == len(x)
        torch.testing.assert_close(once.second_moment.double(), x.T @ x, atol=1e-3, rtol=1e-4)
        torch.testing.assert_close(streamed[path].second_moment, once.second_moment, atol=1e-3, rtol=1e-4)
        torch.testing.assert_close(once.input_norm.double(), x.norm(dim=0), atol=1e-3, rtol=1e-4)
        assert len(streamed[path].kept()) <= 4
    routed = [c for path, c in whole.items() if ".experts." in path and path.endswith("gate_proj")]
    if model.config.moe:
        assert sum(c.tokens for c in routed) == tokens.numel() * model.config.moe.num_experts_per_tok


def test_capture_leaves_the_model_as_it_was(model, tokens):
    names = [name for name, _ in model.named_parameters()]
    capture(model, [tokens])
    assert [name for name, _ in model.named_parameters()] == names
    assert not any(m._forward_pre_hooks for m in model.modules())
    if model.config.moe:
        assert isinstance(model.layers[1].mlp.experts, StackedExperts)


@torch.no_grad()
def test_outliers_keep_the_function_and_spread_the_activations(model, tokens):
    before, calm = model(tokens), capture(model, [tokens])
    weights = {name: p.clone() for name, p in model.named_parameters()}
    outliers = inject_outliers(model, channels=[3, 7], factor=30.0)
    torch.testing.assert_close(model(tokens), before, atol=1e-4, rtol=1e-4)
    wild = capture(model, [tokens])
    for site in linears(model, ("q", "gate", "router")):
        ratio = wild[site.path].input_norm / calm[site.path].input_norm
        expected = torch.ones(16)
        expected[[3, 7]] = 30.0
        torch.testing.assert_close(ratio, expected, atol=0, rtol=1e-3)
    outliers.undo()
    assert all(torch.equal(p, weights[name]) for name, p in model.named_parameters())


@pytest.mark.parametrize(("channels", "factor"), [([16], 30.0), ([-1], 30.0), ([1, 1], 30.0), ([1], 0.0)])
def test_impossible_outliers_are_refused(model, channels, factor):
    with pytest.raises(ValueError, match=r"Channels must be|factor must be"):
        inject_outliers(model, channels, factor)
