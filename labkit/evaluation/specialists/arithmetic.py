"""Arithmetic by its rules: find the numbers, find the word that says what to do with them, do it exactly."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable

from labkit.evaluation.specialists.specialist import Specialist, source_bytes

OPERATIONS: tuple[tuple[str, Callable[[int, int], int]], ...] = (
    (r"^Take \d+ from \d+", lambda a, b: b - a),
    (r"\+|\bplus\b|^Add\b|\bin another\b", lambda a, b: a + b),
    (r"\d - \d|\bminus\b|taken away", lambda a, b: a - b),
    (r"\*|\btimes\b|\bof them hold\b", lambda a, b: a * b),
    (r" / |^Divide\b|shared out", lambda a, b: a // b),
)
"""What a problem says, and what is done with its two numbers in the order in which they stand."""
UNITS = {
    "millilitres": ("volume", 1), "litres": ("volume", 1000),
    "grams": ("mass", 1), "kilograms": ("mass", 1000), "tonnes": ("mass", 1_000_000),
    "centimetres": ("length", 1), "metres": ("length", 100), "kilometres": ("length", 100_000),
    "seconds": ("time", 1), "minutes": ("time", 60), "hours": ("time", 3600), "days": ("time", 86_400),
    "weeks": ("time", 604_800),
}  # fmt: skip
"""The quantity that a unit measures, and how many of the smallest unit it is."""
CONVERSIONS = (r"How many (?P<to>\w+) are (?P<n>\d+) (?P<of>\w+)\?", r"Convert (?P<n>\d+) (?P<of>\w+) to (?P<to>\w+)\.")


def calculator() -> Specialist:
    """Solves sums, products, quotients, conversions of units and stories of two numbers."""
    return Specialist(
        name="calculator",
        answer=calculate,
        rules=len(OPERATIONS) + len(CONVERSIONS),
        entries=len(UNITS),
        written_bytes=source_bytes(sys.modules[__name__]),
    )


def calculate(text: str) -> str | None:
    """
    >>> calculate("What is 17 + 25?"), calculate("Convert 3 hours to minutes."), calculate("Who is the mayor?")
    ('42', '180 minutes', None)
    """
    for pattern in CONVERSIONS:
        if match := re.fullmatch(pattern, text):
            return _convert(int(match["n"]), match["of"], match["to"])
    numbers = [int(n) for n in re.findall(r"\d+", text)]
    operation = next((do for said, do in OPERATIONS if re.search(said, text)), None)
    if len(numbers) != 2 or operation is None or (operation is OPERATIONS[4][1] and numbers[1] == 0):
        return None
    thing = re.search(r"How many (\w+)", text)
    return f"{operation(*numbers)} {thing[1]}" if thing else str(operation(*numbers))


def _convert(n: int, unit: str, wanted: str) -> str | None:
    (quantity, size), (kind, step) = UNITS.get(unit, ("", 0)), UNITS.get(wanted, ("none", 1))
    return f"{n * size // step} {wanted}" if quantity == kind else None
