"""Quantizing whole models: what is replaced by what, calibrated on which inputs, and how many bytes are left."""

import copy

import pytest
import torch
from torch import nn

import labkit.quantization
from labkit.kernels.weight_format import WeightFormat
from labkit.models.capture import capture
from labkit.models.config import DecoderConfig, MoeConfig
from labkit.models.decoder import Decoder
from labkit.models.loading import load
from labkit.models.saving import save
from labkit.models.walk import linears, unstack_experts, weight_of
from labkit.quantization.gptq import gptq
from labkit.quantization.quantizing import ROLES, quantize_model
from labkit.quantization.rounding import round_to_nearest

FMT = WeightFormat(3, 4)


class Unpacking(nn.Module):
    """The plainest layer that runs from packed weights."""

    def __init__(self, packed, bias):
        super().__init__()
        self.packed, self.bias = packed, bias

    def forward(self, x):
        return nn.functional.linear(x, self.packed.dequantize(), self.bias)

    def dequantize(self):
        return self.packed.dequantize()


def rounding(site, weight, seen):
    return round_to_nearest(weight, FMT)


def compensating(site, weight, seen):
    return gptq(weight, seen.second_moment, FMT)


@torch.no_grad()
def test_every_linear_of_the_roles_computes_from_its_packed_weight(model, tokens):
    expected = copy.deepcopy(model)
    for site in linears(expected, ROLES):
        weight = weight_of(expected, site)
        weight.copy_(round_to_nearest(weight, FMT).dequantize())
    packed = quantize_model(model, [tokens], rounding, Unpacking)
    assert list(packed) == [site.path for site in linears(model, ROLES)]
    assert all(model.get_submodule(path).packed is weight for path, weight in packed.items())
    assert all(isinstance(model.get_submodule(s.path), nn.Linear) for s in linears(model, ("router", "lm_head")))
    torch.testing.assert_close(model(tokens), expected(tokens), atol=1e-5, rtol=1e-4)
    for site in linears(model, ROLES):
        assert packed[site.path].nbytes == FMT.nbytes(*weight_of(model, site).shape)


@torch.no_grad()
def test_each_block_is_calibrated_on_what_the_quantized_ones_before_it_let_through(model, tokens):
    original = copy.deepcopy(model)
    unstack_experts(original)
    half = copy.deepcopy(original)
    seen_by_path = {}

    def remember(site, weight, seen):
        seen_by_path[site.path] = seen.second_moment
        return compensating(site, weight, seen)

    quantize_model(model, [tokens[:2], tokens[2:]], remember, Unpacking)
    half.layers[0] = model.layers[0]
    for layer, source in ((0, original), (1, half)):
        sites = [site for site in linears(source, ROLES) if site.layer == layer]
        for path, captured in capture(source, [tokens], sites).items():
            torch.testing.assert_close(seen_by_path[path], captured.second_moment, atol=1e-3, rtol=1e-4)


@torch.no_grad()
def test_a_budget_gives_each_layer_its_own_bits(tokens):
    torch.manual_seed(0)
    model = Decoder(DecoderConfig("llama", 64, 16, 24, 2, 4, 2, 4, 1e-6, 64)).eval()
    formats = {site.path: WeightFormat(2 if site.layer else 8) for site in linears(model, ("down",))}
    packed = quantize_model(
        model, [tokens], lambda site, w, seen: round_to_nearest(w, formats[site.path]), Unpacking, ("down",)
    )
    assert [weight.format.bits for weight in packed.values()] == [8, 2]


@torch.no_grad()
@pytest.mark.parametrize(
    "fmt", [WeightFormat(4, 32), WeightFormat(3, 16, symmetric=False), WeightFormat(4, 16, code="nf4")]
)
def test_what_was_chosen_is_saved_and_loaded_bit_for_bit(tmp_path, tokens, fmt):
    torch.manual_seed(0)
    model = Decoder(DecoderConfig("llama", 64, 32, 64, 2, 4, 2, 8, 1e-6, 64)).eval()
    packed = quantize_model(model, [tokens], lambda site, w, seen: gptq(w, seen.second_moment, fmt, act_order=True))
    loaded = load(save(model, tmp_path), dtype="float32", device="cpu").model
    for path, weight in packed.items():
        held = loaded.get_submodule(path).packed_weight().to_tensors("")
        assert held.keys() == weight.to_tensors("").keys()
        assert all(torch.equal(held[name], tensor) for name, tensor in weight.to_tensors("").items())
    assert torch.equal(loaded(tokens), model(tokens))


@torch.no_grad()
def test_making_up_for_errors_keeps_a_whole_model_closer(tokens):
    torch.manual_seed(0)
    model = Decoder(DecoderConfig("llama", 64, 32, 64, 2, 4, 2, 8, 1e-6, 64)).eval()
    text = torch.randint(0, 64, (16, 32))
    exact = model(tokens)
    errors = []
    for algorithm in (rounding, compensating):
        changed = copy.deepcopy(model)
        quantize_model(changed, [text], algorithm, Unpacking)
        errors.append((changed(tokens) - exact).norm().item())
    assert errors[1] < 0.9 * errors[0]


def test_a_layer_that_too_few_tokens_reach_is_refused_by_name():
    torch.manual_seed(0)
    moe = MoeConfig(4, 1, 24, True, (0,))
    model = Decoder(DecoderConfig("mixtral", 64, 16, 24, 1, 4, 2, 4, 1e-6, 64, moe=moe)).eval()
    with pytest.raises(ValueError, match=r"layers\.0\.attention\.q_proj: 1 tokens of the calibration text"):
        quantize_model(model, [torch.tensor([[5]])], rounding, Unpacking)
    with pytest.raises(ValueError, match=r"layers\.0\.mlp\.experts\.\d\.\w+: \d+ tokens"):
        quantize_model(model, [torch.full((1, 20), 5)], rounding, Unpacking)


def test_what_an_algorithm_refuses_names_the_layer(tokens):
    model = Decoder(DecoderConfig("llama", 64, 16, 24, 1, 4, 2, 4, 1e-6, 64)).eval()
    model.layers[0].mlp.up_proj.weight.data[0, 0] = float("nan")
    with pytest.raises(ValueError, match=r"layers\.0\.mlp\.up_proj: The weight holds NaN or infinity in 1 of 384"):
        quantize_model(model, [tokens], rounding, Unpacking)


def test_the_room_names_what_it_offers():
    assert labkit.quantization.gptq is not None
    for name in labkit.quantization.__all__:
        assert callable(getattr(labkit.quantization, name)), name
