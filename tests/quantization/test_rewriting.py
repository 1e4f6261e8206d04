"""Smoothing, AWQ's scales and rotations on whole decoders: the function stays, and rounding afterwards costs less."""

import copy

import pytest
import torch

from labkit.kernels.weight_format import WeightFormat
from labkit.models.capture import capture
from labkit.models.config import DecoderConfig
from labkit.models.decoder import Decoder
from labkit.models.feeds import linear_feeds, norm_feeds
from labkit.models.outliers import inject_outliers
from labkit.models.walk import linears, weight_of
from labkit.quantization.activations import w8a8_linear
from labkit.quantization.awq import awq_scales
from labkit.quantization.hadamard import random_hadamard
from labkit.quantization.rotation import fold_norm_gains, rotate, rotate_values
from labkit.quantization.rounding import round_to_nearest
from labkit.quantization.scaling import scale_channels
from labkit.quantization.smoothing import smoothing_scales

FMT = WeightFormat(3)


def smooth(weights, x):
    return smoothing_scales(x.abs().amax(dim=0), weights)


def scaled(weights, x):
    return awq_scales(weights, x, FMT)


@torch.no_grad()
@pytest.mark.parametrize(("choose", "feeds_of"), [(smooth, lambda m: norm_feeds(m)[:-1]), (scaled, linear_feeds)])
def test_scaling_leaves_the_function(model, tokens, choose, feeds_of):
    before, weights = model(tokens), [weight_of(model, s).clone() for s in linears(model)]
    scale_channels(model, [tokens], feeds_of(model), choose)
    torch.testing.assert_close(model(tokens), before, atol=2e-5, rtol=1e-4)
    after = [weight_of(model, s) for s in linears(model)]
    assert sum(not torch.equal(a, b) for a, b in zip(weights, after, strict=True)) >= 2


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@torch.no_grad()
def test_a_turned_model_computes_the_same(model, tokens):
    before = model(tokens)
    fold_norm_gains(model)
    torch.testing.assert_close(model(tokens), before, atol=2e-5, rtol=1e-4)
    stream = model.embed_tokens(tokens)
    rotate(model, random_hadamard(16, generator(0)))
    rotate_values(model, random_hadamard(4, generator(1)))
    torch.testing.assert_close(model(tokens), before, atol=2e-5, rtol=1e-4)
    assert not torch.allclose(model.embed_tokens(tokens), stream, atol=0.1)


@torch.no_grad()
def test_outliers_of_one_channel_are_gone_after_folding_and_turning(model, tokens):
    before = model(tokens)
    inject_outliers(model, [2, 7], factor=40.0)
    torch.testing.assert_close(model(tokens), before, atol=2e-5, rtol=1e-4)
    for weight in (model.embed_tokens.weight, *(weight_of(model, s) for s in linears(model, ("o", "down")))):
        rows = weight.T if weight is model.embed_tokens.weight else weight
        rows[5] *= 20  # an outlier of the stream itself, which no gain explains
    expected = model(tokens)

    def peak():
        inputs = capture(model, [tokens], linears(model, ("q",)), keep=100)["layers.1.attention.q_proj"].kept()
        return (inputs.abs().amax(dim=1) / inputs.square().mean(dim=1).sqrt()).mean().item()

    spiky = peak()
    fold_norm_gains(model)
    rotate(model, random_hadamard(16, generator()))
    torch.testing.assert_close(model(tokens), expected, atol=2e-4, rtol=1e-3)
    assert spiky > 3  # one channel alone would be 4, the root of 16
    assert peak() < 0.75 * spiky


def test_a_head_that_was_tied_is_untied_and_the_table_stays():
    torch.manual_seed(0)
    model = Decoder(DecoderConfig("llama", 64, 16, 24, 1, 4, 2, 4, 1e-6, 64, tie_word_embeddings=True))
    model.norm.weight.data.fill_(2.0)
    table = model.embed_tokens.weight.detach().clone()
    fold_norm_gains(model)
    assert torch.equal(model.embed_tokens.weight, table)
    assert torch.equal(model.lm_head.weight, 2 * table)


