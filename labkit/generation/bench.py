"""The timed proofs of this room: decoding beside other engines, time over context and batch, what speculation buys.

They run under `make bench`, on a quiet machine. Speeds count only beside the quality of the same variant's logits.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedTokenizerBase

from labkit.generation.bench_grid import grid
from labkit.generation.bench_peers import QUALITY, RUNS, beside_transformers
from labkit.generation.bench_speculation import speculation
from labkit.generation.bench_window import forgetting, windows
from labkit.measure.machines import machine
from labkit.measure.promise import promised
from labkit.models import Decoder, DecoderConfig, LoadError, load, save

LLAMA_44M = DecoderConfig("llama", 8192, 512, 1408, 12, 8, 4, 64, 1e-6, 4096)
"""Larger than the last cache of most processors in fp32: 158 MB of matrices."""

BARS = {"lean fp32": 2.4, "lean bf16": 4.2}
"""Decoding at batch 1, one thread, in units of transformers' fp32 `generate` on the same weights."""
COSINE = 0.999
"""What last-token logits must reach beside those of transformers in fp32, or their speed does not count."""

TRAINED = Path("bench/training")


def bench(out: Path) -> dict[str, Any]:
    """Run the timed proofs; the result is plain data for JSON. Missing models are *blocked*."""
    found: dict[str, Any] = {"machine": machine().processor, "torch": torch.__version__}
    with tempfile.TemporaryDirectory(dir=out) as folder:
        large = random_llama(Path(folder))
        found["random Llama, 44 M"] = judged(beside_transformers(large))
        model = load(large, dtype="float32", device="cpu").model
        found["context and batch, 44 M"] = grid(model)
        found["window cache, 44 M"] = windows(model)
    dense, draft = trained("course-dense"), trained("course-draft")
    missing = {"blocked": "course-dense or course-draft is not trained yet"}
    found["course-dense"] = judged(beside_transformers(dense)) if dense else missing
    found["what a window forgets, course-dense"] = forgetting(*_read(dense)) if dense else missing
    found["speculation"] = speculation(dense, draft) if dense and draft else missing
    return found


def _read(name: str | Path) -> tuple[Decoder, PreTrainedTokenizerBase]:
    model, tokenizer, _ = load(name, dtype="float32", device="cpu")
    return model, tokenizer


def judged(found: dict[str, Any]) -> dict[str, Any]:
    """The same with a row for each bar; the other engines of that run stand in the race itself."""
    race, quality, rows = found[f"batch 1, {RUNS[0][1]}"], found[QUALITY], []
    for name, bar in BARS.items():
        speed, cosine = race[name]["ratio"], quality[name]["cosine"]
        holds = speed >= bar and cosine >= COSINE
        rows.append(promised(f"decoding, {name}", speed, bar, holds, cosine=cosine))
    return found | {"bars": rows}


def random_llama(folder: Path) -> Path:
    """The 44 M Llama with random weights, saved so that everybody reads the same."""
    torch.manual_seed(0)
    return save(Decoder(LLAMA_44M), folder)


def trained(name: str) -> str | Path | None:
    """A course model as `load` takes it: shipped, or what training left behind; None where there is neither."""
    for place in (name, TRAINED / name / "model"):
        try:
            load(place, dtype="float32", device="cpu")
        except LoadError:
            continue
        return place
    return None
