"""Packed keys and values: bounded errors, real bytes, the reasons for their axes; and the cache inside a decoder."""

import pytest
import torch

from labkit.generation.decoding import stream
from labkit.kernels.weight_format import WeightFormat
from labkit.models.cache import KVCache
from labkit.models.config import DecoderConfig
from labkit.models.decoder import Decoder
from labkit.quantization.kv_blocks import pack_keys, pack_values
from labkit.quantization.kv_cache import QuantizedKVCache


def format_of(bits, size=8):
    return WeightFormat(bits, size, symmetric=False)


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
@pytest.mark.parametrize(("packed_as", "axis"), [(pack_keys, 2), (pack_values, 3)])
def test_no_number_moves_by_more_than_a_step_of_its_group(bits, packed_as, axis):
    torch.manual_seed(0)
    cached = torch.randn(2, 3, 24, 16) + torch.randn(2, 3, 1, 16)
    back = packed_as(cached, format_of(bits)).dequantize()
    assert back.shape == cached.shape
    groups = cached.unflatten(axis, (-1, 8))
    span = groups.amax(dim=axis + 1, keepdim=True) - groups.amin(dim=axis + 1, keepdim=True)
    step = (span / (2**bits - 1)).expand_as(groups).flatten(axis, axis + 1)
    assert ((back - cached).abs() <= step * 1.02 + 2e-3).all()  # fp16 scales; whole zeros shift a range by half a step
    assert ((back - cached).abs().mean() <= step.mean() * 0.3).all()


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_the_bytes_are_those_of_codes_scales_and_zeros(bits):
    cached = torch.randn(2, 3, 24, 16)
    expected = 2 * 3 * 24 * 16 * bits // 8 + 2 * (2 * 3 * 24 * 16 // 8) * 2
    assert pack_keys(cached, format_of(bits)).nbytes == pack_values(cached, format_of(bits)).nbytes == expected


def test_why_keys_go_by_channel_and_values_by_token():
    """KIVI's figure 2: where channels of keys are large for every token, a scale per token rounds the others away."""
    torch.manual_seed(0)
    keys = torch.randn(1, 2, 64, 32)
    keys[..., [3, 17]] = keys[..., [3, 17]] + 25
    by_channel, by_token = (
        (packed_as(keys, format_of(2, 32)).dequantize() - keys).norm() for packed_as in (pack_keys, pack_values)
    )
    assert by_channel < by_token / 2


def test_equal_keys_are_exact():
    keys = torch.full((1, 1, 16, 8), 3.25)
    assert torch.equal(pack_keys(keys, format_of(2)).dequantize(), keys)


def test_what_does_not_divide_or_is_not_finite_is_refused():
    with pytest.raises(ValueError, match="Groups of 8 do not divide rows of 20"):
        pack_keys(torch.randn(1, 1, 20, 16), format_of(2))
    with pytest.raises(ValueError, match="NaN or infinity"):
        pack_values(torch.full((1, 1, 8, 16), torch.inf), format_of(2))


CONFIG = DecoderConfig("llama", 64, 32, 48, 2, 4, 2, 8, 1e-6, 256)


@pytest.fixture
def decoder():
    torch.manual_seed(0)
    model = Decoder(CONFIG).eval()
    for p in model.parameters():
        torch.nn.init.normal_(p, mean=float(p.dim() == 1), std=0.2)
    return model


def logits_through(model, cache, tokens, chunks):
    return torch.cat([model(part, cache) for part in tokens.split(chunks, dim=1)], dim=1)


@torch.no_grad()
def test_before_a_group_is_complete_it_is_a_plain_cache(decoder):
    tokens = torch.randint(0, 64, (3, 7))
    got = logits_through(decoder, QuantizedKVCache(CONFIG, 3, format_of(2)), tokens, [3, 1, 1, 2])
    torch.testing.assert_close(got, decoder(tokens), atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_more_bits_are_closer_and_eight_are_nearly_exact(decoder):
    tokens = torch.randint(0, 64, (2, 60))
    exact = decoder(tokens)
    errors = {}
    for bits in (8, 4, 2):
        got = logits_through(decoder, QuantizedKVCache(CONFIG, 2, format_of(bits)), tokens, [20, *[1] * 40])
        errors[bits] = ((got - exact).norm() / exact.norm()).item()
    assert errors[8] < 0.01
    assert errors[8] < errors[4] / 4 < errors[2] / 8


@torch.no_grad()
def test_it_attends_to_what_it_holds(decoder):
    """A plain cache that is filled with the dequantized tokens gives the same logits."""
    tokens, cache = torch.randint(0, 64, (2, 25)), QuantizedKVCache(CONFIG, 2, format_of(3))
    decoder(tokens[:, :19], cache)  # two groups of eight are packed, three tokens are new
    plain = KVCache(CONFIG, 2, 40)
    decoder(tokens[:, :19], plain)
    for layer in range(2):
        keys, values = cache.read(layer)
        assert torch.equal(keys[:, :, 16:], plain.keys[layer, :, :, 16:19])
        plain.keys[layer, :, :, :19], plain.values[layer, :, :, :19] = keys, values
    torch.testing.assert_close(decoder(tokens[:, 19:22], cache), decoder(tokens[:, 19:22], plain), atol=1e-5, rtol=1e-4)
    assert cache.lengths == [22, 22]


def test_generation_runs_on_it_and_eight_bits_choose_the_same_tokens(decoder):
    prompt = [5, 9, 60, 33]
    caches = {bits: QuantizedKVCache(CONFIG, 1, format_of(bits)) for bits in (8, 2)}
    plain = list(stream(decoder, [prompt], 30))
    texts = {bits: list(stream(decoder, [prompt], 30, cache=cache)) for bits, cache in caches.items()}
    assert [step.tokens for step in texts[8]] == [step.tokens for step in plain]
    assert len(texts[2]) == 30
    assert caches[2].lengths == [33]
    assert caches[2].nbytes < caches[8].nbytes


@torch.no_grad()
def test_bytes_are_counted_and_fewer(decoder):
    tokens, cache = torch.randint(0, 64, (2, 19)), QuantizedKVCache(CONFIG, 2, format_of(2))
    decoder(tokens, cache)
    numbers = 2 * 2 * 2 * 8  # layers, keys and values, heads, channels
    packed = 16 * numbers * 2 // 8 + 16 * numbers // 8 * 2 * 2
    assert cache.nbytes == 2 * (packed + 3 * numbers * 4)


def test_what_the_cache_cannot_hold_is_refused(decoder):
    with pytest.raises(ValueError, match="groups of tokens with zeros"):
        QuantizedKVCache(CONFIG, 1, WeightFormat(4, 8))
    with pytest.raises(ValueError, match="Groups of 32 do not divide rows of 8"):
        QuantizedKVCache(CONFIG, 1, format_of(4, 32))
    cache, tokens = QuantizedKVCache(CONFIG, 1, format_of(4)), torch.zeros(1, 2, dtype=torch.long)
    with pytest.raises(ValueError, match="2 rows for a cache of 1"):
        decoder(tokens.expand(2, -1), cache)
    with pytest.raises(ValueError, match="no positions"):
        decoder(tokens, cache, positions=torch.tensor([[-1, 0]]))
