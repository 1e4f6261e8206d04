"""The STREAM-style C program beside this file: built on the spot, run at one working-set size.

A second witness: no PyTorch in it, so that what `ceilings()` says about a machine can be wrong in one place only.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from labkit.measure.compilers import c_compiler

SOURCE = Path(__file__).with_name("stream.c")
# Best flags first: Apple's clang has no OpenMP, and some compilers do not know the processor they run on.
FLAGS = (
    ("-O3", "-march=native", "-ffast-math", "-fopenmp"),
    ("-O3", "-march=native", "-ffast-math"),
    ("-O3", "-ffast-math"),
)


class Blocked(RuntimeError):  # noqa: N818  the course's word for hardware or tools that are not here
    """The program cannot be built or run on this machine; the message says why."""


def build(folder: Path) -> tuple[Path, str]:
    """Compile `stream.c` into `folder`; returns the program and the command. Raises `Blocked` without a compiler."""
    try:
        compiler = c_compiler()
    except LookupError as error:
        raise Blocked(f"STREAM is blocked: {error.args[0]}") from None
    program, refusal = folder / "stream", ""
    for flags in FLAGS:
        command = [compiler, *flags, "-Wno-unknown-pragmas", str(SOURCE), "-o", str(program)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        if done.returncode == 0:
            return program, f"{Path(compiler).name} {' '.join(flags)}"
        refusal = (done.stderr.strip().splitlines() or ["no message"])[0]
    raise Blocked(f"STREAM is blocked: {compiler} does not build {SOURCE.name}: {refusal}")


def run(program: Path, working_set_bytes: int, threads: int, seconds: float = 0.04) -> dict[str, float]:
    """B/s by pattern ("read", "copy", "triad", "update") and the "threads" it really used. Raises `Blocked`."""
    command = [str(program), str(working_set_bytes), str(threads), str(seconds)]
    # Threads that wait asleep: spinning ones take the processor from the very thread they wait for on a busy machine.
    environment = os.environ | {"OMP_WAIT_POLICY": "passive"}
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=True, env=environment)
        return json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise Blocked(f"STREAM is blocked: the program failed: {error}") from error
