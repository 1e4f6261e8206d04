"""What a client asks for, out of the JSON of OpenAI's interface, or one sentence and a status that say why not.

Fields as in OpenAI's reference for `/v1/completions` and `/v1/chat/completions`; `top_k`, `min_p`, `repetition_penalty`
and `ignore_eos` as vLLM and SGLang add them. A field that would change the answer and is not served is refused; others
that are unknown are left unread, as clients send many.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from transformers import PreTrainedTokenizerBase

from labkit.generation.sampling import Sampling
from labkit.serving.json_fields import Fields, RefusedError, read_object

COMPLETION_TOKENS = 16
"""Of `/v1/completions` where `max_tokens` is not given, as OpenAI has it; a chat may fill the context."""
MOST_STOPS = 16

_SERVED_ONLY = {
    **dict.fromkeys(("n", "best_of"), (None, 1)),
    **dict.fromkeys(("echo", "logprobs"), (None, False)),
    **dict.fromkeys(("presence_penalty", "frequency_penalty"), (None, 0)),
    **dict.fromkeys(("suffix", "logit_bias", "tools", "functions", "top_logprobs"), (None, "", {}, [])),
    "response_format": (None, {"type": "text"}),
}


@dataclass(frozen=True)
class Offer:
    """What is served: the model's `name`, `tokenizer` and `vocab_size`, and how many tokens a request can have."""

    name: str
    tokenizer: PreTrainedTokenizerBase
    vocab_size: int
    context: int


@dataclass(frozen=True)
class CompletionRequest:
    """A request that can be served."""

    token_ids: list[int]
    max_tokens: int
    sampling: Sampling
    seed: int | None = None
    stop: tuple[str, ...] = ()
    ignore_eos: bool = False
    stream: bool = False
    include_usage: bool = False
    continuous_usage_stats: bool = False


def read_request(body: bytes, offer: Offer, chat: bool) -> CompletionRequest:
    """Raises `RefusedError`: 404 for another model, 400 for what is malformed, too long or not served."""
    fields = Fields(read_object(body))
    _check_model(fields.of("model", str), offer.name)
    for name, served in _SERVED_ONLY.items():
        if fields.values.get(name) not in served:
            raise RefusedError(f"{name} is not served here; leave it out.", name)
    token_ids = _chat_tokens(fields, offer) if chat else _prompt_tokens(fields, offer)
    options = Fields(fields.of("stream_options", dict, {}))
    seed = fields.of("seed", int)
    if seed is not None and not -(2**63) <= seed < 2**64:
        raise RefusedError("seed is a whole number of 64 bits.", "seed")
    return CompletionRequest(
        token_ids=token_ids,
        max_tokens=_max_tokens(fields, len(token_ids), offer.context, chat),
        sampling=_sampling(fields),
        seed=seed,
        stop=_stops(fields),
        ignore_eos=fields.of("ignore_eos", bool, False),
        stream=fields.of("stream", bool, False),
        include_usage=options.of("include_usage", bool, False),
        continuous_usage_stats=options.of("continuous_usage_stats", bool, False),
    )


def _check_model(asked: str | None, name: str) -> None:
    if asked is None:
        raise RefusedError(f"model is missing; this server offers {name!r}.", "model")
    if asked != name:
        raise RefusedError(
            f"The model {asked[:100]!r} does not exist; this server offers {name!r}.", "model", 404, "model_not_found"
        )


def _prompt_tokens(fields: Fields, offer: Offer) -> list[int]:
    prompt = fields.of("prompt", (str, list))
    if isinstance(prompt, str):
        prompt = offer.tokenizer(prompt)["input_ids"]
    elif prompt and not all(type(token) is int for token in prompt):
        raise RefusedError("prompt is one text or one list of token numbers; send each prompt by itself.", "prompt")
    if not prompt:
        raise RefusedError("prompt must have at least one token.", "prompt")
    strange = next((token for token in prompt if not 0 <= token < offer.vocab_size), None)
    if strange is not None:
        raise RefusedError(f"Token {strange} is not in the vocabulary of {offer.vocab_size}.", "prompt")
    return prompt


def _chat_tokens(fields: Fields, offer: Offer) -> list[int]:
    messages = fields.of("messages", list)
    if not messages:
        raise RefusedError("messages must have at least one message.", "messages")
    turns = [_turn(message) for message in messages]
    if offer.tokenizer.chat_template is None:
        raise RefusedError(f"{offer.name} has no chat template; use /v1/completions.", "messages")
    try:
        text = offer.tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    except Exception as error:  # a template refuses in words of its own, by exceptions of jinja's
        raise RefusedError(f"The model's chat template refuses these messages: {error}.", "messages") from None
    return offer.tokenizer(text, add_special_tokens=False)["input_ids"]


def _turn(message: Any) -> dict[str, str]:
    if not isinstance(message, dict):
        raise RefusedError("Each message must be an object with role and content.", "messages")
    fields = Fields(message)
    role, content = fields.of("role", str), fields.of("content", (str, list))
    if isinstance(content, list):
        parts = [part.get("text") if isinstance(part, dict) else None for part in content]
        content = "".join(parts) if all(isinstance(part, str) for part in parts) else None
    if role is None or content is None:
        raise RefusedError("Each message has a role and a content of text.", "messages")
    return {"role": role, "content": content}


def _max_tokens(fields: Fields, prompt: int, context: int, chat: bool) -> int:
    room = context - prompt
    name = "max_completion_tokens" if fields.values.get("max_completion_tokens") is not None else "max_tokens"
    asked = fields.of(name, int)
    if asked is not None and asked < 1:
        raise RefusedError(f"{name} must be at least 1; got {asked}.", name)
    wanted = asked or (max(room, 1) if chat else COMPLETION_TOKENS)
    if asked is None and room >= 1:
        wanted = min(wanted, room)
    if wanted > room:
        raise RefusedError(
            f"The context has {context} tokens; this request has {prompt} in the prompt and asks for {wanted} more.",
            "messages" if chat else "prompt",
            code="context_length_exceeded",
        )
    return wanted


def _sampling(fields: Fields) -> Sampling:
    try:
        return Sampling(
            temperature=fields.of("temperature", float, 1.0),
            top_k=fields.of("top_k", int) if fields.values.get("top_k") not in (-1, 0) else None,  # vLLM's for all
            top_p=fields.of("top_p", float),
            min_p=fields.of("min_p", float),
            repetition_penalty=fields.of("repetition_penalty", float, 1.0),
        )
    except ValueError as error:
        raise RefusedError(str(error), str(error).split()[0]) from None


def _stops(fields: Fields) -> tuple[str, ...]:
    stop = fields.of("stop", (str, list), [])
    stops = (stop,) if isinstance(stop, str) else tuple(stop)
    if len(stops) > MOST_STOPS or not all(isinstance(text, str) and text for text in stops):
        raise RefusedError(f"stop is a text, or a list of at most {MOST_STOPS} texts, none of them empty.", "stop")
    return stops
