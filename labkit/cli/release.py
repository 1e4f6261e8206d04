"""`labkit release [NN ...] --out release/`: the learner edition for a class, scanned for leaks."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument("labs", nargs="*", metavar="NN", help="lab numbers; all when none is given")
    parser.add_argument("--out", type=Path, default=Path("release"), help="folder for the notebooks and the archives")
    parser.add_argument("--nbgrader", type=Path, metavar="COURSE", help="write source/ of this nbgrader course as well")


def run(options: argparse.Namespace) -> int:
    """Release, and say what lies where."""
    from labkit.course.grading.assignment import write_assignments
    from labkit.course.grading.release import release

    print(release(options.labs or None, options.out))
    if options.nbgrader is not None:
        for path in write_assignments(options.labs or None, options.nbgrader):
            print(f"{path}: for nbgrader generate_assignment")
    return 0
