"""The shipped tokenizer and a decoder small enough to train in a test."""

from __future__ import annotations

import dataclasses

import pytest
import torch
import transformers as t

from labkit.data import shipped
from labkit.training.recipes import qwen3

t.logging.disable_progress_bar()


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def tokenizer():
    return t.AutoTokenizer.from_pretrained(shipped("tokenizer"))


@pytest.fixture
def tiny():
    return dataclasses.replace(qwen3(hidden=64, layers=3, heads=2, kv_heads=1), head_dim=32)
