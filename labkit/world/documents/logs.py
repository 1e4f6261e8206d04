"""Logs: the short dated lines of a watchman, carrier or keeper, weather and facts in turn."""

from __future__ import annotations

from collections.abc import Sequence

from labkit.world.documents.scribe import Scribe
from labkit.world.fact import Fact
from labkit.world.grammar import Marked, join

TITLES = (
    "[Log|Logbook|Day book|Watch book] of [the carrier|the watch|the harbour|the ferry|the toll house] at {T}, {D}",
    "[Rounds|Watch|Round] of {P}, {D}[|, {T}]",
    "{T} [harbour|watch|ferry|toll house] [log|book], {D}[|, kept by {P}]",
    "[Travel|Survey|Inspection] [log|notes|book] of {P}[|, {T}], {D}",
    "{D}: [Day book|Log|Watch kept by {P}|Notes of {P}][|, {T}]",
)
FRAMES = (
    "{time} [asked|inquired|checked the list|read the plate]; {C}.",
    "{time} [noted|told by {P}|heard at the gate|copied from the board]: {C}.",
    "{time} {C}.",
    "{time} [on inspection|as before|by report|as posted] {C}.",
    "{time} [met|spoke with|passed] {P}, who [said|says|swears] that {C}.",
    "[before noon|after dark|at first light|at the bell|towards evening]: {C}.",
    "{time} {C}[; no change since last round|; entered in the list|; all in order].",
)
ENTRIES = (
    "{time} wind [north|south|east|west], [calm|light|fresh|strong], [sky clear|rain|fog|snow]["
    "|, sea quiet|, river high].",
    "{time} [lamp lit|lamp trimmed|gates shut|gates open|bell rung|fires out][|, all quiet|, one watchman ill].",
    "{time} [a cart|a barge|a coach|two riders] [from|for] {T}, [{n} barrels|{n} sacks|empty|late by half a day].",
    "{time} [paid|took|owed] {n} [pence|coppers] [toll|for oats|for the ferry|for a wheel].",
    "{time} [bread and soup|change of watch|rest|horses fed|boots wet through][| at {T}].",
    "{time} [lost|found|mended] [a rope|the spare key|one oar|a lantern|the gate hinge][| near {T}].",
    "[Quiet night|Rough night|Slow morning|Cold watch], {n} [boats|carts|travellers] [counted"
    "|passed][| in all| so far].",
)


def write(scribe: Scribe, facts: Sequence[Fact]) -> Marked:
    """A line a fact, ordinary entries between."""
    rng = scribe.rng
    lines = [scribe.sentence(f, FRAMES) for f in facts]
    for _ in range(rng.choice((1, 2, 2, 3))):
        lines.insert(rng.randint(0, len(lines)), scribe.line(rng.choice(ENTRIES)))
    return join([scribe.line(rng.choice(TITLES)), *_in_order(lines)], "\n")


def _in_order(lines: list[Marked]) -> list[Marked]:
    """The clock of a log never runs back: the times found in the lines are dealt out again in order."""
    times = iter(sorted(line.text[:5] for line in lines if _timed(line)))
    return [line._replace(text=next(times) + line.text[5:]) if _timed(line) else line for line in lines]


def _timed(line: Marked) -> bool:
    return line.text[:2].isdigit() and line.text[2:3] == ":"
