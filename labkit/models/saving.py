"""Writing a decoder as a checkpoint folder in the names of its family: `loading.load` and transformers read it back.

Quantized layers are written as codes and scales: those of bitsandbytes in its own layout, ours as `PackedWeight` names
them, which only labkit reads.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from labkit.models.config_writing import write_config
from labkit.models.decoder import Decoder, StackedExperts
from labkit.models.families import checkpoint_name
from labkit.models.hashes import write_hashes
from labkit.models.packed_schemes import to_config
from labkit.models.quantized import scheme_of
from labkit.models.quantized_linear import QuantizedLinear


def save(model: Decoder, folder: str | Path, tokenizer: Any = None) -> Path:
    """Write config, weights, their hash, and the tokenizer's files if one is given; returns the folder.

    Raises `ValueError` for a model that mixes schemes of bitsandbytes with each other or with packed layers.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    raw = write_config(model.config) | {"dtype": str(model.dtype).removeprefix("torch.")}
    schemes = {scheme_of(module) for module in model.modules()} - {None}
    packed = {path: m.format for path, m in model.named_modules() if isinstance(m, QuantizedLinear)}
    if packed and schemes:
        raise ValueError("A checkpoint holds layers of bitsandbytes or packed ones of labkit; this model has both.")
    if len(schemes) > 1:
        raise ValueError(f"A checkpoint has one quantization; this model mixes {sorted(s.name for s in schemes)}.")
    if schemes:
        raw["quantization_config"] = schemes.pop().to_config()
    if packed:
        raw["quantization_config"] = to_config(packed)
        raw["tie_word_embeddings"] = raw["tie_word_embeddings"] and "lm_head" not in packed
    tensors = {checkpoint_name(model.config.family, name): t for name, t in tensors_of(model).items()}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    write_hashes(folder)
    (folder / "config.json").write_text(json.dumps(raw, indent=2) + "\n", encoding="utf-8")
    if tokenizer is not None:
        tokenizer.save_pretrained(folder)
    return folder


def tensors_of(model: Decoder) -> dict[str, Tensor]:
    """Every tensor of a checkpoint under our names: experts one by one, a tied head left out."""
    tensors: dict[str, Tensor] = {}
    for path, module in model.named_modules():
        if isinstance(module, StackedExperts):
            for e in range(module.gate_up.shape[0]):
                gate, up = module.gate_up[e].chunk(2)
                for name, tensor in (("gate", gate), ("up", up), ("down", module.down[e])):
                    tensors[f"{path}.{e}.{name}_proj.weight"] = tensor
        else:
            module._save_to_state_dict(tensors, f"{path}.", keep_vars=False)
    if getattr(model.lm_head, "weight", None) is model.embed_tokens.weight:
        tensors.pop("lm_head.weight")
    return {name: t.detach().to("cpu", copy=True, memory_format=torch.contiguous_format) for name, t in tensors.items()}
