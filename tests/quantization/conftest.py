"""Layers and inputs as a large model has them: correlated features, and a few channels far above the rest."""

import pytest
import torch

from labkit.models.config import DecoderConfig, MoeConfig
from labkit.models.decoder import Decoder
from tests.threads import one_thread  # noqa: F401


@pytest.fixture
def correlated():
    """`correlated(tokens, features, seed=0)`: inputs whose features share a few directions, in float64."""

    def draw(tokens, features, seed=0):
        generator = torch.Generator().manual_seed(seed)
        shared = torch.randn(tokens, features // 4, generator=generator, dtype=torch.float64)
        mixing = torch.randn(features // 4, features, generator=generator, dtype=torch.float64)
        return shared @ mixing + 0.3 * torch.randn(tokens, features, generator=generator, dtype=torch.float64)

    return draw


DENSE = {"attention_bias": True, "mlp_bias": True, "qk_norm": "head", "tie_word_embeddings": True}
CONFIGS = {
    "grouped, tied, biased": DecoderConfig("qwen3", 64, 16, 24, 2, 4, 2, 4, 1e-6, 64, **DENSE),
    "a reader for each head": DecoderConfig("llama", 64, 16, 24, 2, 4, 4, 4, 1e-6, 64, attention_bias=True),
    "experts": DecoderConfig("mixtral", 64, 16, 24, 2, 4, 2, 4, 1e-6, 64, moe=MoeConfig(3, 2, 24, True, (1,))),
}


def randomised(config, seed=0):
    torch.manual_seed(seed)
    model = Decoder(config).eval()
    for p in model.parameters():
        torch.nn.init.normal_(p, mean=float(p.dim() == 1), std=0.3)
    return model


@pytest.fixture(params=CONFIGS)
def model(request):
    """A random decoder of each kind that the rewritings must leave as it is: biases, gains and all."""
    return randomised(CONFIGS[request.param])


@pytest.fixture
def tokens():
    return torch.randint(0, 64, (4, 24), generator=torch.Generator().manual_seed(1))
