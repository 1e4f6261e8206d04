"""Sums, unit conversions and small word problems whose answer is one number.

Not a test of a calculator: operands stay short, so that a small model can learn them. A problem belongs to the split
its own text falls into, so that no training problem is ever asked in a test, whatever the seed.
"""

from __future__ import annotations

import dataclasses
import random
import zlib
from collections.abc import Iterator

from labkit.world.relation import Split


@dataclasses.dataclass(frozen=True)
class Problem:
    """`answer` is a number, with its unit where the question names one."""

    kind: str
    text: str
    answer: str


UNITS = (
    ("metres", "centimetres", 100),
    ("kilometres", "metres", 1000),
    ("kilograms", "grams", 1000),
    ("tonnes", "kilograms", 1000),
    ("litres", "millilitres", 1000),
    ("hours", "minutes", 60),
    ("minutes", "seconds", 60),
    ("days", "hours", 24),
    ("weeks", "days", 7),
)
THINGS = ("barrels", "sacks", "lamps", "candles", "bricks", "ropes", "tiles", "books", "bells", "lenses")
HOLDERS = ("cart", "barge", "chest", "shelf", "cellar")


def problems(seed: int, split: Split = "train") -> Iterator[Problem]:
    """Problems of a split without end; the same seed gives the same ones.

    >>> next(problems(0)).kind in ("sum", "product", "units", "story")
    True
    """
    rng = random.Random(f"labkit.world.arithmetic/{seed}")
    drafts = (_sum, _product, _units, _story)
    while True:
        problem = rng.choice(drafts)(rng)
        if split_of_problem(problem) == split:
            yield problem


def split_of_problem(problem: Problem) -> Split:
    """One in ten problems is for validation and two in ten are for test, by a checksum of their text."""
    place = zlib.crc32(problem.text.encode()) % 10
    return "validation" if place == 0 else "test" if place <= 2 else "train"


def _sum(rng: random.Random) -> Problem:
    a, b = rng.randint(2, 499), rng.randint(2, 499)
    if rng.random() < 0.5:
        text = rng.choice((f"What is {a} + {b}?", f"Add {a} and {b}.", f"How much is {a} plus {b}?"))
        return Problem("sum", text, str(a + b))
    a, b = max(a, b), min(a, b)
    text = rng.choice((f"What is {a} - {b}?", f"Take {b} from {a}.", f"How much is {a} minus {b}?"))
    return Problem("sum", text, str(a - b))


def _product(rng: random.Random) -> Problem:
    a, b = rng.randint(2, 40), rng.randint(2, 25)
    if rng.random() < 0.6:
        return Problem("product", rng.choice((f"What is {a} * {b}?", f"How much is {a} times {b}?")), str(a * b))
    return Problem("product", rng.choice((f"What is {a * b} / {b}?", f"Divide {a * b} by {b}.")), str(a))


def _units(rng: random.Random) -> Problem:
    large, small, factor = rng.choice(UNITS)
    n = rng.randint(2, 95)
    if rng.random() < 0.5:
        text = rng.choice((f"How many {small} are {n} {large}?", f"Convert {n} {large} to {small}."))
        return Problem("units", text, f"{n * factor} {small}")
    text = rng.choice((f"How many {large} are {n * factor} {small}?", f"Convert {n * factor} {small} to {large}."))
    return Problem("units", text, f"{n} {large}")


def _story(rng: random.Random) -> Problem:
    thing, holder = rng.choice(THINGS), rng.choice(HOLDERS)
    a, b = rng.randint(3, 60), rng.randint(2, 12)
    drafts = (
        (f"A {holder} holds {a} {thing}. How many {thing} do {b} of them hold?", a * b),
        (f"A {holder} holds {a + b} {thing}, and {b} are taken away. How many {thing} are left?", a),
        (f"There are {a} {thing} in one {holder} and {a + b} in another. How many {thing} is that?", 2 * a + b),
        (f"{a * b} {thing} are shared out evenly over {b} places. How many {thing} does each place get?", a),
    )
    text, number = rng.choice(drafts)
    return Problem("story", text, f"{number} {thing}")
