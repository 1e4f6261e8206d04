"""`labkit grade FOLDER --seed-file SECRET --out grades/`: a folder of strangers' notebooks, graded in a sandbox."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

_LOUD = """\
!!! --unsafe: what students wrote runs on this machine WITHOUT A SANDBOX, with your rights. It can read your files, the
!!! solutions and other submissions, use the network, and forge whatever it can reach. Every row will say so."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument("folder", type=Path, help="what the learning platform exports: a folder, or its zip file")
    parser.add_argument("--seed-file", type=Path, required=True, help="a file with a secret; the inputs follow from it")
    parser.add_argument("--out", type=Path, default=Path("grades"), help="folder for the results; a second run goes on")
    parser.add_argument("--roster", type=Path, help="CSV of the class, as Canvas, Moodle or nbgrader export it")
    parser.add_argument("--lab", metavar="NN", help="the lab, where the notebooks are not to say it themselves")
    parser.add_argument("--gradebook", type=Path, help="gradebook.db of an nbgrader course, to be filled as well")
    parser.add_argument("--workers", type=int, help="processes; one a core when not given")
    parser.add_argument("--executor", metavar="ADDRESS", help="a Dask scheduler (tcp://HOST:8786) whose workers grade")
    parser.add_argument("--unsafe", action="store_true", help="without a sandbox: for your own notebooks only")


def run(options: argparse.Namespace) -> int:
    """Grade, and say where the results are."""
    from labkit.course.grading import grade_folder

    if options.workers is not None and options.workers < 1:
        raise ValueError(f"--workers must be at least 1, not {options.workers}.")
    if options.unsafe:
        print(_LOUD, file=sys.stderr, flush=True)
    result = grade_folder(
        options.folder,
        options.seed_file,
        options.out,
        roster=options.roster,
        lab=options.lab,
        confined=not options.unsafe,
        workers=options.workers,
        gradebook=options.gradebook,
        executor=options.executor,
    )
    print(result)
    return 0
