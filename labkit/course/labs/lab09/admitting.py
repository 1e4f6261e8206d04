"""Who comes in next: seats, blocks, and nobody overtakes.

The oracle counts blocks token by token; the notebook divides and rounds up.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np

from labkit.course.exercise import Case, Exercise
from labkit.course.oracle import Misconception, oracle_judge

Waiting = list[tuple[int, int, int]]


def _cases(rng: np.random.Generator) -> list[Case]:
    fixed = [
        Case("the example", waiting=[(3, 20, 100), (4, 50, 10), (5, 5, 10)], seats=3, free_blocks=4, block_size=16),
        Case("nobody waits", waiting=[], seats=3, free_blocks=4, block_size=16),
        Case("no seat", waiting=[(0, 4, 4)], seats=0, free_blocks=4, block_size=4),
        Case("no block", waiting=[(0, 4, 4)], seats=2, free_blocks=0, block_size=4),
        Case("to the last block", waiting=[(8, 16, 9), (9, 32, 9), (2, 1, 9)], seats=9, free_blocks=3, block_size=16),
        Case("few seats", waiting=[(5, 3, 2), (6, 3, 2), (7, 3, 2)], seats=2, free_blocks=50, block_size=4),
    ]
    return [*fixed, *(_drawn(rng, size) for size in (4, 6, 8, 10, 12, 14))]


def _drawn(rng: np.random.Generator, size: int) -> Case:
    """Blocks run out on a prompt of several blocks, behind which shorter ones wait."""
    block = int(rng.choice([4, 8, 16]))
    blocks = rng.integers(1, 4, size)
    stuck = size // 2
    blocks[stuck], blocks[stuck + 1] = 5, 1
    prompts = (blocks * block - rng.integers(0, block, size)).tolist()
    answers = rng.integers(2 * block, 6 * block, size).tolist()
    numbers = rng.permutation(100)[:size].tolist()
    free = int(blocks[:stuck].sum() + rng.integers(1, 5))
    return Case(
        waiting=list(zip(numbers, prompts, answers, strict=True)), seats=size, free_blocks=free, block_size=block
    )


def _let_in(waiting: Waiting, seats: int, free_blocks: int, block_size: int) -> list[int]:
    """By the tokens themselves: each goes into the block that is open, or opens one."""
    room, used, inside = free_blocks * block_size, 0, []
    for request, prompt, _ in waiting:
        used += prompt + -prompt % block_size
        if used > room or len(inside) == seats:
            break
        inside.append(request)
    return inside


def _wrong(
    need: Callable[[int, int, int], int] = lambda prompt, most, size: math.ceil(prompt / size),
    overtake: bool = False,
    spend: bool = True,
    seated: bool = True,
) -> Callable[..., list[int]]:
    def wrong(waiting: Waiting, seats: int, free_blocks: int, block_size: int) -> list[int]:
        inside = []
        for request, prompt, most in waiting:
            blocks = need(prompt, most, block_size)
            if blocks > free_blocks or (seated and len(inside) >= seats):
                if overtake:
                    continue
                break
            inside.append(request)
            free_blocks -= blocks if spend else 0
        return inside

    return wrong


def _out_of_order(case: Case, output: list[int]) -> bool:
    place = {request: n for n, (request, *_) in enumerate(case["waiting"])}
    return any(place[a] > place[b] for a, b in pairwise(output))


ADMIT = Exercise(
    name="admit",
    title="Who comes in next?",
    difficulty=3,
    importance=5,
    minutes=10,
    cases=_cases,
    judge=oracle_judge(
        _let_in,
        (
            Misconception(
                _wrong(overtake=True),
                "you let shorter prompts overtake one that does not fit; behind a stream of short ones a long one would wait for ever",
            ),
            Misconception(
                _wrong(need=lambda prompt, most, size: math.ceil((prompt + most) / size)),
                "you reserved room for the whole answer; paging takes it when the tokens come, and most answers end early",
            ),
            Misconception(
                _wrong(need=lambda prompt, most, size: prompt // size),
                "you rounded the blocks down; the tokens that are left over need a block too",
            ),
            Misconception(
                _wrong(need=lambda prompt, most, size: prompt // size + 1),
                "you always added a block; a prompt that fills its last one exactly needs no more",
            ),
            Misconception(
                _wrong(spend=False),
                "you held each prompt against all free blocks; those before it have taken theirs",
            ),
            Misconception(_wrong(seated=False), "you forgot the seats; they bound who is inside, whatever the blocks"),
            Misconception(
                _wrong(need=lambda prompt, most, size: prompt),
                "you compared tokens with blocks; a block holds `block_size` tokens",
            ),
            Misconception.seen(_out_of_order, "you changed the order; who came first is let in first"),
        ),
    ),
    hints=(
        "Walk along the line from its head. What must hold for the first to come in, and what is left for the second?",
        "A prompt takes its tokens over `block_size`, rounded up. Subtract before you look at the next, and stop at the first that finds no seat or too few blocks.",
        "for request, prompt, _ in waiting: blocks = -(-prompt // block_size); if blocks > free_blocks or len(inside) == seats: break; append, subtract",
    ),
)
