"""Our linear layers beside those of the libraries: error, speed, and share of the bandwidth that was measured here.

Every layer exists several times, three times the last cache together, and is called in turns: what is timed reads its
weights from memory, as a decode step of a large model does.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle
from typing import Any, Literal

import torch
from torch import Tensor

from labkit.measure.ceiling import ceilings
from labkit.measure.comparison import compare
from labkit.measure.machines import machine
from labkit.measure.progress import progress
from labkit.models.packed_schemes import PACKED_SCHEMES
from labkit.quantization.bench_peers import PEERS, Layer, Peer, ours

SIZES, ROWS, ROUNDS = (2048, 4096), (1, 4, 16, 64), 9


@torch.no_grad()
def beside_libraries(threads: int | Literal["all"]) -> list[dict[str, Any]]:
    """One row a size, number of rows and scheme of ours; a ratio above 1 means that ours is faster."""
    cells = [(size, rows, scheme) for size in SIZES for scheme in PACKED_SCHEMES for rows in ROWS]
    return [_row(*cell, threads) for cell in progress(cells, f"linears, threads: {threads}")]


def _row(size: int, rows: int, scheme: str, threads: int | Literal["all"]) -> dict[str, Any]:
    torch.manual_seed(0)
    weight, x = torch.randn(size, size) / size**0.5, torch.randn(rows, size)
    fmt, exact = PACKED_SCHEMES[scheme].layer.weight, x @ weight.T
    nbytes = fmt.nbytes(size, size)
    row: dict[str, Any] = {"N = K": size, "M": rows, "scheme": scheme, "bytes": nbytes, "against": {}}
    mine, row["error"] = _prepared(ours(scheme), weight, x, exact, nbytes)
    seconds = []
    for name, peer in PEERS[scheme].items():
        try:
            theirs, error = _prepared(peer, weight, x, exact, size * size * fmt.bits // 8)
        except (ImportError, RuntimeError, NotImplementedError, AttributeError, TypeError) as reason:
            row["against"][name] = {"blocked": str(reason).strip().split("\n")[0]}
            continue
        found = compare(theirs, mine, check=None, rounds=ROUNDS, threads=threads, names=(name, scheme))
        seconds.append(found.candidate_seconds)
        row["against"][name] = {"ratio": found.ratio, "interval": [found.low, found.high], "error": error}
    row["ratio to the best of theirs"] = min(r["ratio"] for r in row["against"].values() if "ratio" in r)
    row["ms"] = 1e3 * min(seconds)
    if rows == 1:
        limit = ceilings("cpu").bandwidth(_copies(nbytes) * nbytes, 1 if threads == 1 else None, kind="read")
        row["share of read bandwidth"] = nbytes / min(seconds) / limit
    return row


def _prepared(peer: Peer, weight: Tensor, x: Tensor, exact: Tensor, nbytes: int) -> tuple[Callable[[], Tensor], float]:
    """A call of no arguments that takes the next copy each time, and the relative error of what it gives."""
    layers = peer.copies(weight, _copies(nbytes))
    operand, following = x.to(peer.dtype), cycle(layers)
    error = (layers[0](operand).float() - exact).norm() / exact.norm()
    return _walk(following, operand), error.item()


def _walk(following: cycle[Layer], operand: Tensor) -> Callable[[], Tensor]:
    return lambda: next(following)(operand)


def _copies(nbytes: int) -> int:
    return -(-3 * (machine().last_level_cache_bytes or 32 << 20) // nbytes)
