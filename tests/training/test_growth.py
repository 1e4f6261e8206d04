import dataclasses

import pytest
import torch

from labkit.models.config import MoeConfig
from labkit.training.growth import grow
from labkit.training.optimiser import initial

TOKENS = torch.arange(40).view(2, 20) % 17 + 300


@pytest.fixture
def small(tiny):
    model = initial(tiny, 3)
    with torch.no_grad():  # every weight counts: none may be at a value that growing could get wrong unseen
        for name, weight in model.named_parameters():
            if weight.dim() == 1:
                weight.add_(0.2 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(len(name))))
    return model


def wide(config, **changes):
    doubled = {k: 2 * getattr(config, k) for k in ("hidden_size", "num_heads", "num_kv_heads", "intermediate_size")}
    return dataclasses.replace(config, **doubled | changes)


def mixture(config):
    moe = MoeConfig(4, 2, config.intermediate_size, norm_topk_prob=True, layers=tuple(range(config.num_layers)))
    return wide(config, moe=moe, family="qwen3_moe")


def deeper(config):
    return wide(config, num_layers=5)


def deeper_mixture(config):
    few = mixture(config)
    return dataclasses.replace(few, num_layers=4, moe=dataclasses.replace(few.moe, layers=(0, 1, 2, 3)))


def halves(config):
    """Experts of half the MLP, as wide as before."""
    moe = MoeConfig(8, 2, config.intermediate_size // 2, norm_topk_prob=True, layers=tuple(range(config.num_layers)))
    return dataclasses.replace(config, moe=moe, family="qwen3_moe")


@pytest.mark.parametrize("shape", [lambda c: c, wide, deeper, mixture, deeper_mixture, halves])
def test_growing_changes_no_logit(small, shape):
    grown = grow(small, shape(small.config), seed=0)
    with torch.no_grad():
        torch.testing.assert_close(grown(TOKENS), small(TOKENS), rtol=1e-3, atol=1e-4)


def test_no_two_copies_stay_equal_once_training_begins(small):
    grown = grow(small, wide(small.config), seed=0)
    grown(TOKENS).logsumexp(-1).sum().backward()
    for name, weight in grown.layers[0].named_parameters():
        if name.endswith(("gate_proj.weight", "up_proj.weight", "down_proj.weight", "o_proj.weight")):
            first, second = weight.grad.chunk(2)
            assert (first - second).norm() > 0.05 * first.norm(), name


def test_a_shape_it_cannot_grow_into_is_refused(small):
    with pytest.raises(ValueError, match="cannot grow"):
        grow(small, dataclasses.replace(small.config, num_layers=6), seed=0)


def test_experts_whose_parts_cannot_be_chosen_together_are_refused(small):
    thirds = halves(small.config)
    with pytest.raises(ValueError, match="cannot grow"):
        grow(small, dataclasses.replace(thirds, moe=dataclasses.replace(thirds.moe, num_experts_per_tok=1)), seed=0)
