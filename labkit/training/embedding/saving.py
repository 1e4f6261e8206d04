"""The encoder in sentence-transformers' own folder: four modules, listed in modules.json and run one after the other.

    modules.json                       which modules, in which folders
    0_Transformer/                     transformers' ModernBERT and its tokenizer
    1_Pooling/config.json              the mean over tokens
    2_Dense/                           the projection
    3_Normalize/config.json            to length one

Written and read here without the package, so that the course's own encoder needs nothing but transformers.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer, ModernBertModel

from labkit.training.embedding.encoder import TextEncoder
from labkit.training.tokenizer import CONTEXT

_PACKAGE = "sentence_transformers.models"
"""Where the modules stand for every version of the package from 2 on."""
_MODULES = [
    ("0_Transformer", "Transformer"),
    ("1_Pooling", "Pooling"),
    ("2_Dense", "Dense"),
    ("3_Normalize", "Normalize"),
]


def save_encoder(encoder: TextEncoder, folder: Path) -> Path:
    """Writes the encoder in fp32, which every CPU is fast at; returns the folder."""
    inner = folder / "0_Transformer"
    encoder.transformer.save_pretrained(inner)
    encoder.tokenizer.save_pretrained(inner)
    _write(inner / "tokenizer_config.json", _read(inner / "tokenizer_config.json") | {"padding_side": "right"})
    _write(inner / "sentence_bert_config.json", {"max_seq_length": CONTEXT, "do_lower_case": False})
    modules = [
        {"idx": n, "name": str(n), "path": path, "type": f"{_PACKAGE}.{kind}"}
        for n, (path, kind) in enumerate(_MODULES)
    ]
    _write(folder / "modules.json", modules)
    _write(folder / "config_sentence_transformers.json", {"similarity_fn_name": "cosine"})
    width = encoder.width
    _write(folder / "1_Pooling/config.json", {"word_embedding_dimension": width, "pooling_mode_mean_tokens": True})
    dense = {"in_features": width, "out_features": width, "bias": False}
    _write(folder / "2_Dense/config.json", dense | {"activation_function": "torch.nn.modules.linear.Identity"})
    save_file({"linear.weight": encoder.projection.weight.detach().cpu()}, folder / "2_Dense/model.safetensors")
    _write(folder / "3_Normalize/config.json", {})
    return folder


def load_encoder(folder: Path) -> TextEncoder:
    """The encoder of a folder that `save_encoder` wrote, ready to encode.

    Raises `ValueError` for a folder whose modules are others: sentence-transformers itself loads those.
    """
    listed = _read(folder / "modules.json") if (folder / "modules.json").is_file() else []
    if [(m["path"], m["type"].rpartition(".")[2]) for m in listed] != _MODULES:
        raise ValueError(f"{folder} holds no encoder of the course; load it with sentence_transformers.")
    inner = folder / "0_Transformer"
    encoder = TextEncoder(ModernBertModel.from_pretrained(inner), AutoTokenizer.from_pretrained(inner))
    encoder.projection.load_state_dict({"weight": load_file(folder / "2_Dense/model.safetensors")["linear.weight"]})
    return encoder.eval()


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _write(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes((json.dumps(content, indent=2) + "\n").encode())
