"""The timed proofs of this room: ceilings against a C program, and `compare` on work of known ratio.

They run under `make bench`, never in a test: a busy machine must not fail a test.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import torch

from labkit.measure import stream
from labkit.measure.ceiling import ceilings
from labkit.measure.ceiling_report import KINDS, BandwidthPoint, Ceilings
from labkit.measure.comparison import compare
from labkit.measure.machines import machine
from labkit.measure.progress import progress

SIZES = (1 << 18, 1 << 20, 1 << 22, 1 << 24, 1 << 26, 1 << 28)


def bench(out: Path) -> dict[str, Any]:
    """Run the timed proofs; the result is plain data for JSON. The C program is built in `out`."""
    out.mkdir(parents=True, exist_ok=True)
    found = ceilings("cpu", refresh=True)
    return {
        "machine": machine().processor,
        "quiet": found.quiet_note,
        "known ratios": known_ratios(),
        "ceilings against STREAM": against_stream(found, out),
        "peaks": [{"dtype": p.dtype, "threads": p.threads, "flops": p.flops, "by": p.operator} for p in found.peaks],
    }


def against_stream(found: Ceilings, out: Path) -> dict[str, Any]:
    """PyTorch's rate over the C program's at each size, thread count and pattern; or why that is blocked."""
    with tempfile.TemporaryDirectory(dir=out) as folder:
        try:
            program, command = stream.build(Path(folder))
            points = [p for p in found.points if p.working_set_bytes in SIZES]
            rows = [_row(point, told) for point, told in zip(points, _visit(program, points), strict=True)]
        except stream.Blocked as error:
            return {"blocked": str(error)}
    return {"built by": command, "rows": rows}


def _visit(program: Path, points: list[BandwidthPoint], rounds: int = 3) -> list[dict[str, float]]:
    """The program's best at each point over some rounds, spread out in time as those of `ceilings()` are."""
    best: list[dict[str, float]] = [{} for _ in points]
    for index in progress([i for _ in range(rounds) for i in range(len(points))], "STREAM"):
        told = stream.run(program, points[index].working_set_bytes, points[index].threads)
        best[index] = {key: max(rate, best[index].get(key, 0)) for key, rate in told.items()}
    return best


def _row(point: BandwidthPoint, told: dict[str, float]) -> dict[str, Any]:
    row: dict[str, Any] = {"working_set_bytes": point.working_set_bytes, "threads": point.threads}
    if told["threads"] != point.threads:
        return row | {"blocked": "the C program was built without OpenMP"}
    for kind in KINDS:
        row[kind] = {
            "ceilings": point.rate(kind),
            "stream": told[kind],
            "ratio": round(point.rate(kind) / told[kind], 3),
        }
    row["best ratio"] = round(point.rate("best") / max(told[kind] for kind in KINDS), 3)
    return row


def known_ratios() -> dict[str, Any]:
    """`compare` on the same work and on twice the work: its interval must hold 1, and come near 2."""
    matrix, result = torch.rand(256, 256), torch.empty(256, 256)

    def once(a: torch.Tensor) -> torch.Tensor:
        return torch.mm(a, a, out=result)  # into one buffer: a second one would be work of its own, for the cache

    def twice(a: torch.Tensor) -> torch.Tensor:
        torch.mm(a, a, out=result)
        return torch.mm(a, a, out=result)

    results = {}
    for label, slow, fast, truth in (("same work", once, once, 1.0), ("twice the work", twice, once, 2.0)):
        c = compare(slow, fast, matrix, rounds=60)
        results[label] = {
            "truth": truth,
            "ratio": c.ratio,
            "interval": [c.low, c.high],
            "holds": c.low <= truth <= c.high,
            "verdict": c.verdict,
        }
    return results
