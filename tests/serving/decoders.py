"""Small decoders with random weights, far from uniform, so that a first choice is one."""

import dataclasses
from functools import cache

import torch

from labkit.generation.lean_decoding import lean
from labkit.models.config import DecoderConfig, MoeConfig
from labkit.models.decoder import Decoder

TINY = DecoderConfig("llama", 64, 32, 48, 2, 4, 2, 8, 1e-6, 128)
CONFIGS = {
    "dense": TINY,
    "qwen3": dataclasses.replace(TINY, family="qwen3", attention_bias=True, qk_norm="head", num_kv_heads=1),
    "experts": dataclasses.replace(TINY, num_layers=3, moe=MoeConfig(6, 2, 24, True, (1,))),
}
LEAN = dataclasses.replace(TINY, hidden_size=64, intermediate_size=96, head_dim=16, num_layers=3)
"""Of sizes that the fused operator takes."""
NAMES = (*CONFIGS, "lean", "lean, experts")


@cache
def decoder(name: str) -> Decoder:
    if name.startswith("lean"):
        moe = {"moe": MoeConfig(6, 2, 24, True, (1,))} if "experts" in name else {}
        return lean(_random(dataclasses.replace(LEAN, **moe)))
    return _random(CONFIGS[name])


def _random(config: DecoderConfig) -> Decoder:
    torch.manual_seed(0)
    model = Decoder(config).eval().requires_grad_(False)
    for parameter_name, parameter in model.named_parameters():
        torch.nn.init.normal_(parameter, std=0.3)
        if "norm" in parameter_name:
            parameter.add_(1)
    return model
