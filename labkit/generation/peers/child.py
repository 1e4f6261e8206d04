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

from labkit.generation.peers.engine import Engine, Job

CLOCKS = {"cpu": time.process_time, "wall": time.perf_counter}


def serve(adapter: str, plain_job: dict[str, Any], requests: Iterable[str], answers: TextIO) -> None:
    """Start the engine and answer every request; whatever it raises is an answer too."""

    def answer(ask: Any, *given: Any) -> Any:
        try:
            found = ask(*given)
        except Exception as error:  # whatever a library raises; the bench goes on without it
            answers.write(json.dumps({"blocked": sentence(error)}) + "\n")
            found = None
        else:
            answers.write(json.dumps({"answer": "ready" if ask is start else found}) + "\n")
        answers.flush()
        return found

    start = importlib.import_module(f"labkit.generation.peers.{adapter}").start
    engine: Engine | None = answer(start, Job.of(plain_job))
    for line in requests if engine is not None else ():
        request = json.loads(line)
        if request["ask"] == "logits":
            answer(engine.last_logits, request["tokens"])
        else:
            answer(engine.write, request["prompt"], request["tokens"], CLOCKS[request["clock"]])


def sentence(error: Exception) -> str:
    """The first line that says something."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0][:300]}" if lines else type(error).__name__


if __name__ == "__main__":
    told = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    serve(sys.argv[1], json.loads(sys.argv[2]), sys.stdin, told)
