"""A service decodes as fast as this machine allows from the weights that were asked for."""

import asyncio

import pytest
import torch

from labkit.generation import GREEDY, generate
from labkit.generation.lean_decoding import FusedBlocks, packed_bytes
from labkit.generation.stopping import at_tokens
from labkit.models import load
from labkit.models.errors import LoadError
from labkit.serving.assembling import Limits, load_service
from labkit.serving.completion_request import CompletionRequest

LIMITS = Limits(max_num_seqs=4, cache_tokens=512)


def _limited(name, **options):
    return load_service(name, LIMITS, **options)


def parts(service):
    runner = service.engine._run
    return runner.model, runner.cache


@pytest.mark.parametrize(("dtype", "kept"), [("float32", torch.float32), ("auto", torch.bfloat16)])
def test_on_a_cpu_it_is_lean_and_weights_and_cache_are_of_one_dtype(dtype, kept):
    model, cache = parts(load_service("course-seed", LIMITS, dtype=dtype, device="cpu"))
    assert any(isinstance(layer, FusedBlocks) for layer in model.layers)
    assert model.lm_head.packed.dtype == cache.keys.dtype == kept


def test_packed_weights_stay_packed():
    whole, packed = (load_service("course-seed", LIMITS, scheme, device="cpu") for scheme in (None, "w8a8"))
    assert packed_bytes(parts(packed)[0]) < 0.75 * packed_bytes(parts(whole)[0])


def test_a_cache_may_be_of_a_dtype_of_its_own():
    limits = Limits(max_num_seqs=4, cache_tokens=512, cache_dtype=torch.float32)
    assert parts(load_service("course-seed", limits, device="cpu"))[1].keys.dtype == torch.float32


def test_what_cannot_be_loaded_is_told():
    with pytest.raises(LoadError, match="'w3a3' is unknown"):
        load_service("course-seed", LIMITS, "w3a3", device="cpu")


def test_it_answers_as_the_model_alone_would():
    service, alone = (make("course-seed", dtype="float32", device="cpu") for make in (_limited, load))
    prompts = [[5, 6, 7], [9], list(range(20, 40))]

    async def main():
        async with service.engine:
            return await asyncio.gather(*(answer(service, prompt) for prompt in prompts))

    async def answer(service, prompt):
        asked = CompletionRequest(prompt, 12, GREEDY, ignore_eos=True)
        return "".join([piece.text async for piece in service.answer(asked)])

    written = generate(alone.model, prompts, 12, stop=at_tokens(-1)).tokens
    expected = [alone.tokenizer.decode(list(row), skip_special_tokens=True) for row in written]
    assert asyncio.run(main()) == expected