def test_what_would_change_the_function_is_refused(model):
    with pytest.raises(ValueError, match="call `fold_norm_gains` first"):
        rotate(model, torch.eye(16))
    fold_norm_gains(model)
    with pytest.raises(ValueError, match="16 x 16; got"):
        rotate(model, torch.eye(8))
    with pytest.raises(ValueError, match="not orthogonal"):
        rotate(model, 2 * torch.eye(16))
    with pytest.raises(ValueError, match="4 x 4; got"):
        rotate_values(model, torch.eye(16))


def test_a_model_that_clips_its_values_keeps_them():
    model = Decoder(DecoderConfig("olmoe", 64, 16, 24, 1, 4, 4, 4, 1e-6, 64, clip_qkv=1.0))
    with pytest.raises(ValueError, match="a clip does not turn"):
        rotate_values(model, torch.eye(4))


def outlier_layer():
    torch.manual_seed(0)
    x, weight = torch.randn(128, 64), torch.randn(32, 64) * 0.1
    x[:, [3, 40]] *= 60
    return x, weight


def test_smoothing_preserves_the_product_and_repairs_w8a8():
    x, weight = outlier_layer()
    scales = smoothing_scales(x.abs().amax(dim=0), [weight])
    exact, wide = x.double() @ weight.double().T, scales.double()
    torch.testing.assert_close((x / wide) @ (weight * wide).T, exact, atol=1e-12, rtol=1e-12)
    int8 = WeightFormat(8, scale_dtype=torch.float32)
    broken = (w8a8_linear(x, round_to_nearest(weight, int8)) - exact).norm()
    smoothed = (w8a8_linear(x / scales, round_to_nearest(weight * scales, int8)) - exact).norm()
    assert smoothed < broken / 3


@pytest.mark.parametrize("alpha", [0.0, 0.3, 0.5, 1.0])
def test_smoothing_scales_are_equation_4(alpha):
    x, weight = outlier_layer()
    other = torch.randn(5, 64)
    got = smoothing_scales(x.abs().amax(dim=0), [weight, other], alpha)
    for j in range(64):
        w = max(weight[:, j].abs().max().item(), other[:, j].abs().max().item())
        assert got[j].item() == pytest.approx(x[:, j].abs().max().item() ** alpha / w ** (1 - alpha), rel=1e-5)


def test_half_way_both_sides_have_the_same_maxima():
    x, weight = outlier_layer()
    scales = smoothing_scales(x.abs().amax(dim=0), [weight])
    torch.testing.assert_close((x / scales).abs().amax(dim=0), (weight * scales).abs().amax(dim=0))


def test_channels_without_anything_keep_their_scale():
    scales = smoothing_scales(torch.tensor([0.0, 4.0, 4.0]), [torch.tensor([[1.0, 0.0, 1.0]])])
    assert scales.tolist() == [1.0, 1.0, 2.0]


@pytest.mark.parametrize(("alpha", "peak", "message"), [(1.5, 1.0, "0 to 1; got 1.5"), (0.5, float("nan"), "NaN")])
def test_smoothing_refuses_what_cannot_be_balanced(alpha, peak, message):
    with pytest.raises(ValueError, match=message):
        smoothing_scales(torch.tensor([peak]), [torch.ones(1, 1)], alpha)


@torch.no_grad()
def test_awq_on_a_model_with_outliers_loses_less_than_rounding(tokens):
    torch.manual_seed(0)
    model = Decoder(DecoderConfig("llama", 64, 32, 48, 2, 4, 4, 8, 1e-6, 64)).eval()
    for p in model.parameters():
        torch.nn.init.normal_(p, mean=float(p.dim() == 1), std=0.1)
    for feed in norm_feeds(model)[:-1]:
        feed.writers[0][[2, 19]] *= 4  # channels that matter, as outliers do in large models
    inject_outliers(model, [2, 19], factor=30.0)
    exact = model(tokens)

    def error(changed):
        for site in linears(changed)[:-1]:
            weight = weight_of(changed, site)
            weight.copy_(round_to_nearest(weight, FMT).dequantize())
        return (changed(tokens) - exact).norm().item()

    searched = copy.deepcopy(model)
    feeds = [*norm_feeds(searched)[:-1], *linear_feeds(searched)]
    scale_channels(searched, [tokens], feeds, scaled)
    assert error(searched) < 0.6 * error(copy.deepcopy(model))
