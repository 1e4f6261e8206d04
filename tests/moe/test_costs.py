"""The formulas against routers drawn at random, and against what `trace` counts of a real layer."""

import pytest
import torch

from labkit.measure import trace
from labkit.models.config import MoeConfig
from labkit.models.decoder import MLP, MoE
from labkit.moe.costs import dense_layer, experts_hit, moe_layer


@pytest.mark.parametrize(("experts", "chosen", "tokens"), [(8, 2, 1), (8, 2, 5), (64, 8, 16), (4, 4, 3), (8, 1, 0)])
def test_experts_hit_is_what_random_routers_hit(experts, chosen, tokens):
    generator = torch.Generator().manual_seed(0)
    drawn = torch.rand(4000, tokens, experts, generator=generator).topk(chosen).indices.flatten(1)
    hit = torch.zeros(4000, experts).scatter_(1, drawn, 1.0).sum(1)
    standard_error = float(hit.std() / 4000**0.5)
    assert float(hit.mean()) == pytest.approx(experts_hit(experts, chosen, tokens), abs=4 * standard_error + 1e-6)


def test_flops_are_those_of_a_real_layer():
    torch.manual_seed(0)
    layer, x = MoE(16, MoeConfig(8, 2, 24, True, (0,))), torch.randn(12, 16)
    with trace() as router:
        layer.router(x)
    with trace() as whole:
        layer(x)
    assert whole.flops - router.flops == moe_layer(16, 24, 8, 2, tokens=12).flops


def test_a_dense_layer_of_the_same_arithmetic():
    cost = dense_layer(16, 2 * 24, tokens=12)
    assert cost.flops == moe_layer(16, 24, 8, 2, tokens=12).flops
    assert cost.weight_bytes == sum(p.nbytes for p in MLP(16, 48).parameters())
    assert moe_layer(16, 24, 8, 2, tokens=1).weight_bytes == cost.weight_bytes
