"""The program that holds one engine: a line of JSON in, a line of JSON out, until its input ends.

What a library prints goes to the log, for the answers have a descriptor of their own. Times are CPU seconds of the
whole process, for some engines compute on threads of their own even when told to use one, or wall seconds.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from collections.abc import Iterable
from typing import Any, TextIO

from labkit.generation.peers.engine import Blocked, Engine, Job

CLOCKS = {"cpu": time.process_time, "wall": time.perf_counter}


def serve(adapter: str, plain_job: dict[str, Any], requests: Iterable[str], answers: TextIO) -> None:
    """Start the engine and answer every request; whatever a library raises is an answer too."""

    def tell(**answer: Any) -> None:
        print(json.dumps(answer), file=answers, flush=True)

    try:
        engine = importlib.import_module(f"labkit.generation.peers.{adapter}").start(Job.of(plain_job))
    except Exception as error:
        return tell(blocked=sentence(error))
    tell(answer="ready")
    for line in requests:
        try:
            tell(answer=_answer(engine, json.loads(line)))
        except Exception as error:
            tell(blocked=sentence(error))
    return None


def _answer(engine: Engine, request: dict[str, Any]) -> list[float]:
    if request["ask"] == "logits":
        return engine.last_logits(request["tokens"])
    return engine.write(request["prompt"], request["tokens"], CLOCKS[request["clock"]])


def sentence(error: Exception) -> str:
    """The first line that says something; our own reasons need no name."""
    first = next((line.strip() for line in str(error).splitlines() if line.strip()), "")[:300]
    return first if isinstance(error, Blocked) and first else f"{type(error).__name__}: {first}"


if __name__ == "__main__":
    told = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    serve(sys.argv[1], json.loads(sys.argv[2]), sys.stdin, told)
