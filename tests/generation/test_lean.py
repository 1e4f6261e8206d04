"""The lean decoder against the decoder it is made of: logits, tokens, bytes, and what it leaves alone."""

import pytest
import torch

from labkit.generation import GREEDY, DraftModel, generate
from labkit.generation.lean_decoding import FusedBlocks, lean, packed_bytes
from labkit.kernels.weight_format import WeightFormat
from labkit.measure import trace
from labkit.models.config import MoeConfig
from labkit.models.quantized_linear import QuantizedLinear
from labkit.models.rounding import rounded
from labkit.models.walk import linears, replace, weight_of
from tests.generation.agreement import agreement

WIDE = {"hidden_size": 64, "intermediate_size": 96, "head_dim": 16, "std": 0.15}
VARIANTS = {
    "llama": {},
    "qwen3, biases and norms": {"attention_bias": True, "qk_norm": "head", "family": "qwen3"},
    "tied": {"tie_word_embeddings": True, "num_kv_heads": 1},
    "olmoe norms": {"qk_norm": "all"},
    "clipped": {"clip_qkv": 0.5},
    "odd inner size": {"intermediate_size": 90},
    "biases in the MLP": {"mlp_bias": True},
    "experts": {"moe": MoeConfig(4, 2, 48, True, (1,)), "num_layers": 3},
}
FUSED = {"llama": 2, "qwen3, biases and norms": 2, "tied": 2, "experts": 2}


@pytest.fixture(params=VARIANTS)
def name(request):
    return request.param


@torch.no_grad()
def test_logits_of_every_way_are_those_of_the_model(decoder, name):
    model = decoder(**(WIDE | VARIANTS[name]))
    fast = lean(model)
    assert sum(len(m.blocks) for m in fast.layers if isinstance(m, FusedBlocks)) == FUSED.get(name, 0)
    tokens = torch.randint(0, 64, (2, 30))
    expected = model(tokens)
    tolerance = {"atol": 2e-4, "rtol": 1e-4}
    torch.testing.assert_close(fast(tokens), expected, **tolerance)  # no cache
    cache = fast.new_cache(2, 30)
    torch.testing.assert_close(fast(tokens[:, :20], cache), expected[:, :20], **tolerance)  # a prompt
    torch.testing.assert_close(fast(tokens[:, 20:25], cache), expected[:, 20:25], **tolerance)  # as in speculation
    for n in range(25, 30):
        torch.testing.assert_close(fast(tokens[:, n : n + 1], cache), expected[:, n : n + 1], **tolerance)


def test_it_writes_the_same_tokens_alone_in_batches_and_speculating(decoder, random_prompts):
    model, prompts = decoder(**WIDE), random_prompts(40)
    fast = lean(model)
    found = [generate(fast, [prompt], 16).tokens[0] for prompt in prompts[:20]]
    found += generate(fast, prompts[20:], 16).tokens
    assert agreement(model, prompts, found).holds
    told = generate(fast, prompts[:4], 16, drafter=DraftModel(lean(decoder(1, **WIDE))))
    assert agreement(model, prompts[:4], told.tokens).holds


@torch.no_grad()
def test_bf16_rounds_the_weights_and_nothing_else(decoder):
    model = decoder(**WIDE)
    rounded = decoder(**WIDE)
    for name, parameter in rounded.named_parameters():
        if "proj" in name or "lm_head" in name:
            parameter.copy_(parameter.bfloat16())
    tokens = torch.randint(0, 64, (1, 12))
    torch.testing.assert_close(lean(model, torch.bfloat16)(tokens), rounded(tokens), atol=2e-4, rtol=1e-4)
    assert (lean(model, torch.bfloat16)(tokens) - model(tokens)).abs().max() > 1e-3, "bf16 must show"


def test_the_bytes_of_a_step_are_those_of_the_packed_weights(decoder):
    model = decoder(**WIDE, num_layers=1)
    matrices = sum(p.numel() for n, p in model.named_parameters() if "proj" in n or "lm_head" in n)
    for dtype in (torch.float32, torch.bfloat16):
        fast = lean(model, dtype)
        assert packed_bytes(fast) == matrices * dtype.itemsize
        cache = fast.new_cache(1, 4)
        fast(torch.tensor([[1]]), cache)
        with trace() as step:
            fast(torch.tensor([[1]]), cache)
        assert packed_bytes(fast) < step.bytes_read < packed_bytes(fast) + 8000


