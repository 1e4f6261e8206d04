"""Capacity, the moving bias, and the layer inside a decoder."""

import dataclasses

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.kernels.expert_padded import kept
from labkit.models.config import MoeConfig
from labkit.models.decoder import Decoder, MoE
from labkit.moe.bias import moved_bias
from labkit.moe.choices import choices
from labkit.moe.layer import RoutedMLP
from labkit.moe.load import capacity, max_violation
from labkit.training.balance import balance

MOE = MoeConfig(4, 2, 8, True, (0,))


def layer_with_preference(**options):
    """Most tokens like expert 0."""
    torch.manual_seed(0)
    layer = RoutedMLP(16, MOE, **options)
    with torch.no_grad():
        layer.router.weight.normal_(std=0.2)
        layer.router.weight[0] += 0.2
    return layer, torch.randn(40, 16) + 0.5


def test_without_options_it_is_the_decoders_own():
    layer, x = layer_with_preference()
    plain = MoE(16, MOE)
    plain.load_state_dict({k: v for k, v in layer.state_dict().items() if k != "bias"})
    torch.testing.assert_close(layer(x), plain(x))


def test_dropped_choices_add_nothing_and_the_others_stay_what_they_were():
    full, x = layer_with_preference()
    tight = RoutedMLP(16, MOE, capacity_factor=1.0)
    tight.load_state_dict(full.state_dict())
    indices, weights = full.route(x)
    fits = kept(indices, 4, capacity(40, 2, 4, 1.0))
    assert 0 < (~fits).sum() < 40
    torch.testing.assert_close(tight(x), full.experts(x, indices, weights * fits))


def test_room_for_all_drops_nothing():
    full, x = layer_with_preference()
    wide = RoutedMLP(16, MOE, capacity_factor=4.0)
    wide.load_state_dict(full.state_dict())
    torch.testing.assert_close(wide(x), full(x))


@pytest.mark.parametrize("factor", [0.0, -1.0, float("nan")])
def test_a_capacity_of_nothing_is_refused(factor):
    layer, x = layer_with_preference(capacity_factor=factor)
    with pytest.raises(ValueError, match="above 0"):
        layer(x)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=30))
@settings(deadline=None)
def test_the_bias_moves_against_the_load_by_one_rate(experts):
    indices, before = torch.tensor(experts)[:, None], torch.randn(5)
    moved = moved_bias(before, indices, 0.1) - before
    for expert, step in enumerate(moved.tolist()):
        share = experts.count(expert) / len(experts)
        expected = 0.0 if share == 0.2 else (0.1 if share < 0.2 else -0.1)
        assert step == pytest.approx(expected, abs=1e-6)


def test_the_bias_evens_a_load_that_no_training_touches():
    layer, x = layer_with_preference()
    before = max_violation(layer.route(x)[0], 4)
    for _ in range(300):
        layer.bias = moved_bias(layer.bias, layer.route(x)[0], 0.003)
    assert before > 0.4
    assert max_violation(layer.route(x)[0], 4) < 0.2


def test_it_stands_in_a_decoder_and_its_router_is_seen(tiny):
    torch.manual_seed(0)
    config = dataclasses.replace(tiny, family="qwen3_moe", vocab_size=64, moe=dataclasses.replace(MOE, layers=(0, 1)))
    model, tokens = Decoder(config), torch.randint(64, (2, 9))
    before, chosen = model(tokens), choices(model, tokens)
    for block in model.layers:
        routed = RoutedMLP(config.hidden_size, config.moe)
        routed.load_state_dict({**block.mlp.state_dict(), "bias": torch.zeros(4)})
        block.mlp = routed
    torch.testing.assert_close(model(tokens), before)
    assert all(torch.equal(a, b) for a, b in zip(choices(model, tokens), chosen, strict=True))
    with balance(model) as routed:
        model(tokens)
    assert routed.loss() > 0


def test_choices_leave_padding_out_and_refuse_a_dense_model(tiny):
    config = dataclasses.replace(tiny, family="qwen3_moe", vocab_size=64, moe=dataclasses.replace(MOE, layers=(1,)))
    tokens, real = torch.randint(64, (2, 9)), torch.rand(2, 9) < 0.5
    model = Decoder(config)
    [every], [some] = choices(model, tokens), choices(model, tokens, real)
    assert torch.equal(some, every[real.flatten()])
    with pytest.raises(ValueError, match="no router"):
        choices(Decoder(tiny), tokens)
