"""A decoder of the smallest kind."""

import pytest

from labkit.models.config import DecoderConfig


@pytest.fixture
def tiny():
    return DecoderConfig("qwen3", 64, 16, 32, 2, 2, 1, 8, 1e-6, 64, qk_norm="head")
