"""The shipped tokenizer and a decoder small enough to train in a test."""

from __future__ import annotations

import dataclasses

import pytest
import transformers as t

from labkit.data import shipped
from labkit.training.recipes import qwen3
from tests.precision import auto_is_fp32  # noqa: F401
from tests.threads import one_thread  # noqa: F401

t.logging.disable_progress_bar()


@pytest.fixture(scope="session")
def tokenizer():
    return t.AutoTokenizer.from_pretrained(shipped("tokenizer"))


@pytest.fixture
def tiny():
    return dataclasses.replace(qwen3(hidden=64, layers=3, heads=2, kv_heads=1), head_dim=32)
