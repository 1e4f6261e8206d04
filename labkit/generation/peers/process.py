"""The bench's end of an engine in another process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch

import labkit
from labkit.generation.peers.catalogue import Peer
from labkit.generation.peers.engine import Blocked, Clock, Job

PATIENCE = 900.0  # seconds for one answer: vLLM compiles when it starts


class EngineProcess:
    """One engine, asked over a pipe. Whatever goes wrong in it is `Blocked` here, and a hang is ended."""

    def __init__(self, peer: Peer, job: Job, patience: float = PATIENCE) -> None:
        peer.check_installed()
        self._patience, self._log = patience, tempfile.TemporaryFile()  # noqa: SIM115 - closed in `close`
        command = [sys.executable, "-m", "labkit.generation.peers.child", peer.adapter, json.dumps(job.plain())]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": self._log}
        self._process = subprocess.Popen(command, **pipes, text=True, encoding="utf-8", env=_environment(peer, job))
        try:
            self._answer()
        except Blocked:
            self.close()
            raise

    def last_logits(self, tokens: list[int]) -> torch.Tensor:
        """Logits (vocab) after one prompt."""
        return torch.tensor(self._ask(ask="logits", tokens=tokens))

    def write(self, prompt: torch.Tensor, steps: int, clock: Clock) -> list[float]:
        """Seconds of each step: wall time for a clock of wall time, else the CPU time of the engine's process."""
        name = "wall" if clock is time.perf_counter else "cpu"
        times = self._ask(ask="write", prompt=prompt.tolist(), tokens=steps + 1, clock=name)
        return [b - a for a, b in pairwise(times)]

    def close(self) -> None:
        """End the process, by its own will if it has one."""
        with suppress(OSError):  # what was not read any more
            self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._log.close()

    def _ask(self, **request: Any) -> Any:
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        except OSError:
            raise Blocked(self._last_words()) from None
        return self._answer()

    def _answer(self) -> Any:
        watch = threading.Timer(self._patience, self._process.kill)
        watch.start()
        line = self._process.stdout.readline()
        watch.cancel()
        if not line:
            raise Blocked(self._last_words())
        told = json.loads(line)
        if "blocked" in told:
            raise Blocked(told["blocked"])
        return told["answer"]

    def _last_words(self) -> str:
        code = self._process.wait()
        self._log.seek(0)
        lines = [line for line in self._log.read().decode(errors="replace").splitlines() if line.strip()]
        return f"its process ended with {code}" + (f": {lines[-1].strip()[:300]}" if lines else "")


def _environment(peer: Peer, job: Job) -> dict[str, str]:
    """The engine's own packages first, then this very labkit; and as many threads as the job says, whoever asks."""
    here = str(Path(labkit.__file__).parents[1])
    paths = filter(None, [str(peer.site) if peer.site else None, here, os.environ.get("PYTHONPATH")])
    return os.environ | {"PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": str(job.threads)}


@contextmanager
def running(
    peers: Mapping[str, tuple[Peer, str]], **job: Any
) -> Iterator[tuple[dict[str, EngineProcess], dict[str, str]]]:
    """The engines that start, by name, and the reason of each that does not; `job` is a `Job` but for its kind."""
    started: dict[str, EngineProcess] = {}
    blocked: dict[str, str] = {}
    try:
        for name, (peer, kind) in peers.items():
            try:
                started[name] = EngineProcess(peer, Job(kind=kind, **job))
            except Blocked as why:
                blocked[name] = str(why)
        yield started, blocked
    finally:
        for engine in started.values():
            engine.close()
