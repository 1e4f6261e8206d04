"""Smaller decoders against the whole one with the same parts switched off, through the cache, saved and loaded."""

import dataclasses

import pytest
import torch

from labkit.models import load, save
from labkit.models.capture import capture
from labkit.models.config import DecoderConfig
from labkit.models.decoder import Decoder
from labkit.models.walk import linears, weight_of
from labkit.sparsity.importance import best_places, block_influence, channel_scores, head_scores, mlp_channel_scores
from labkit.sparsity.layers import CsrLinear, packed_layer, place
from labkit.sparsity.structured import keep_heads, keep_layers, keep_mlp_channels

TOKENS = torch.randint(0, 64, (2, 11), generator=torch.Generator().manual_seed(3))
BIASED = DecoderConfig(
    "llama", 64, 32, 48, 2, 4, 2, 8, 1e-6, 64, attention_bias=True, mlp_bias=True, tie_word_embeddings=True
)


def _parameters(model):
    return sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("biased", [False, True])
@torch.no_grad()
def test_without_channels_is_the_model_whose_channels_write_nothing(decoder, dense_config, biased):
    model = decoder(BIASED if biased else dense_config)
    layers = model.config.num_layers
    kept = [torch.arange(48)[torch.randperm(48)[:30]] for _ in range(layers)]
    smaller = keep_mlp_channels(model, kept)
    for site in linears(model, ("down",)):
        gone = torch.ones(48, dtype=torch.bool)
        gone[kept[site.layer]] = False
        weight_of(model, site)[:, gone] = 0
    torch.testing.assert_close(smaller(TOKENS), model(TOKENS), atol=1e-4, rtol=1e-4)
    assert smaller.config == dataclasses.replace(model.config, intermediate_size=30)
    assert _parameters(model) - _parameters(smaller) == layers * 18 * (3 * 32 + 2 * biased)


@pytest.mark.parametrize("biased", [False, True])
@torch.no_grad()
def test_without_heads_is_the_model_whose_heads_write_nothing(decoder, dense_config, biased):
    model = decoder(BIASED if biased else dense_config)
    kept = [torch.tensor([n % 2]) for n in range(model.config.num_layers)]
    smaller = keep_heads(model, kept)
    for site in linears(model, ("o",)):
        gone = 1 - site.layer % 2  # the head of keys and values that goes, with its two queries of 8 features each
        weight_of(model, site)[:, 16 * gone : 16 * (gone + 1)] = 0
    torch.testing.assert_close(smaller(TOKENS), model(TOKENS), atol=1e-4, rtol=1e-4)
    assert (smaller.config.num_heads, smaller.config.num_kv_heads) == (2, 1)
    cache = smaller.new_cache(batch=2, capacity=16)
    stepwise = torch.cat([smaller(TOKENS[:, n : n + 1], cache) for n in range(TOKENS.shape[1])], dim=1)
    torch.testing.assert_close(stepwise, model(TOKENS), atol=1e-4, rtol=1e-4)
    assert smaller.config.cache_elements_per_token() * 2 == model.config.cache_elements_per_token()


@torch.no_grad()
def test_without_layers_is_the_model_whose_layers_write_nothing(decoder, dense_config, moe_config):
    for config in (dense_config, moe_config):
        model = decoder(config)
        smaller = keep_layers(model, [0, 2])
        for site in linears(model, ("o", "down")):
            if site.layer == 1:
                weight_of(model, site).zero_()
        torch.testing.assert_close(smaller(TOKENS), model(TOKENS), atol=1e-4, rtol=1e-4)
        assert smaller.config.num_layers == 2
        if config.moe:
            assert smaller.config.moe.layers == (1,)


def test_it_is_saved_and_loaded_like_any_other(decoder, tmp_path):
    model = decoder(BIASED)
    smaller = keep_heads(keep_mlp_channels(model, [torch.arange(24)] * 2), [torch.tensor([1])] * 2)
    assert smaller.lm_head.weight is smaller.embed_tokens.weight
    again = load(save(smaller, tmp_path), dtype="float32", device="cpu").model
    assert torch.equal(again(TOKENS), smaller(TOKENS))
    whole = save(model, tmp_path / "whole") / "model.safetensors"
    assert (tmp_path / "model.safetensors").stat().st_size < whole.stat().st_size


