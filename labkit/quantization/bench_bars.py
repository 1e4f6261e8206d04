"""What this room promises, each promise beside what the same run measured."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from labkit.generation.bench_peers import QUALITY, RUNS
from labkit.measure.promise import level_with_the_best, promised

BANDWIDTH = 0.75
"""Of the measured read bandwidth, that layers of 4 bits reach with one row."""
DECODING = {8: (8.2, 0.999), 4: (12.8, 0.936)}
"""For each width: speed at batch 1 on one thread, in units of transformers' fp32, and the least cosine of its logits.

That of 4 bits is what the logits of llama.cpp's Q4_0 have on the same weights.
"""


def linear_bars(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """For each scheme the cell where it does worst beside the best library, then layers of 4 bits at one row."""
    schemes = dict.fromkeys(row["scheme"] for row in rows)
    worst = [
        min((r for r in rows if r["scheme"] == s), key=lambda r: r["ratio to the best of theirs"]) for s in schemes
    ]
    return [*map(_beside_the_best, worst), *_bandwidth(rows)]


def decoding_bars(found: dict[str, Any]) -> list[dict[str, Any]]:
    """For each width of weights the fastest of our schemes whose logits hold; None where no scheme's do."""
    race, quality, rows = found[f"batch 1, {RUNS[0][1]}"], found[QUALITY], []
    for bits, (bar, least) in DECODING.items():
        sound = [n for n, q in quality.items() if n.startswith(f"lean w{bits}") and q["cosine"] >= least]
        best = max(sound, key=lambda name: race[name]["ratio"], default=None)
        speed = race[best]["ratio"] if best else None
        rows.append(promised(f"decoding in {bits} bits", speed, bar, variant=best, **{"least cosine": least}))
    return rows


def _beside_the_best(row: dict[str, Any]) -> dict[str, Any]:
    cell = {name: row[name] for name in _CELL}
    return level_with_the_best("level with the best library, worst cell", row["against"], **cell)


def _bandwidth(rows: Iterable[dict[str, Any]]) -> Iterable[dict[str, Any]]:
    for row in rows:
        if row["M"] == 1 and row["scheme"].startswith("w4"):
            cell = {name: row[name] for name in _CELL}
            yield promised("share of read bandwidth", row["share of read bandwidth"], BANDWIDTH, **cell)


_CELL = ("scheme", "N = K", "M")
