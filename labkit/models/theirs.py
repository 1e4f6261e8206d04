"""transformers' own model for a checkpoint: for architectures our decoder does not compute, and for comparison.

The same promises as our loader: safetensors only, no code of others, nothing missing filled with random numbers. On a
machine with several GPUs a model too big for one is spread over them by accelerate, layer by layer; only one of them
works at a time, so this buys memory and not speed.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import nn

from labkit.models.card import LoadingCard, held_tensors
from labkit.models.checkpoint import read_json
from labkit.models.errors import LoadError
from labkit.models.families import FAMILIES, read_config
from labkit.models.packed_schemes import PackedScheme
from labkit.models.placement import available_bytes
from labkit.models.planning import PLANNED_CONTEXT, make_plan, on_all_gpus, refuse_if_too_big
from labkit.models.scheme_lookup import AnyScheme, scheme_in_config
from labkit.models.schemes import Scheme
from labkit.models.shipped import shipped_folders
from labkit.models.sources import Source, open_checkpoint
from labkit.models.tokenizers import load_tokenizer


def load_theirs(
    source: Source, scheme: AnyScheme | None, dtype: torch.dtype, device: torch.device, automatic: bool
) -> tuple[nn.Module, Any | None, LoadingCard]:
    """Model, tokenizer and card. `automatic` lets accelerate use every GPU when one is too small."""
    where = source.folder / "config.json"
    raw = read_json(where)
    if raw.get("auto_map"):
        raise LoadError(f"{where}: auto_map asks to run code from the checkpoint, which labkit never does.")
    stored = scheme_in_config(raw, str(where))
    if isinstance(stored or scheme, PackedScheme):
        raise LoadError(f"{where}: transformers cannot run {(stored or scheme).name}; backend='labkit' can.")
    spread = _plan(source, raw, scheme, dtype, device, automatic)
    if stored is not None and scheme not in (None, stored):
        raise LoadError(f"{where}: the weights are stored as {stored.name} and cannot become {scheme.name}.")
    folder = open_checkpoint(source).folder
    model, unused = _read(folder, None if stored else scheme, dtype, "auto" if spread else device)
    if scheme or stored:
        _close_traps(model, scheme or stored)
    vocab = model.get_input_embeddings().weight.shape[0]
    tokenizer = load_tokenizer(source.folder, vocab)
    card = _card(source, model, scheme or stored, dtype, device, tokenizer)
    return model.eval(), tokenizer, _with_note_on(unused, card)


def _plan(
    source: Source, raw: dict, scheme: Scheme | None, dtype: torch.dtype, device: torch.device, automatic: bool
) -> bool:
    """Refuse what does not fit, where the family is one we can count; returns whether to use all GPUs."""
    if raw.get("model_type") not in FAMILIES:
        return False
    config = read_config(raw, str(source.folder / "config.json"))
    plan = make_plan(source.name, config, dtype, scheme, device, available_bytes(device))
    spread = automatic and device.type == "cuda" and not plan.fits and torch.cuda.device_count() > 1
    refuse_if_too_big(on_all_gpus(plan) if spread else plan, config, dtype, device, list(shipped_folders()))
    return spread


def _read(
    folder: Any, scheme: Scheme | None, dtype: torch.dtype, place: torch.device | str
) -> tuple[nn.Module, list[str]]:
    """The model and the names of tensors in the file that it has no use for."""
    import transformers

    options: dict[str, Any] = {"dtype": dtype, "device_map": place if place == "auto" else {"": place}}
    if scheme is not None:
        options["quantization_config"] = _quantization_config(transformers, scheme, dtype)
    try:
        model, info = transformers.AutoModelForCausalLM.from_pretrained(
            str(folder),
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            output_loading_info=True,
            **options,
        )
    except Exception as error:  # from anywhere below transformers
        reason = str(error).strip().split("\n")[0][:300]
        raise LoadError(f"{folder}: transformers cannot load this checkpoint ({reason}).") from None
    absent = sorted(info["missing_keys"]) + [str(m) for m in info["mismatched_keys"]]
    if absent:
        raise LoadError(f"{folder}: the weights lack {absent[0]}; transformers would fill it with random numbers.")
    broken = next((n for n, p in model.named_parameters() if p.is_floating_point() and not p.isfinite().all()), None)
    if broken:
        raise LoadError(f"{folder}: the weights are damaged, {broken} holds infinities or NaN.")
    return model, sorted(info["unexpected_keys"])


def _quantization_config(transformers: Any, scheme: Scheme, dtype: torch.dtype) -> Any:
    if scheme.bits == 8:
        return transformers.BitsAndBytesConfig(load_in_8bit=True)
    return transformers.BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type=scheme.quant_type,
        bnb_4bit_use_double_quant=scheme.double,
        bnb_4bit_compute_dtype=dtype,
    )


def _close_traps(model: nn.Module, scheme: Scheme) -> None:
    """No repacking of 4-bit weights, and no experts left as they are; see `labkit.models.quantized`."""
    import bitsandbytes as bnb
    from bitsandbytes.nn.parametrize import replace_parameter_4bit

    for path, module in list(model.named_modules()):
        if isinstance(module, bnb.nn.Linear4bit):
            module.support_avx512bf16_for_cpu = False
        for name, parameter in list(module.named_parameters(recurse=False)):
            if parameter.dim() != 3 or not parameter.is_floating_point():
                continue
            if scheme.bits == 8:
                raise LoadError(f"{path}.{name}: stacked experts have no int8 in bitsandbytes; backend='labkit' does.")
            replace_parameter_4bit(module, name, compress_statistics=scheme.double, quant_type=scheme.quant_type)


def _card(
    source: Source, model: nn.Module, scheme: Scheme | None, dtype: torch.dtype, device: torch.device, tokenizer: Any
) -> LoadingCard:
    from labkit.models.loading import describe_tokenizer, notes_on

    config = model.config
    tensors = held_tensors(model)
    total, count = sum(nbytes for _, nbytes, _ in tensors), sum(n for _, _, n in tensors)
    tables = {t.data_ptr(): t.nbytes for t in _embedding_and_head(model)}
    held = {"embedding and head": sum(tables.values()), "layers": total - sum(tables.values())}
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    card = LoadingCard(
        name=source.name,
        source=source.kind,
        family=config.model_type,
        backend="transformers",
        device=str(device),
        dtype=str(dtype).removeprefix("torch."),
        quantization=scheme.name if scheme else None,
        tokenizer=describe_tokenizer(tokenizer),
        parameters=count,
        active_parameters=count,
        bytes_by_part=held,
        step_weight_bytes=total,
        cache_bytes_per_token=2 * config.num_hidden_layers * heads * size * dtype.itemsize,
        context=min(getattr(config, "max_position_embeddings", PLANNED_CONTEXT), PLANNED_CONTEXT),
        notes=(
            "Bytes a step are an upper bound: the embedding table and every expert count.",
            *notes_on(dtype, device),
        ),
    )
    return card.remembered()


def _with_note_on(unused: list[str], card: LoadingCard) -> LoadingCard:
    if not unused:
        return card
    note = f"{len(unused)} tensors of the file found no place in the model, the first is {unused[0]}."
    return replace(card, notes=(*card.notes, note))


def _embedding_and_head(model: nn.Module) -> list[torch.Tensor]:
    layers = (model.get_input_embeddings(), model.get_output_embeddings())
    return [layer.weight for layer in layers if layer is not None]
