"""`labkit bench`: every timed comparison of the course, one JSON file for each room.

Timings decide no test: they are taken here, on a quiet machine, and what they say is written beside the machine's name.
With `--record KIND` they go to data/reference too, for those who sit at another machine.
"""

from __future__ import annotations

import datetime
import importlib
import json
from collections.abc import Sequence
from pathlib import Path

from labkit.data import root, write_card
from labkit.measure.machines import machine

BENCHES = {
    "measure": "labkit.measure.benches",
    "generation": "labkit.generation.bench",
    "quantization": "labkit.quantization.bench",
    "sparsity": "labkit.sparsity.bench",
    "moe": "labkit.moe.bench",
    "rag": "labkit.rag.bench",
    "serving": "labkit.serving.bench",
    "throughput": "labkit.throughput.bench",
    "grading": "labkit.course.grading.benches",
}
"""The module of each room that has timed proofs; measure comes first, for the others read its ceilings."""


def run(out: Path, rooms: Sequence[str] = (), record: str | None = None) -> int:
    """Run the `bench(out)` of the rooms, all when none is named; the result of each is `ROOM.json` in `out`.

    Raises `ValueError` for a room without one, before anything runs.
    """
    if unknown := [name for name in rooms if name not in BENCHES]:
        raise ValueError(f"No timed proofs are called {unknown[0]!r}; there are {', '.join(BENCHES)}.")
    out.mkdir(parents=True, exist_ok=True)
    for name in rooms or BENCHES:
        text = json.dumps(importlib.import_module(BENCHES[name]).bench(out), indent=1, ensure_ascii=False) + "\n"
        target = out / f"{name}.json"
        target.write_text(text, encoding="utf-8")
        print(f"{target}\n{text}", flush=True)
        if record:
            print(_record(name, record, text))
    return 0


def _record(room: str, kind: str, text: str) -> Path:
    """The same file under data/reference, with a card that says when and on what it was measured."""
    here, name = machine(), f"reference/{room}-{kind}.json"
    path = root() / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    versions = ", ".join(f"{package} {version}" for package, version in here.versions.items() if package != "labkit")
    write_card(
        name,
        summary=f"timed proofs of labkit.{room} on {here.processor}, {here.usable_cores} cores",
        source=f"measured on {datetime.date.today()}, {here.os}, Python {here.python}, {versions}",
        make=f"labkit bench {room} --record {kind} (a machine's own figures: another run gives others)",
    )
    return path
