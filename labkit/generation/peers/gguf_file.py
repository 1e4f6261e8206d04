"""A checkpoint as a GGUF file, the format of llama.cpp.

Specification: github.com/ggml-org/ggml, docs/gguf.md. Matrices are fp32, bf16, Q8_0 (blocks of 32 numbers with one
fp16 scale and 8 bits each) or Q4_0 (the same in 4 bits), all of them alike, embedding and head included, which
llama.cpp calls pure; norms and biases stay fp32. The package `gguf` writes the file and rounds the blocks.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch

from labkit.generation.peers.engine import Blocked
from labkit.models import Decoder, DecoderConfig, load

_TRUNK = {"embed_tokens": "token_embd", "norm": "output_norm", "lm_head": "output"}
_BLOCK = {
    "attention_norm": "attn_norm",
    "mlp_norm": "ffn_norm",
    **{f"attention.{p}_proj": f"attn_{p}" for p in "qkv"},
    "attention.o_proj": "attn_output",
    **{f"attention.{p}_norm": f"attn_{p}_norm" for p in "qk"},
    **{f"mlp.{p}_proj": f"ffn_{p}" for p in ("gate", "up", "down")},
}


def write_gguf(folder: Path, kind: str, place: Path) -> None:
    """Write the checkpoint of `folder` to the file `place`; `kind` is F32, BF16, Q8_0 or Q4_0.

    Raises `Blocked` for what GGUF's "llama" and "qwen3" do not have.
    """
    import gguf

    model = load(folder, dtype="float32", device="cpu").model
    config = model.config
    if config.family not in ("llama", "qwen3") or config.moe or config.rope.rope_type != "default":
        raise Blocked(f"GGUF is written for dense Llama and Qwen3 with plain rotary embedding, not {config.family}")
    if config.family == "qwen3" and config.attention_bias:
        raise Blocked("llama.cpp's Qwen3 has no bias where attention's output is projected, as this model has")
    writer = gguf.GGUFWriter(place, config.family)
    _describe(writer, config, gguf.LlamaFileType[_FILE_TYPES[kind]])
    writer.add_tokenizer_model("no_vocab")  # ids go in and come out
    rounding = gguf.GGMLQuantizationType[kind]
    for name, tensor in named_tensors(model).items():
        wanted = rounding if tensor.dim() == 2 else gguf.GGMLQuantizationType.F32
        writer.add_tensor(name, gguf.quants.quantize(tensor.numpy(), wanted), raw_dtype=wanted)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


_FILE_TYPES = {"F32": "ALL_F32", "BF16": "MOSTLY_BF16", "Q8_0": "MOSTLY_Q8_0", "Q4_0": "MOSTLY_Q4_0"}


def named_tensors(model: Decoder) -> dict[str, torch.Tensor]:
    """Every tensor under GGUF's name; a tied head is left out, as in the checkpoint.

    llama.cpp turns neighbouring features of a Llama's heads, transformers those half a head apart: the rows of its
    query and key matrices change places. Qwen3 is turned alike in both.
    """
    found = {}
    for ours, tensor in model.state_dict().items():
        if ours == "lm_head.weight" and model.config.tie_word_embeddings:
            continue
        path, _, end = ours.rpartition(".")
        if model.config.family == "llama" and re.search(r"attention\.[qk]_proj$", path):
            tensor = _neighbours(tensor, model.config.head_dim)
        found[f"{_theirs(path)}.{end}"] = tensor.contiguous()
    return found


def _neighbours(rows: torch.Tensor, head_dim: int) -> torch.Tensor:
    """Feature i and feature i + head_dim / 2 of each head, brought beside each other."""
    return rows.unflatten(0, (-1, 2, head_dim // 2)).transpose(1, 2).flatten(0, 2)


def _theirs(path: str) -> str:
    inside = re.fullmatch(r"layers\.(\d+)\.(.+)", path)
    return f"blk.{inside[1]}.{_BLOCK[inside[2]]}" if inside else _TRUNK[path]


def _describe(writer: Any, config: DecoderConfig, file_type: int) -> None:
    writer.add_block_count(config.num_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_heads)
    writer.add_head_count_kv(config.num_kv_heads)
    writer.add_key_length(config.head_dim)
    writer.add_value_length(config.head_dim)
    writer.add_layer_norm_rms_eps(config.norm_eps)
    writer.add_rope_dimension_count(config.head_dim)
    writer.add_rope_freq_base(config.rope.theta)
    writer.add_vocab_size(config.vocab_size)
    writer.add_file_type(file_type)
