"""A small decoder behind the whole service, with the course's tokenizer; and what it alone would answer."""

import dataclasses
from contextlib import asynccontextmanager
from functools import cache
from types import SimpleNamespace

import torch

from labkit.data import shipped
from labkit.generation import GREEDY, generate
from labkit.generation.stopping import at_tokens
from labkit.models.decoder import Decoder
from labkit.models.loading import Loaded
from labkit.models.tokenizers import load_tokenizer
from labkit.serving.assembling import Limits, service_of
from labkit.serving.http_server import openai_server
from tests.serving.decoders import TINY

MODEL, CONTEXT, END = "tiny", 256, 1
TOKENIZER = load_tokenizer(shipped("models/course-seed"), 4096)


@cache
def model(end: int = END) -> Decoder:
    torch.manual_seed(0)
    sizes = {"vocab_size": 4096, "max_position_embeddings": CONTEXT, "eos_token_ids": (end,)}
    decoder = Decoder(dataclasses.replace(TINY, **sizes)).eval().requires_grad_(False)
    for name, parameter in decoder.named_parameters():
        torch.nn.init.normal_(parameter, std=0.3)
        if "norm" in name:
            parameter.add_(1)
    return decoder


def tiny_service(decoder=None, **limits):
    loaded = Loaded(decoder or model(), TOKENIZER, SimpleNamespace(name=MODEL))
    return service_of(loaded, Limits(**{"cache_tokens": 1024, **limits}))


@asynccontextmanager
async def served(decoder=None, stalled=60.0, **limits):
    """The address and the service."""
    service = tiny_service(decoder, **limits)
    async with service.engine, openai_server(service, stalled=stalled) as address:
        yield address, service


def alone(prompt, most, sampling=GREEDY, seed=None, stop=at_tokens(END)):  # noqa: B008  a rule has no state
    """The tokens that a request writes that has the model to itself."""
    tokens = TOKENIZER(prompt)["input_ids"] if isinstance(prompt, str) else prompt
    generator = None if seed is None else torch.Generator().manual_seed(seed)
    return list(generate(model(), [tokens], most, sampling=sampling, generator=generator, stop=stop).tokens[0])


def text_of(tokens):
    return TOKENIZER.decode(tokens, skip_special_tokens=True)


def chat_tokens(content):
    text = TOKENIZER.apply_chat_template(
        [{"role": "user", "content": content}], tokenize=False, add_generation_prompt=True
    )
    return TOKENIZER(text, add_special_tokens=False)["input_ids"]
