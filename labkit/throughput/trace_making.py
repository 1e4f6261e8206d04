"""The trace that ships: five minutes of an invented service, made by chance and a seed, of nobody's users.

Two kinds of request, as a course model would meet them: short chat with answers of some length, and questions over
retrieved documents with long prompts and short answers. They come in bursts whose rate swells and ebbs, so that a
server that keeps up on average still builds a queue.
"""

from __future__ import annotations

import argparse
import math
import random
from collections.abc import Iterator
from pathlib import Path

from labkit.data import root, write_card
from labkit.throughput.traces import Arrival, write_trace

FILE = "traces/chat-and-documents.jsonl"
SECONDS, RATE, SWELL, BURSTINESS = 300.0, 2.0, 0.6, 0.5
"""The rate swings by `SWELL` around `RATE` requests a second, twice over the trace; gaps have a gamma of that shape."""
DOCUMENTS = 0.3
"""The share of requests over documents."""


def invented_trace(seed: int = 0) -> Iterator[Arrival]:
    """Arrivals drawn with Python's own generator, the same on every platform."""
    rng = random.Random(f"labkit.throughput.trace_making/{seed}")
    at = 0.0
    while True:
        rate = RATE * (1 + SWELL * math.sin(4 * math.pi * at / SECONDS))
        at += rng.gammavariate(BURSTINESS, 1 / (rate * BURSTINESS))
        if at >= SECONDS:
            return
        yield Arrival(at, *_lengths(rng))


def _lengths(rng: random.Random) -> tuple[int, int]:
    """Tokens of prompt and answer; at most 448 together, well within a course model's context."""
    if rng.random() < DOCUMENTS:
        return _lognormal(rng, 256, 0.3, 384), _lognormal(rng, 16, 0.5, 64)
    return _lognormal(rng, 40, 0.7, 256), _lognormal(rng, 48, 0.6, 128)


def _lognormal(rng: random.Random, median: float, sigma: float, most: int) -> int:
    return min(max(round(rng.lognormvariate(math.log(median), sigma)), 1), most)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m labkit.throughput.trace_making", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="the data folder: writes the trace and its card")
    path = parser.parse_args().out / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    write_trace(path, invented_trace())
    if path.resolve() == (root() / FILE).resolve():
        write_card(
            FILE,
            summary=f"{SECONDS:.0f} s of invented traffic: arrivals in bursts, prompt and answer lengths",
            source="made by the course's own generator, labkit.throughput.trace_making (seed 0); no user's traffic",
            make="python -m labkit.throughput.trace_making --out data",
        )
    print(path)


if __name__ == "__main__":
    main()
