"""The timed proofs of this room: processor time of a whole lab, nbgrader on the same notebooks, a class that is killed.

About six minutes on two quiet cores; the class is made smaller where 300 would take longer.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

from labkit.course.catalogue import lab_numbers, load_checks, notebook_path
from labkit.course.grading.bench_class import LABS, grade_a_class
from labkit.course.grading.bench_nbgrader import beside_nbgrader
from labkit.course.grading.crew import usable_cores
from labkit.course.grading.grade_one import Job, Settings, grade_submission
from labkit.course.grading.grades import Grade
from labkit.course.grading.sandbox import Sandbox, SandboxError
from labkit.course.grading.seed import Seed

SEED = Seed(b"no secret at all, a bench")
TIMES = 3
CLASS = 300
CLASS_SECONDS = 150
"""What a class may take; 300 submissions where they fit in."""


def bench(out: Path) -> dict[str, Any]:
    """Plain data for JSON; seconds of a submission are those of a warm sandbox."""
    out.mkdir(parents=True, exist_ok=True)
    found: dict[str, Any] = {"cores": usable_cores()}
    with tempfile.TemporaryDirectory(dir=out) as folder:
        try:
            found["a solved lab"] = {lab: whole_lab(lab) for lab in lab_numbers()}
        except SandboxError as error:
            return {**found, "labkit": f"blocked: {error}"}
        found["nbgrader"] = beside_nbgrader(Path(folder, "course"), seconds_of)
        one = statistics.mean(found["a solved lab"][lab]["seconds"] for lab in LABS)
        count = min(CLASS, int(CLASS_SECONDS * usable_cores() / one))
        found["a class"] = grade_a_class(Path(folder, "class"), count)
    return found


def whole_lab(lab: str) -> dict[str, float]:
    """The solved notebook as it is shipped, measuring cells and outputs and all, handed in by a student."""
    grade, spent = seconds_of([notebook_path(lab).read_bytes()] * TIMES, lab)
    count = len(load_checks(lab).exercises)
    six = spent["processor seconds"] * 6 / count
    return {"exercises": count, "points": grade.points, "possible": grade.possible, **spent, "of six exercises": six}


def seconds_of(contents: list[bytes], lab: str) -> tuple[Grade, dict[str, float]]:
    """The last grade; the medians of the seconds by the clock and by the processor, one submission after the other.

    Processor time is that of this process and of everything that ever ran in the sandbox.
    """
    clock, processor = [], []
    with Sandbox() as sandbox:
        grade_submission(sandbox, _job(contents[0], lab))  # starts the sandbox
        for content in contents:
            started, before = time.perf_counter(), _processor_seconds()
            grade = grade_submission(sandbox, _job(content, lab))
            clock.append(time.perf_counter() - started)
            processor.append(_processor_seconds() - before)
    return grade, {"seconds": statistics.median(clock), "processor seconds": statistics.median(processor)}


def _job(content: bytes, lab: str) -> Job:
    return Job("a student", notebook_path(lab).name, content, Settings(SEED))


def _processor_seconds() -> float:
    """Of this process and all below it; what a sandbox forks is waited for, and counted, by its worker."""
    here = psutil.Process()
    own = here.cpu_times()
    return own.user + own.system + sum(map(_spent_by, here.children(recursive=True)))


def _spent_by(process: psutil.Process) -> float:
    try:
        spent = process.cpu_times()
    except psutil.NoSuchProcess:  # it has just ended, and is counted with its parent
        return 0.0
    return spent.user + spent.system + spent.children_user + spent.children_system
