"""`labkit bench`: every timed comparison of the course, one JSON file each.

Timings decide no test: they are taken here, on a quiet machine, and what they say is written beside the machine's name.
"""

from __future__ import annotations

import importlib
import json
from pathlib import Path

BENCHES = (
    "labkit.measure.benches",
    "labkit.generation.bench",
    "labkit.quantization.bench",
    "labkit.sparsity.bench",
    "labkit.moe.bench",
    "labkit.rag.bench",
    "labkit.throughput.bench",
    "labkit.course.grading.benches",
)


def run(out: Path) -> int:
    """Run each room's `bench(out)`; the result of each is a file `ROOM.json` in `out`."""
    out.mkdir(parents=True, exist_ok=True)
    for name in BENCHES:
        result = importlib.import_module(name).bench(out)
        target = out / f"{name.split('.')[1]}.json"
        target.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        print(f"{target}\n{json.dumps(result, indent=1, ensure_ascii=False)}")
    return 0
