"""A block table: where the next tokens of a sequence stand in a pool that nobody owns.

The oracle places the tokens one by one; the notebook counts blocks first.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from labkit.course.exercise import Case, Exercise
from labkit.course.oracle import Misconception, oracle_judge

Extended = tuple[list[int], list[int], list[int]]


def _cases(rng: np.random.Generator) -> list[Case]:
    names = ("table", "free", "start", "count", "block_size")
    fixed = [
        ("the example", ([7], [2, 5, 0], 3, 3, 4)),
        ("there is room", ([6, 1], [3, 4, 0], 5, 2, 4)),
        ("exactly full", ([3], [5, 2, 9], 4, 8, 4)),
        ("the first tokens", ([], [4, 2, 1], 0, 5, 4)),
        ("one token, a new block", ([9, 3], [7, 0], 8, 1, 4)),
        ("not enough", ([1], [4], 2, 9, 4)),
        ("none is free, none is needed", ([1], [], 2, 2, 4)),
        ("the table reaches further already", ([6, 2, 9], [1, 4, 7], 3, 3, 4)),
    ]
    return [*(Case(label, **dict(zip(names, case, strict=True))) for label, case in fixed), *_drawn(rng)]


def _drawn(rng: np.random.Generator) -> list[Case]:
    cases = []
    for size, held, enough in ((4, 2, True), (8, 3, True), (8, 1, False), (16, 2, True), (16, 4, True), (5, 3, False)):
        blocks = (rng.permutation(40)[:20] + 1).tolist()
        start = size * held - int(rng.integers(1, size - 1))
        count = int(rng.integers(size + 1, 3 * size))
        missing = math.ceil((start + count) / size) - held
        free = blocks[held : held + missing + (2 if enough else -1)]
        cases.append(Case(table=blocks[:held], free=free, start=start, count=count, block_size=size))
    return cases


def _place(table: list[int], free: list[int], start: int, count: int, block_size: int) -> Extended | None:
    """One token after another; a block is taken when the first of its tokens comes."""
    table, free, slots = list(table), list(free), []
    for position in range(start, start + count):
        if position // block_size == len(table):
            if not free:
                return None
            table.append(free.pop(0))
        slots.append(table[position // block_size] * block_size + position % block_size)
    return table, free, slots


def _counted(needed: Any = None, slot: Any = None, last: bool = False, check: bool = True) -> Any:
    """Blocks counted first; the arguments are what can go wrong."""

    def extend(table: list[int], free: list[int], start: int, count: int, size: int) -> Extended | None:
        missing = (needed or (lambda t, s, c, b: max(math.ceil((s + c) / b) - len(t), 0)))(table, start, count, size)
        if check and missing > len(free):
            return None
        if last:
            new, rest = free[len(free) - missing :][::-1], free[: len(free) - missing]
        else:
            new, rest = free[:missing], free[missing:]
        table = table + new
        where = slot or (lambda t, p, b: t[p // b] * b + p % b)
        return table, rest, [where(table, p, size) for p in range(start, start + count)]

    return extend


def _all_slots(table: list[int], free: list[int], start: int, count: int, size: int) -> Extended | None:
    found = _place(table, free, start, count, size)
    return found and (found[0], found[1], [found[0][p // size] * size + p % size for p in range(start + count)])


def _what_fits(table: list[int], free: list[int], start: int, count: int, size: int) -> Extended | None:
    room = (len(table) + len(free)) * size - start
    return _place(table, free, start, min(count, room), size)


EXTEND_TABLE = Exercise(
    name="extend_table",
    title="A table of blocks",
    difficulty=3,
    importance=5,
    minutes=12,
    cases=_cases,
    judge=oracle_judge(
        _place,
        (
            Misconception(
                _counted(needed=lambda t, s, c, b: math.ceil(c / b)),
                "you took new blocks for the new tokens alone; the last block of the table may have room left",
            ),
            Misconception(
                _counted(needed=lambda t, s, c, b: (s + c) // b + 1 - len(t)),
                "you took a block too many where the tokens end exactly with one",
            ),
            Misconception(
                _counted(slot=lambda t, p, b: t[0] * b + p),
                "you counted on from the first block, as if all stood side by side; look each block up in the table",
            ),
            Misconception(
                _counted(slot=lambda t, p, b: p),
                "you returned positions in the text; a slot is a place in the pool, and the table leads there",
            ),
            Misconception(
                _counted(slot=lambda t, p, b: t[p // b] + p % b),
                "you added a block's number to the offset; block n begins at slot n * block_size",
            ),
            Misconception(
                _counted(needed=lambda t, s, c, b: math.ceil((s + c) / b) - len(t)),
                "you took blocks although the table reached further than these tokens; a negative number of blocks is none",
            ),
            Misconception(
                _counted(last=True), "you took free blocks from the end of the list; the front has been free longest"
            ),
            Misconception(
                _all_slots, "you gave slots to all tokens so far; only the new ones are written in this step"
            ),
            Misconception(
                _what_fits,
                "you placed as many tokens as fit; half a step is of no use, so where blocks are lacking return None",
            ),
        ),
    ),
    hints=(
        "How many blocks must the table have once the last of the new tokens stands in it? How many has it now?",
        "Missing: (start + count) over block_size, rounded up, minus len(table), and at least 0. Then position p stands in block table[p // block_size], at offset p % block_size.",
        "missing = max(-(-(start + count) // block_size) - len(table), 0); if missing > len(free): return None; table = table + free[:missing]; slots = [table[p // b] * b + p % b for p in range(start, start + count)]",
    ),
)
