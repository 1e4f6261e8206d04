"""The course on top of the instruments: exercises and their checks, predictions, ledger, progress, editions, workspace.

Not a place for lessons (those are the notebooks) nor for algorithms (those are the rooms below). A lab's checks stand
in `labkit.course.labs`, one module a lab, found by number. Legend: this room handles plain data and text, so no shape
symbols are used here; the labs' check modules state their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from labkit.course.lab import Lab

__all__ = ["Lab"]


def __getattr__(name: str) -> Any:
    if name != "Lab":
        raise AttributeError(f"labkit.course has no {name!r}; it offers Lab")
    from labkit.course.lab import Lab

    return Lab
