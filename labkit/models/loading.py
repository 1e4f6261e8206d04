"""`load`: from a name to a model, its tokenizer and its loading card, or to one sentence that says why not.

The order is the promise: find, read the config, choose device and dtype, plan the memory, and only then fetch and read
weights. No step trusts the one before: shapes are checked against the config, ids against the embedding table.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from labkit.models.card import LoadingCard, decoder_facts
from labkit.models.checkpoint import read_json
from labkit.models.decoder import Decoder
from labkit.models.errors import LoadError
from labkit.models.families import read_config
from labkit.models.filling import Reader, check_tensors, empty_decoder, fill, wanted_tensors
from labkit.models.placement import available_bytes, bf16_is_fast, choose_device, choose_dtype
from labkit.models.planning import PLANNED_CONTEXT, make_plan, refuse_if_too_big
from labkit.models.scheme_lookup import AnyScheme, scheme_in_config, scheme_named
from labkit.models.shipped import shipped_folders
from labkit.models.sources import Source, find_source, open_checkpoint
from labkit.models.tokenizers import load_tokenizer


@dataclass(frozen=True)
class Loaded:
    """What `load` returns; unpacks as `model, tokenizer, card`."""

    model: nn.Module
    tokenizer: Any | None
    card: LoadingCard

    def __iter__(self) -> Iterator[Any]:
        return iter((self.model, self.tokenizer, self.card))

    def _repr_html_(self) -> str:
        return self.card._repr_html_()


def load(
    name_or_path: str | Path,
    quantization: str | None = None,
    dtype: str | torch.dtype = "auto",
    device: str | torch.device = "auto",
    backend: str = "labkit",
) -> Loaded:
    """A model in evaluation mode with its tokenizer and card, from a shipped name, a local folder or a hub id.

    `quantization` is None, a scheme of bitsandbytes ("int8", "nf4", "nf4-double", "fp4") or one of ours, named by the
    bits of weights and activations ("w4a16", "w4a8", "w8a16", "w8a8"), which computes from packed weights, in C on a
    CPU and in Triton on a GPU.
    `dtype` "auto" is bf16 where the hardware has it and is fast at it, fp16 on older GPUs, fp32 elsewhere. `backend`
    "labkit" is our decoder; "transformers" gives transformers' own model, of any architecture, over all GPUs there are
    when one is too small.

    Raises `LoadError` for anything that is missing, damaged, contradictory, too big or unknown.
    """
    if backend not in ("labkit", "transformers"):
        raise LoadError(f"backend={backend!r} is unknown; say 'labkit' or 'transformers'.")
    scheme, place = scheme_named(quantization), choose_device(device)
    kind, source = choose_dtype(dtype, place), find_source(name_or_path)
    if backend == "transformers":
        from labkit.models.theirs import load_theirs

        return Loaded(*load_theirs(source, scheme, kind, place, automatic=str(device) == "auto"))
    return _load_ours(source, scheme, kind, place)


def _load_ours(source: Source, scheme: AnyScheme | None, dtype: torch.dtype, device: torch.device) -> Loaded:
    where = source.folder / "config.json"
    raw = read_json(where)
    config, stored = read_config(raw, str(where)), scheme_in_config(raw, str(where))
    scheme = _agreed(scheme, stored, where)
    plan = make_plan(source.name, config, dtype, scheme, device, available_bytes(device))
    refuse_if_too_big(plan, config, dtype, device, list(shipped_folders()))
    tokenizer = load_tokenizer(source.folder, config.vocab_size)
    model, checkpoint = empty_decoder(config), open_checkpoint(source)
    check_tensors(wanted_tensors(model), config, checkpoint, stored)
    fill(model, Reader(config, checkpoint, device, dtype), scheme, stored)
    return Loaded(model.eval(), tokenizer, _card(source, model, scheme, tokenizer))


def _agreed(asked: AnyScheme | None, stored: AnyScheme | None, where: Path) -> AnyScheme | None:
    if asked is not None and stored is not None and asked.name != stored.name:
        raise LoadError(f"{where}: the weights are stored as {stored.name} and cannot become {asked.name}.")
    return stored or asked


def _card(source: Source, model: Decoder, scheme: AnyScheme | None, tokenizer: Any | None) -> LoadingCard:
    card = LoadingCard(
        name=source.name,
        source=source.kind,
        backend="labkit",
        device=str(model.device),
        dtype=str(model.dtype).removeprefix("torch."),
        quantization=scheme.name if scheme else None,
        tokenizer=describe_tokenizer(tokenizer),
        context=min(model.config.max_position_embeddings, PLANNED_CONTEXT),
        notes=notes_on(model.dtype, model.device),
        **decoder_facts(model),
    )
    return card.remembered()


def describe_tokenizer(tokenizer: Any | None) -> str:
    """A few words for the card."""
    return "none beside the weights" if tokenizer is None else f"{len(tokenizer):,} entries"


def notes_on(dtype: torch.dtype, device: torch.device) -> tuple[str, ...]:
    """What a reader should know about a choice they made."""
    if dtype == torch.bfloat16 and device.type == "cpu" and not bf16_is_fast():
        return ("This processor is slow in bf16: expect float32 to be many times faster.",)
    return ()
