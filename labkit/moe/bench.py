"""The timed proofs of this room: dispatch beside transformers, the batching cliff, and experts that come from disk.

They run under `make bench`, on a quiet machine; no test depends on them.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import torch
import transformers

from labkit.kernels.expert_dispatch import expert_dispatch
from labkit.measure.ceiling import ceilings
from labkit.measure.machines import machine
from labkit.measure.sweeping import sweep
from labkit.models.config import MoeConfig
from labkit.models.decoder import MLP, StackedExperts
from labkit.moe.bench_bars import bars
from labkit.moe.bench_dispatch import HIDDEN, SHAPES, beside_transformers, routed
from labkit.moe.costs import dense_layer, moe_layer
from labkit.moe.offload import DiskExperts, OffloadedExperts

BATCHES = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024]
STEPS = 64
"""Tokens that are written one after another behind an expert cache."""


def bench(out: Path) -> dict[str, Any]:
    """Run the timed proofs and hold them against the bars; the result is plain data for JSON."""
    race = beside_transformers()
    return {
        "machine": machine().processor,
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "dispatch beside transformers, 1 thread": race,
        "batching cliff, 1 thread": [row for name in SHAPES for row in cliff(name)],
        "offloading to disk": offloading(out),
        "bars": bars(race),
    }


@torch.no_grad()
def cliff(name: str, rounds: int = 7) -> list[dict[str, Any]]:
    """How many times longer a mixture takes than a dense layer of the same arithmetic: foretold, then measured."""
    experts, chosen, inner = SHAPES[name]
    layer, twin = stacked(experts, chosen, inner), MLP(HIDDEN, chosen * inner)

    def pair(tokens: int) -> tuple:
        x, indices, weights = routed(experts, chosen, tokens)[0]
        return lambda: expert_dispatch(x, indices, weights, layer.gate_up, layer.down), lambda: twin(x)

    found = sweep("batch (tokens)", BATCHES, pair, check=None, rounds=rounds, names=("mixture", "dense twin"))
    limits, rows = ceilings("cpu"), []
    for tokens, measured in zip(BATCHES, found.comparisons, strict=True):
        least = moe_layer(HIDDEN, inner, experts, chosen, tokens).least_seconds(limits, 1)
        least_dense = dense_layer(HIDDEN, chosen * inner, tokens).least_seconds(limits, 1)
        interval = {"measured": measured.ratio, "interval": [measured.low, measured.high]}
        rows.append({"shape": name, "tokens": tokens, "foretold": least / least_dense, **interval})
    return rows


def stacked(experts: int, chosen: int, inner: int) -> StackedExperts:
    """Experts of one layer with random weights."""
    return StackedExperts(HIDDEN, MoeConfig(experts, chosen, inner, True, (0,)))


@torch.no_grad()
def offloading(out: Path, name: str = "64 experts, top 8") -> list[dict[str, Any]]:
    """One token after another, each to random experts, behind caches of several sizes; the disk's own copy dropped."""
    experts, chosen, inner = SHAPES[name]
    layer, requests = stacked(experts, chosen, inner), routed(experts, chosen, 1)
    rows = []
    with tempfile.TemporaryDirectory(dir=out) as folder:
        for held in (chosen, experts // 4, experts // 2, experts):
            source = DiskExperts(layer, Path(folder) / "experts")
            cold, away = source.forget(), OffloadedExperts(source, held)
            start = time.perf_counter()
            for step in range(STEPS):
                away(*requests[step % len(requests)])
            seconds = (time.perf_counter() - start) / STEPS
            cache = {"held": held, "hit rate": away.cache.hit_rate, "bytes held": away.cache.nbytes}
            rows.append({"shape": name, **cache, "ms a token": 1e3 * seconds, "from disk, not memory": cold})
    return rows