def test_a_smaller_model_shares_no_memory_with_the_whole_one(decoder):
    model = decoder()
    smaller = keep_mlp_channels(model, [torch.arange(48)] * 3)
    theirs = {p.data_ptr() for p in model.parameters()}
    assert theirs.isdisjoint(p.data_ptr() for p in smaller.parameters())


@torch.no_grad()
def test_a_channel_is_worth_what_it_writes_to_the_stream(decoder, batches):
    """From the definition: run the MLP, cut the channel's share out of the output, and take its norm."""
    model = decoder()
    seen = capture(model, batches, keep=10_000)
    (down, *_) = linears(model, ("down",))
    inputs, weight = seen[down.path].kept(), weight_of(model, down)
    share = torch.stack([(inputs[:, j, None] * weight[:, j]).norm() for j in range(weight.shape[1])])
    torch.testing.assert_close(mlp_channel_scores(model, seen)[0], share, rtol=1e-4, atol=1e-4)
    (o, *_) = linears(model, ("o",))
    inputs, weight = seen[o.path].kept(), weight_of(model, o)
    for head, found in enumerate(head_scores(model, seen)[0]):
        parts = [(inputs[:, j, None] * weight[:, j]).norm() ** 2 for j in range(16 * head, 16 * head + 16)]
        assert float(found) == pytest.approx(sum(map(float, parts)) ** 0.5, rel=1e-4)


@torch.no_grad()
def test_dead_channels_go_first_and_nothing_changes(decoder, batches):
    model = decoder()
    for site in linears(model, ("gate",)):
        weight_of(model, site)[5:29] = 0
    scores = mlp_channel_scores(model, capture(model, batches, linears(model, ("down",))))
    smaller = keep_mlp_channels(model, [best_places(s, 0.5) for s in scores])
    torch.testing.assert_close(smaller(TOKENS), model(TOKENS), atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_a_layer_that_does_nothing_has_no_influence(decoder, batches):
    model = decoder()
    for site in linears(model, ("o", "down")):
        if site.layer == 1:
            weight_of(model, site).zero_()
    influence = block_influence(model, batches)
    assert influence.argmin() == 1
    assert influence[1] == pytest.approx(0, abs=1e-6)
    seen = []
    hook = model.layers[2].register_forward_hook(lambda _, args, out: seen.append((args[0], out)))
    for batch in batches:
        model(batch)
    hook.remove()
    a, b = (torch.cat(side).flatten(0, 1).double() for side in zip(*seen, strict=True))
    by_hand = (1 - (a * b).sum(1) / a.norm(dim=1) / b.norm(dim=1)).mean()
    assert float(influence[2]) == pytest.approx(float(by_hand), abs=1e-5)
    with pytest.raises(ValueError, match="Without a token"):
        block_influence(model, [])


def test_at_least_one_channel_is_kept_and_at_density_1_all_of_them():
    scores = torch.tensor([2.0, 7.0, 5.0])
    assert best_places(scores, 0.0).tolist() == [1]
    assert best_places(scores, 1.0).tolist() == [0, 1, 2]
    with pytest.raises(ValueError, match="from 0 to 1"):
        best_places(scores, 1.1)


def test_bad_choices_are_refused(decoder, moe_config):
    model = decoder()
    with pytest.raises(ValueError, match="the same number of channels; got"):
        keep_mlp_channels(model, [torch.arange(3), torch.arange(4), torch.arange(3)])
    with pytest.raises(ValueError, match="Each of 3 layers"):
        keep_heads(model, [torch.arange(1)])
    for wrong in ([48], [-1], [3, 3], []):
        with pytest.raises(ValueError, match="different channels from 0 to 47"):
            keep_mlp_channels(model, [torch.tensor(wrong, dtype=torch.long)] * 3)
    with pytest.raises(ValueError, match="different layers from 0 to 2"):
        keep_layers(model, [0, 3])
    with pytest.raises(ValueError, match="has experts"):
        keep_mlp_channels(decoder(moe_config), [torch.arange(3)] * 3)
    together = Decoder(dataclasses.replace(model.config, qk_norm="all"))
    with pytest.raises(ValueError, match="normalises all heads together"):
        keep_heads(together, [torch.arange(1)] * 3)
    with pytest.raises(ValueError, match="No calibration input"):
        channel_scores(torch.ones(2, 3), torch.zeros(3))
    site = linears(model, ("down",))[0]
    place(model, {site.path: packed_layer(model, site, CsrLinear)}, [site])
    with pytest.raises(ValueError, match="prune first, pack then"):
        keep_layers(model, [0])
