"""Layers and inputs as a large model has them: correlated features, and a few channels far above the rest."""

import pytest
import torch


@pytest.fixture
def correlated():
    """`correlated(tokens, features, seed=0)`: inputs whose features share a few directions, in float64."""

    def draw(tokens, features, seed=0):
        generator = torch.Generator().manual_seed(seed)
        shared = torch.randn(tokens, features // 4, generator=generator, dtype=torch.float64)
        mixing = torch.randn(features // 4, features, generator=generator, dtype=torch.float64)
        return shared @ mixing + 0.3 * torch.randn(tokens, features, generator=generator, dtype=torch.float64)

    return draw


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
