"""Tables: one row an entity, one or two relations in columns, in many layouts."""

from __future__ import annotations

from collections.abc import Sequence

from labkit.world.documents.scribe import Scribe
from labkit.world.fact import Fact
from labkit.world.grammar import Mark, Marked, fill, join

TITLES = (
    "[List|Table|Roll|Overview] of [all|some|certain] {K} [of|in] {R}, {D}",
    "{D}: {K}[| of {R}| seen this year| by hand of {P}]",
    "[Survey|Count|Inspection] of {K}[|, sheet {n}|, {R}], {D}",
    "{K} [at a glance|in figures|in short|by name] ({D}[|, {P}])",
    "[Sheet|Board|Page] {m}, {K}[|, {R}], {D}",
)
PLURALS = {"town": "towns", "site": "buildings", "instrument": "instruments", "firm": "firms", "person": "people"}
ROWS = ("{M}{s}{cells}", "{M}{s}{noun}{s}{cells}", "{cells}{s}{M}", "{i}{s}{M}{s}{cells}")
SEPARATORS = (" | ", "; ", " / ", ", ", " -- ", " : ")
CELLS = ("{label} {O}", "{label}: {O}", "{label} = {O}", "{O} ({label})", "{label} - {O}")


def write(scribe: Scribe, columns: Sequence[Sequence[Fact]]) -> Marked:
    """`columns` holds for each row the facts of one entity, the same relations in each row."""
    rng = scribe.rng
    title = scribe.line(rng.choice(TITLES), {"K": PLURALS[columns[0][0].subject.kind]})
    layout = {"row": rng.choice(ROWS), "separator": rng.choice(SEPARATORS), "cell": rng.choice(CELLS)}
    rows = [_row(scribe, i, facts, **layout) for i, facts in enumerate(columns, 1)]
    return join([title, *rows], "\n")


def _row(scribe: Scribe, number: int, facts: Sequence[Fact], row: str, separator: str, cell: str) -> Marked:
    subject = facts[0].subject
    name = scribe.mention(subject).removeprefix("the ")
    cells = join([fill(cell, {"label": Marked(f.definition.label), "O": f.answer}, f) for f in facts], separator)
    called = Marked(name, tuple(Mark(f, "S", 0, len(name)) for f in facts))
    slots = {
        "M": called,
        "s": Marked(separator),
        "cells": cells,
        "i": Marked(str(number)),
        "noun": Marked(subject.noun),
    }
    line = fill(row, slots)
    return Marked(line.text, (*line.marks, *(Mark(f, "sentence", 0, len(line.text)) for f in facts)))