def test_the_model_it_is_made_of_stays_as_it_was(decoder):
    model = decoder(**WIDE)
    before = {name: p.data_ptr() for name, p in model.named_parameters()}
    fast = lean(model)
    assert before == {name: p.data_ptr() for name, p in model.named_parameters()}
    assert fast.embed_tokens.weight.data_ptr() == model.embed_tokens.weight.data_ptr(), "the table is shared"
    assert generate(model, [[1, 2]], 4, sampling=GREEDY).tokens == generate(fast, [[1, 2]], 4).tokens


def quantized(model, weight, bits=16, roles=None):
    """`model` with its linears rounded, in place."""
    for site in linears(model, roles):
        layer = model.get_submodule(site.path) if site.expert is None else None
        bias = None if layer is None else layer.bias
        replace(model, site, QuantizedLinear.of(rounded(weight_of(model, site).detach(), weight), bias, bits))
    return model


FORMATS = {"4 bits": WeightFormat(4, 32), "8 bits": WeightFormat(8), "3 bits, no panels": WeightFormat(3, 32)}
QUANTIZED = {"llama": 2, "qwen3, biases and norms": 2, "clipped": 0, "biases in the MLP": 0, "experts": 2}


@pytest.mark.parametrize("fmt", FORMATS)
@pytest.mark.parametrize("variant", QUANTIZED)
@torch.no_grad()
def test_quantized_layers_keep_their_bits(decoder, variant, fmt):
    """Every way through the lean model gives the logits of the quantized one."""
    if variant == "experts":
        variant_fields = {"moe": MoeConfig(4, 2, 64, True, (1,)), "num_layers": 3}
    else:
        variant_fields = VARIANTS[variant]
    model = quantized(decoder(**(WIDE | variant_fields)), FORMATS[fmt])
    held = packed_bytes(model)
    fast = lean(model)
    fused = sum(len(m.blocks) for m in fast.layers if isinstance(m, FusedBlocks))
    assert fused == (0 if "no panels" in fmt else QUANTIZED[variant])
    assert packed_bytes(fast) == held
    tokens = torch.randint(0, 64, (2, 30))
    expected = model(tokens)
    cache = fast.new_cache(2, 30)
    pieces = [fast(tokens[:, :20], cache), fast(tokens[:, 20:25], cache)]
    pieces += [fast(tokens[:, n : n + 1], cache) for n in range(25, 30)]
    for found in (fast(tokens), torch.cat(pieces, dim=1)):
        torch.testing.assert_close(found, expected, atol=2e-3 * expected.abs().max().item(), rtol=0)


@torch.no_grad()
def test_layers_of_several_formats_and_plain_ones_go_together(decoder):
    """A block fuses where what reads one input has one format; a plain head is packed as asked."""
    model = quantized(decoder(**WIDE, num_layers=4), WeightFormat(4, 32), 8, ("q", "k", "v", "o", "gate", "up", "down"))
    for site in linears(model, ("k",))[:1] + linears(model, ("down",))[1:2]:
        weight = rounded(model.get_submodule(site.path).dequantize(), WeightFormat(8))
        replace(model, site, QuantizedLinear.of(weight, None, 8))
    fast = lean(model, torch.bfloat16)
    assert [type(layer) is FusedBlocks for layer in fast.layers] == [False, True]
    assert fast.lm_head.packed.dtype == torch.bfloat16
    tokens = torch.randint(0, 64, (1, 12))
    cache = fast.new_cache(1, 12)
    found = torch.cat([fast(tokens[:, n : n + 1], cache) for n in range(12)], dim=1)
    assert torch.nn.functional.cosine_similarity(found, model(tokens), dim=-1).min() > 0.999


def test_a_quantized_step_reads_its_packed_bytes(decoder):
    fast = lean(quantized(decoder(**WIDE), WeightFormat(4, 32), 8))
    cache = fast.new_cache(1, 4)
    fast(torch.tensor([[1]]), cache)
    with trace() as step:
        fast(torch.tensor([[1]]), cache)
    assert packed_bytes(fast) < step.bytes_read < packed_bytes(fast) + 9000


def test_what_cannot_be_packed_is_refused(decoder):
    with pytest.raises(ValueError, match="starts from fp32 on a CPU"):
        lean(decoder().bfloat16())
    with pytest.raises(ValueError, match="lean already"):
        lean(lean(decoder(**WIDE)))
    with pytest.raises(ValueError, match="float32 or bfloat16"):
        lean(decoder(**WIDE), torch.float16)
