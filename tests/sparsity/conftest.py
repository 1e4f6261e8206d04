"""Small decoders with random weights, and tokens to calibrate them on."""

import pytest
import torch
from torch import nn

from labkit.models.config import DecoderConfig, MoeConfig
from labkit.models.decoder import Decoder
from tests.threads import one_thread  # noqa: F401

DENSE = DecoderConfig("qwen3", 64, 32, 48, 3, 4, 2, 8, 1e-6, 64, qk_norm="head")
MOE = DecoderConfig("mixtral", 64, 32, 48, 3, 4, 2, 8, 1e-6, 64, moe=MoeConfig(4, 2, 24, True, (1, 2)))


def random_decoder(config, seed=0):
    torch.manual_seed(seed)
    model = Decoder(config).eval()
    for p in model.parameters():
        nn.init.normal_(p, mean=float(p.dim() == 1), std=0.2)
    return model


@pytest.fixture
def decoder():
    """`decoder(config=DENSE, seed=0)`: a random decoder."""
    return lambda config=DENSE, seed=0: random_decoder(config, seed)


@pytest.fixture
def moe_config():
    return MOE


@pytest.fixture
def dense_config():
    return DENSE


@pytest.fixture
def batches():
    """Calibration text: 384 tokens in three batches."""
    generator = torch.Generator().manual_seed(1)
    return [torch.randint(0, 64, (4, 32), generator=generator) for _ in range(3)]
