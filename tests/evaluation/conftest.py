"""A tiny model of transformers with random weights, read back by our loader, and the shipped tokenizer."""

from __future__ import annotations

import pytest
import torch
import transformers as t

from labkit.data import shipped
from labkit.models import load
from tests.threads import one_thread  # noqa: F401

t.logging.disable_progress_bar()


@pytest.fixture(scope="session")
def tokenizer():
    return t.AutoTokenizer.from_pretrained(shipped("tokenizer"))


@pytest.fixture(scope="session")
def pairs(tmp_path_factory):
    """Two models, each as (ours, theirs): the same weights in our decoder and in transformers' own class."""

    def make(seed: int):
        torch.manual_seed(seed)
        config = t.LlamaConfig(
            vocab_size=4096,
            hidden_size=64,
            intermediate_size=96,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=128,
            initializer_range=0.3,  # far from uniform, so that a first choice is one
            pad_token_id=0,
            eos_token_id=1,
        )
        theirs = t.LlamaForCausalLM(config).eval()
        folder = tmp_path_factory.mktemp(f"tiny-{seed}")
        theirs.save_pretrained(folder)
        return load(folder, dtype="float32", device="cpu").model, theirs

    return make(0), make(1)
