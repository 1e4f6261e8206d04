"""Recorded traffic: one JSON object a line, as the Mooncake traces are written (arXiv 2407.00079).

    {"timestamp": 1250, "input_length": 96, "output_length": 31}

`timestamp` is the arrival in milliseconds since the start; further fields (`hash_ids` of shared prefixes, session
names) are allowed and not replayed. AIPerf and vLLM replay the same layout.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from labkit.throughput.record import Run
from labkit.throughput.request import Prompt, Request, words, workload


@dataclass(frozen=True)
class Arrival:
    """One line of a trace: seconds since its start, tokens of prompt and of answer."""

    at: float
    input_length: int
    output_length: int


def read_trace(path: Path) -> list[Arrival]:
    """The arrivals of a trace in order; `ValueError` names the first line that is not one, or comes too early."""
    found: list[Arrival] = []
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            arrival = _arrival(line, f"{path}, line {number}")
            if found and arrival.at < found[-1].at:
                raise ValueError(f"{path}, line {number}: {arrival.at} s is before the line above; sort the trace.")
            found.append(arrival)
    if not found:
        raise ValueError(f"{path} holds no arrival.")
    return found


def write_trace(path: Path, arrivals: Iterable[Arrival]) -> None:
    """Writes what `read_trace` reads; times are kept to the millisecond."""
    lines = (
        json.dumps({"timestamp": round(1e3 * a.at), "input_length": a.input_length, "output_length": a.output_length})
        for a in arrivals
    )
    path.write_bytes("".join(f"{line}\n" for line in lines).encode())


def replay(
    arrivals: Iterable[Arrival], rng: np.random.Generator, prompt: Callable[[int, np.random.Generator], Prompt] = words
) -> list[Request]:
    """A trace as a workload, with prompts made up to the recorded lengths.

    >>> replay([Arrival(0.5, 2, 8)], np.random.default_rng(0))
    [Request(arrival=0.5, prompt='at it', input_length=2, output_length=8, patience=None)]
    """
    ats, inputs, outputs = zip(*((a.at, a.input_length, a.output_length) for a in arrivals), strict=True)
    return workload(ats, inputs, outputs, rng, prompt)


def trace_of(run: Run) -> list[Arrival]:
    """What a run asked, to be asked again: when each request was wanted, and how many tokens it read and wrote.

    One that wrote nothing stands there with the length it asked for.

    >>> from labkit.throughput.record import Record
    >>> trace_of(Run("open", (Record(0.5, 8, 64, output_tokens=3), Record(0.7, 8, 64)), seconds=2.0))
    [Arrival(at=0.5, input_length=8, output_length=3), Arrival(at=0.7, input_length=8, output_length=64)]
    """
    return [Arrival(r.scheduled, r.tokens_read, r.tokens_written or r.output_length) for r in run.records]


def at_rate(arrivals: list[Arrival], rate: float) -> list[Arrival]:
    """The same traffic played faster or slower, so that it averages `rate` requests a second; its bursts stay bursts.

    >>> at_rate([Arrival(1.0, 8, 8), Arrival(4.0, 8, 8)], rate=1.0)[1].at
    2.0
    """
    if not rate > 0 or not arrivals[-1].at > 0:
        raise ValueError(f"A rate is above 0, and so is the length of a trace; got {rate} and {arrivals[-1].at} s.")
    scale = len(arrivals) / rate / arrivals[-1].at
    return [replace(a, at=a.at * scale) for a in arrivals]


def _arrival(line: str, where: str) -> Arrival:
    try:
        row = json.loads(line)
        at, read, written = row["timestamp"] / 1e3, row["input_length"], row["output_length"]
        if not (at >= 0 and isinstance(read, int) and isinstance(written, int) and min(read, written) >= 1):
            raise ValueError("a time is at least 0 and a length a whole number of at least 1")
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(
            f"{where} is not an arrival such as "
            f'{{"timestamp": 1250, "input_length": 96, "output_length": 31}}: {error}.'
        ) from None
    return Arrival(at, read, written)
