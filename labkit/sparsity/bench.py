"""The timed proofs of this room: packed layers beside dense ones, where each of them loses, and channels that are gone.

They run under `make bench`, on a quiet machine; no test depends on them.
"""

from __future__ import annotations

import itertools
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from labkit.kernels.row_skipping import InputRows, active_inputs, pack_inputs, row_skipping_linear
from labkit.measure.ceiling import ceilings
from labkit.measure.comparison import compare
from labkit.measure.machines import machine
from labkit.measure.progress import progress
from labkit.sparsity.bench_bars import bars
from labkit.sparsity.bench_beside import ROUNDS, beside_dense, weights_of_shape
from labkit.sparsity.bench_channels import channels
from labkit.sparsity.bench_formats import bytes_24, csr, packed_24
from labkit.sparsity.costs import most_rows, row_skipping_speedup
from labkit.sparsity.masks import keep_in_layer

SHAPES = ((256, 256), (1024, 1024), (4096, 1024), (4096, 4096))
"""Inputs and outputs of a layer."""
DENSITIES, ROWS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 1.0), (1, 2, 4, 8, 16)
CSR_SHAPE, CSR_DENSITIES = (2048, 2048), (0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5)
TYPICAL = 0.3
"""Density at which numbers of rows are tried."""


def bench(out: Path) -> dict[str, Any]:
    """Run the timed proofs, all in one thread, and hold them against the bars; the result is plain data for JSON."""
    at_batch_1 = list(itertools.product(SHAPES, DENSITIES, (1,)))
    more_rows = list(itertools.product(SHAPES, (TYPICAL,), ROWS[1:]))
    call = call_seconds()
    found = {
        "machine": machine().processor,
        "torch": torch.__version__,
        "seconds a call of the skipping layer adds": call,
        "skipping inactive inputs": [
            skipping(*shape, density, rows, call)
            for shape, density, rows in progress(at_batch_1 + more_rows, "row skipping")
        ],
        "2:4 packed": [packed_24(*shape, rows) for shape in progress(SHAPES, "2:4") for rows in ROWS],
        "2:4 bytes over dense fp16": [bytes_24(*shape, out) for shape in SHAPES],
        "CSR at batch 1": [csr(*CSR_SHAPE, density) for density in progress(CSR_DENSITIES, "CSR")],
        "channels of a convolution network": channels(),
    }
    return found | {"bars": bars(found)}


@torch.no_grad()
def skipping(inner: int, out: int, density: float, rows: int, call: float) -> dict[str, Any]:
    """One shape; finding the active inputs is part of the time. What is foretold are the formulas of `costs`."""
    weights = weights_of_shape(inner, out)
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(rows, inner, generator=generator)
    x = x * keep_in_layer(torch.rand(rows, inner, generator=generator), density)
    bandwidth = ceilings("cpu").bandwidth(sum(w.nbytes for w in weights), 1, kind="read")
    return {
        **{"in": inner, "out": out, "density": density, "rows": rows},
        "foretold": row_skipping_speedup(inner, out, density, rows, bandwidth, call),
        "loses from rows": 1 + most_rows(inner, out, density, bandwidth, call),
        **beside_dense(x, weights, [partial(_skip, x, pack_inputs(w), out) for w in weights]),
    }


def call_seconds() -> float:
    """What the skipping layer costs beyond a dense call before any weight is read, by layers of almost nothing."""
    x, weight = torch.ones(1, 16), torch.ones(16, 16)
    dense = partial(torch.nn.functional.linear, x, weight)
    found = compare(dense, partial(_skip, x, pack_inputs(weight), 16), rounds=ROUNDS)
    return max(found.candidate_seconds - found.baseline_seconds, 1e-9)


def _skip(x: Tensor, packed: InputRows, out: int) -> Tensor:
    return row_skipping_linear(x, active_inputs(x), packed, out)
