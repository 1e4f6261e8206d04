"""Converters that are programs: run in the same environment as the engine that reads what they write."""

from __future__ import annotations

import os
import subprocess
import sys

from labkit.generation.peers.engine import Blocked


def run_module(name: str, *arguments: str) -> None:
    """`python -m name arguments`, offline. Raises `Blocked` with its last words if it fails."""
    command = [sys.executable, "-m", name, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", env=os.environ | _OFFLINE)
    if done.returncode:
        said = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        raise Blocked(f"{name} ended with {done.returncode}: {said[-1][:300] if said else 'without a word'}")


_OFFLINE = {"HF_HUB_OFFLINE": "1", "TQDM_DISABLE": "1"}
