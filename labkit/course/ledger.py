"""The ledger: one row a technique a lab, for the same model carried through the course; the capstone's raw material."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

from labkit.course.cards.card import Card, Status
from labkit.course.store import Store
from labkit.measure.report import Table, si

UNITS = {"bytes": "B", "ms": "ms", "quality": "", "joules": "J"}


class Ledger:
    """`add` writes a row of this lab; running it again replaces that row and no other. `table` shows all labs."""

    def __init__(self, store: Store, lab: str, show: Callable[[Card], None]) -> None:
        self._store = store
        self._lab = lab
        self._show = show

    def add(
        self,
        technique: str,
        bytes: float | None = None,  # noqa: A002 (the ledger's column)
        ms: float | None = None,
        quality: float | None = None,
        joules: float | None = None,
        note: str = "",
    ) -> None:
        """One row: bytes held, milliseconds of the lab's task, its quality score, joules; None where not measured."""
        numbers = {"bytes": bytes, "ms": ms, "quality": quality, "joules": joules}
        problem = _text_problem(technique, note) or next(
            filter(None, map(_number_problem, numbers, numbers.values())), ""
        )
        if problem:
            self._show(Card(Status.NOTE, "Ledger", paragraphs=(f"{problem} Nothing was written.",)))
            return
        floats = [None if value is None else float(value) for value in numbers.values()]
        self._store.write(
            "INSERT OR REPLACE INTO ledger (lab, technique, bytes, ms, quality, joules, note, at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (self._lab, technique.strip(), *floats, note.strip(), time.time()),
        )
        self._show(Card(Status.NOTE, "Ledger", facts=(("technique", technique.strip()), *_facts(numbers, note))))

    def rows(self) -> list[dict[str, Any]]:
        """Every row of every lab as a dictionary: lab, technique, bytes, ms, quality, joules, note."""
        columns = ("lab", "technique", *UNITS, "note")
        found = self._store.read(f"SELECT {', '.join(columns)} FROM ledger ORDER BY lab, at")
        return [dict(zip(columns, row, strict=True)) for row in found]

    def table(self) -> Table:
        """The rows of all labs, ready to read."""
        columns = ["lab", "technique", "memory", "time (ms)", "quality", "energy", "note"]
        rows = [
            [r["lab"], r["technique"], si(r["bytes"], "B"), r["ms"], r["quality"], si(r["joules"], "J"), r["note"]]
            for r in self.rows()
        ]
        return Table("Ledger", columns, rows, "" if rows else "No row yet: lab.ledger.add(...) writes one.")


def _text_problem(technique: Any, note: Any) -> str:
    if type(technique) is not str or not technique.strip():
        return f"A row needs the name of its technique as text, not {technique!r:.60}."
    return "" if type(note) is str else f"The note is text, not {note!r:.60}."


def _number_problem(name: str, value: Any) -> str:
    if value is None:
        return ""
    try:
        number = float("nan") if isinstance(value, str | bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = float("nan")
    if math.isfinite(number) and number >= 0:
        return ""
    return f"`{name}` is a finite number that is not negative, or None where nothing was measured; not {value!r:.60}."


def _facts(numbers: dict[str, Any], note: str) -> list[tuple[str, str]]:
    facts = [(name, _amount(name, float(value))) for name, value in numbers.items() if value is not None]
    return [*facts, ("note", note.strip())] if note.strip() else facts


def _amount(name: str, value: float) -> str:
    return si(value, UNITS[name], 4) if name in ("bytes", "joules") else f"{value:,.4g} {UNITS[name]}".rstrip()
