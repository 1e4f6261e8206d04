"""Who writes what a linear reads: found by scaling there and back, which must change nothing, and only there."""

import pytest
import torch

from labkit.models.config import DecoderConfig, MoeConfig
from labkit.models.decoder import Decoder
from labkit.models.feeds import Feed, linear_feeds, multiply_readers, norm_feeds, rescale
from labkit.models.walk import linears, weight_of

CONFIGS = {
    "grouped": DecoderConfig("qwen3", 64, 16, 24, 2, 4, 2, 4, 1e-6, 64, qk_norm="head", mlp_bias=True),
    "not grouped": DecoderConfig("llama", 64, 16, 24, 2, 4, 4, 4, 1e-6, 64, attention_bias=True),
    "clipped": DecoderConfig("olmoe", 64, 16, 24, 2, 4, 4, 4, 1e-6, 64, clip_qkv=0.5),
    "experts": DecoderConfig("mixtral", 64, 16, 24, 2, 4, 2, 4, 1e-6, 64, moe=MoeConfig(3, 2, 24, True, (1,))),
}


def randomised(name):
    torch.manual_seed(0)
    model = Decoder(CONFIGS[name]).eval()
    for p in model.parameters():
        torch.nn.init.normal_(p, mean=float(p.dim() == 1), std=0.3)
    return model


@pytest.fixture(params=CONFIGS)
def model(request):
    return randomised(request.param)


@torch.no_grad()
def test_rescaling_any_feed_leaves_the_function_and_half_of_it_does_not(model):
    tokens = torch.randint(0, 64, (3, 9))
    before = model(tokens)
    for feed in [*norm_feeds(model), *linear_feeds(model)]:
        scales = 0.5 + torch.rand(weight_of(model, feed.readers[0]).shape[1])
        kept = [weight_of(model, site).clone() for site in feed.readers]
        rescale(model, feed, scales)
        torch.testing.assert_close(model(tokens), before, atol=1e-4, rtol=1e-4)
        for site, weight in zip(feed.readers, kept, strict=True):
            weight_of(model, site).copy_(weight)
        assert not torch.allclose(model(tokens), before, atol=1e-3, rtol=1e-3)
        multiply_readers(model, feed, scales)


def test_every_reader_of_the_stream_has_one_norm():
    model = randomised("experts")
    read = [site.path for feed in norm_feeds(model) for site in feed.readers]
    assert sorted(read) == sorted(s.path for s in linears(model) if s.role not in ("o", "down"))


@pytest.mark.parametrize(("name", "pairs"), [("grouped", 2), ("not grouped", 4), ("clipped", 2), ("experts", 4)])
def test_values_that_are_shared_or_clipped_are_left_out(name, pairs):
    assert len(linear_feeds(randomised(name))) == pairs


def test_a_tied_head_and_scales_of_nothing_are_refused():
    model = Decoder(DecoderConfig("llama", 64, 16, 24, 1, 4, 2, 4, 1e-6, 64, tie_word_embeddings=True))
    with pytest.raises(ValueError, match="untie it first"):
        rescale(model, norm_feeds(model)[-1], torch.ones(16))
    for bad in (0.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="0, NaN or infinite"):
            rescale(model, norm_feeds(model)[0], torch.ones(16).index_fill(0, torch.tensor([3]), bad))


def test_a_feed_holds_the_tensors_of_the_model():
    model = randomised("not grouped")
    feed = linear_feeds(model)[0]
    assert isinstance(feed, Feed)
    assert feed.writers[0].data_ptr() == model.layers[0].mlp.up_proj.weight.data_ptr()
