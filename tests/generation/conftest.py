"""Small decoders with random weights, and the check that a continuation is what a model without a cache would write."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from labkit.models.config import DecoderConfig
from labkit.models.decoder import Decoder
from tests.threads import one_thread  # noqa: F401

TINY = DecoderConfig("llama", 64, 32, 48, 2, 4, 2, 8, 1e-6, 128)


def _decoder(seed: int = 0, std: float = 0.3, **fields) -> Decoder:
    torch.manual_seed(seed)
    model = Decoder(dataclasses.replace(TINY, **fields)).eval().requires_grad_(False)
    for name, parameter in model.named_parameters():
        torch.nn.init.normal_(parameter, std=std)
        if "norm" in name:
            parameter.add_(1)
    return model


@pytest.fixture(scope="session")
def decoder():
    """`decoder(seed=0, std=0.3, **config_fields)`: a random model, far from uniform, so that a first choice is one."""
    return _decoder


@pytest.fixture(scope="session")
def target():
    return _decoder(0)


@pytest.fixture(scope="session")
def draft(target):
    """A model near the target: often right, often wrong."""
    model = _decoder(0)
    torch.manual_seed(1)
    for parameter in model.parameters():
        parameter.add_(torch.randn_like(parameter), alpha=0.03)
    return model


@pytest.fixture(scope="session")
def random_prompts():
    """`random_prompts(count, vocab, longest, seed)`: token lists of all lengths."""

    def make(count: int, vocab: int = 64, longest: int = 24, seed: int = 0) -> list[list[int]]:
        generator = torch.Generator().manual_seed(seed)
        lengths = torch.randint(1, longest + 1, (count,), generator=generator).tolist()
        return [torch.randint(0, vocab, (length,), generator=generator).tolist() for length in lengths]

    return make
