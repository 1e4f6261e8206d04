"""The timed proofs of this room: linear layers beside the libraries' own, and the decoding of whole models.

They run under `make bench`, on a quiet machine. Speeds count only beside the quality of the same variant.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import torch

from labkit.generation.bench import random_llama, trained
from labkit.generation.bench_peers import beside_transformers
from labkit.generation.lean_decoding import lean, packed_bytes
from labkit.measure.machines import machine
from labkit.models import Decoder, load
from labkit.models.packed_schemes import PACKED_SCHEMES
from labkit.quantization.bench_bars import decoding_bars, linear_bars
from labkit.quantization.bench_linears import beside_libraries
from labkit.quantization.bench_peers import versions


def bench(out: Path) -> dict[str, Any]:
    """Run the timed proofs; the result is plain data for JSON. Missing models and libraries are *blocked*."""
    found: dict[str, Any] = {"machine": machine().processor, "torch": torch.__version__, **versions()}
    for threads, name in ((1, "1 thread"), ("all", "all threads")):
        found[f"linears, {name}"] = rows = beside_libraries(threads)
        found[f"bars of linears, {name}"] = linear_bars(rows)
    with tempfile.TemporaryDirectory(dir=out) as folder:
        found["random Llama, 44 M"] = decoding(random_llama(Path(folder)))
    dense = trained("course-dense")
    found["course-dense"] = decoding(dense) if dense else {"blocked": "course-dense is not trained yet"}
    return found


def decoding(model: str | Path) -> dict[str, Any]:
    """Bytes that a step reads, quality and speed of every scheme of ours, in units of transformers' fp32; and bars."""
    variants: dict[str, Decoder] = {"lean fp32": lean(load(model, dtype="float32", device="cpu").model)}
    for name in PACKED_SCHEMES:
        variants[f"lean {name}"] = lean(load(model, name, dtype="float32", device="cpu").model)
    sizes = {name: packed_bytes(variant) for name, variant in variants.items()}
    found = beside_transformers(model, variants)
    return {"weight bytes a step": sizes, **found, "bars": decoding_bars(found)}
