"""An embedder that needs no model: texts that share words get vectors that are near."""

from __future__ import annotations

import functools
import hashlib

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer

from labkit.data import shipped
from labkit.models.config import DecoderConfig
from labkit.models.decoder import Decoder
from labkit.rag.bm25 import words
from labkit.rag.likelihoods import Reader


class WordSums:
    """A text is the sum of one random direction a word, so what it shares with another is its cosine to it."""

    def __init__(self, name: str = "word-sums", width: int = 64) -> None:
        self.name, self.width, self.nbytes = name, width, 0

    def encode(self, texts):
        rows = [sum((self._direction(w) for w in words(text)), np.full(self.width, 1e-6)) for text in texts]
        vectors = np.array(rows, dtype=np.float32).reshape(-1, self.width)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def _direction(self, word):
        return _direction(word, self.width)


@functools.cache
def _direction(word, width):
    seed = int(hashlib.sha256(word.encode()).hexdigest()[:8], 16)
    return np.random.default_rng(seed).normal(size=width)


@pytest.fixture
def word_sums():
    return WordSums


@pytest.fixture(scope="session")
def tokenizer():
    return AutoTokenizer.from_pretrained(shipped("tokenizer"))


@pytest.fixture(scope="session")
def reader(tokenizer):
    """A tiny decoder with random weights, far from uniform, that reads what the course's models read."""
    torch.manual_seed(0)
    model = Decoder(DecoderConfig("llama", 4096, 64, 96, 2, 4, 2, 16, 1e-6, 1024, eos_token_ids=(1,))).eval()
    for name, parameter in model.requires_grad_(False).named_parameters():
        torch.nn.init.normal_(parameter, std=0.3)
        if "norm" in name:
            parameter.add_(1)
    return Reader(model, tokenizer)
