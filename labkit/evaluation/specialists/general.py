"""The model in the specialists' dress, to stand in one table with them."""

from __future__ import annotations

from transformers import PreTrainedTokenizerBase

from labkit.evaluation import prompts
from labkit.evaluation.answering import answers
from labkit.evaluation.specialists.specialist import Specialist, source_bytes
from labkit.kernels import attention, rms_norm, rotary
from labkit.models import cache, config, decoder, rope

LONGEST = 128
"""Tokens of an answer."""


def general_model(name: str, model: decoder.Decoder, tokenizer: PreTrainedTokenizerBase) -> Specialist:
    """Answers any message of the chat. Written is the decoder, learned are its weights; no rule is for any one task."""
    return Specialist(
        name=name,
        answer=lambda message: answers(model, tokenizer, [message], LONGEST)[0].text,
        rules=0,
        entries=0,
        written_bytes=source_bytes(decoder, cache, config, rope, attention, rms_norm, rotary, prompts),
        learned_bytes=sum(p.nbytes for p in model.parameters()),
    )
