"""What lab 01 calls right is what transformers' own models are made of."""

import pytest
import torch
from transformers import AutoModelForCausalLM, LlamaConfig, Qwen3Config

from labkit.course.labs.lab01.context import KV_BYTES
from labkit.course.labs.lab01.counting import PARAMETERS, count
from labkit.course.labs.lab01.shapes import LLAMA_3_8B, QWEN3_06B, TINY


@pytest.mark.parametrize(
    ("shape", "family"), [(TINY, LlamaConfig), (TINY, Qwen3Config), (LLAMA_3_8B, LlamaConfig), (QWEN3_06B, Qwen3Config)]
)
def test_counted_weights_are_those_of_transformers(shape, family):
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(family(**shape))
    assert count(shape) == sum(p.numel() for p in model.parameters() if p.dim() == 2)


def test_a_conversation_keeps_what_transformers_keeps():
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(LlamaConfig(**TINY, pad_token_id=0)).eval()
    with torch.no_grad():
        kept = model(torch.tensor([[1, 2, 3]]), use_cache=True).past_key_values
    held = sum(t.nbytes for layer in kept.layers for t in (layer.keys, layer.values))
    assert KV_BYTES.judge.oracle(TINY, 3, 4) == held


def test_published_sizes():
    assert count(LLAMA_3_8B) + 65 * 4096 == 8_030_261_248  # with the gains of its 65 norms, as its model card says
    assert PARAMETERS.judge.oracle(TINY) == 280
