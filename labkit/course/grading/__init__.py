"""Grading: exercises written by strangers, each asked in a sandbox and judged by the lab's own check outside it.

Two sides that share no memory. *Outside* stands what is trusted: the secret seed, the cases it draws, the oracle, the
judge, the roster, the results. *Inside* (`labkit.course.grading.inside`, the only part that the sandbox can read) a
learner's function is called and what it returns is sent back as plain data. Nothing that comes back is believed: it is
decoded as numbers and text, and only a value that the judge accepts earns a point.

In the order of use: `submissions` finds notebooks in folders and archives, `questions` grades one exercise, `speed`
one that is to be fast as well, `grade_one` one submission, `run` a class; `tables`, `feedback` and `summary` write what
people read.
"""

from __future__ import annotations

from labkit.lazy import lazy_names

_MODULE_OF = {
    "Grade": "labkit.course.grading.grades",
    "SandboxError": "labkit.course.grading.sandbox",
    "grade_folder": "labkit.course.grading.run",
}

__all__ = sorted(_MODULE_OF)
__getattr__, __dir__ = lazy_names(__name__, _MODULE_OF)
