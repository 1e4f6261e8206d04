"""What sparsity saves before anything is timed: bytes of compressed rows, multiplications of a chain, shared inputs."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np

from labkit.course.exercise import Case, Exercise
from labkit.course.oracle import Misconception, oracle_judge


def _crossover_cases(rng: np.random.Generator) -> list[Case]:
    fixed = [
        Case("one row of four", rows=1, columns=4, value_bytes=4, index_bytes=4),
        Case("starts alone weigh more", rows=8, columns=1, value_bytes=1, index_bytes=8),
        Case("large, 32 bits", rows=4096, columns=4096, value_bytes=4, index_bytes=4),
        Case("large, 16 bits", rows=4096, columns=4096, value_bytes=2, index_bytes=4),
    ]
    return [*fixed, *(_drawn_matrix(rng) for _ in range(10))]


def _drawn_matrix(rng: np.random.Generator) -> Case:
    rows, columns = (int(2 ** rng.uniform(1, 12)) for _ in range(2))
    return Case(
        rows=rows,
        columns=max(columns, 8),
        value_bytes=int(rng.choice([2, 4, 8])),
        index_bytes=int(rng.choice([1, 4])),
    )


def _crossover(rows: int, columns: int, value_bytes: int, index_bytes: int) -> float:
    """Exactly, from the equation of bytes with the number of weights left as the unknown."""
    dense, starts = rows * columns * value_bytes, (rows + 1) * index_bytes
    weights = Fraction(dense - starts, value_bytes + index_bytes)
    return float(max(weights / (rows * columns), Fraction(0)))


def _solved(rows: int, columns: int, saved: float, each: float) -> float:
    return max(saved / each / (rows * columns), 0.0)


CROSSOVER_DENSITY = Exercise(
    name="crossover_density",
    title="Where compressed rows stop being smaller",
    difficulty=2,
    importance=4,
    minutes=7,
    cases=_crossover_cases,
    judge=oracle_judge(
        _crossover,
        (
            Misconception(
                lambda rows, columns, value_bytes, index_bytes: value_bytes / (value_bytes + index_bytes),
                "you left out the starts of the rows; there is one for each row and one at the end",
            ),
            Misconception(
                lambda rows, columns, value_bytes, index_bytes: _solved(
                    rows, columns, rows * columns * value_bytes - (rows + 1) * index_bytes, value_bytes
                ),
                "you stored no columns: each weight that is kept needs its index beside it",
            ),
            Misconception(
                lambda rows, columns, value_bytes, index_bytes: value_bytes / (value_bytes + 2 * index_bytes),
                "you stored a row and a column for each weight, which is the coordinate format; compressed rows store the row once",
            ),
            Misconception(
                lambda rows, columns, value_bytes, index_bytes: _solved(
                    rows, columns, rows * columns * value_bytes - rows * index_bytes, value_bytes + index_bytes
                ),
                "you counted as many starts as rows; the end of the last row has to be stored as well",
            ),
            Misconception(
                lambda rows, columns, value_bytes, index_bytes: 1 - _crossover(rows, columns, value_bytes, index_bytes),
                "you returned the sparsity; asked for is the density, the share of weights that are kept",
            ),
            Misconception(
                lambda rows, columns, value_bytes, index_bytes: _crossover(rows, columns, 1, 1),
                "you counted elements, not bytes",
            ),
            Misconception(
                lambda rows, columns, value_bytes, index_bytes: (
                    (rows * columns * value_bytes - (rows + 1) * index_bytes)
                    / (rows * columns * (value_bytes + index_bytes))
                ),
                "a negative density came out: where the starts alone outweigh the dense matrix it never pays, so return 0.0",
            ),
        ),
    ),
    hints=(
        "Write down the bytes of both formats with the number of kept weights as the unknown, and set them equal.",
        "Dense: rows * columns * value_bytes. Compressed: kept * (value_bytes + index_bytes) + (rows + 1) * index_bytes.",
        "kept = (dense bytes - bytes of the starts) / (value_bytes + index_bytes); return kept / (rows * columns), but at least 0.0",
    ),
)


def _chain_cases(rng: np.random.Generator) -> list[Case]:
    fixed = [
        Case("one convolution", widths=[1, 2], side=2, kernel=1),
        Case("two convolutions", widths=[1, 2, 3], side=4, kernel=3),
        Case("a whole network", widths=[1, 64, 128, 128], side=8, kernel=3),
        Case("half of its channels", widths=[1, 32, 64, 64], side=8, kernel=3),
    ]
    drawn = [
        Case(
            widths=[int(rng.integers(1, 4)), *rng.integers(5, 100, int(rng.integers(1, 5))).tolist()],
            side=int(rng.integers(3, 30)),
            kernel=int(rng.choice([3, 5, 7])),
        )
        for _ in range(8)
    ]
    return [*fixed, *drawn]


def _chain(widths: list[int], side: int, kernel: int) -> int:
    """Place by place and layer by layer: each output number is a sum over a window in every input channel."""
    total = 0
    for _ in range(side * side):
        total += sum(out * into * kernel * kernel for into, out in itertools.pairwise(widths))
    return total


CHAIN_MACS = Exercise(
    name="chain_macs",
    title="What half of the channels saves",
    difficulty=2,
    importance=5,
    minutes=7,
    cases=_chain_cases,
    judge=oracle_judge(
        _chain,
        (
            Misconception(
                lambda widths, side, kernel: 2 * _chain(widths, side, kernel),
                "you counted multiplications and additions apart; a multiply-accumulate is both in one",
            ),
            Misconception(
                lambda widths, side, kernel: _chain(widths, 1, kernel),
                "you counted the weights; each of them is used again at every place of the image",
            ),
            Misconception(
                lambda widths, side, kernel: _chain(widths, side, 1) * kernel,
                "you took the kernel's side for its area; a window has kernel * kernel numbers",
            ),
            Misconception(
                lambda widths, side, kernel: side * side * kernel * kernel * sum(widths[1:]),
                "you let each output channel read one input channel; it reads all of them",
            ),
            Misconception(
                lambda widths, side, kernel: _chain(widths, 1, kernel) * side,
                "you took the image's side for its area; it has side * side places",
            ),
            Misconception(
                lambda widths, side, kernel: _chain(widths[1:], side, kernel),
                "you left out the first convolution; the first width is the channels of the image itself",
            ),
        ),
    ),
    hints=(
        "How many multiply-accumulates does one number of one output channel take? How many such numbers are there?",
        "A window of kernel * kernel in each input channel, for each output channel, at each of side * side places.",
        "total = 0; for each pair of neighbouring widths add side*side * kernel*kernel * first * second; return total",
    ),
)


def _needed_cases(rng: np.random.Generator) -> list[Case]:
    fixed = [(0.5, 1), (0.5, 2), (0.5, 3), (0.0, 4), (1.0, 3), (0.1, 16), (0.3, 8)]
    drawn = [(float(np.round(rng.uniform(0.02, 0.9), 3)), int(rng.integers(2, 33))) for _ in range(8)]
    return [Case(density=d, rows=m) for d, m in [*fixed, *drawn]]


def _needed(density: float, rows: int) -> float:
    """Row after row: of what nobody needed so far, the next row needs its share."""
    needed = 0.0
    for _ in range(rows):
        needed += (1 - needed) * density
    return needed


NEEDED_SHARE = Exercise(
    name="needed_share",
    title="How soon a batch needs everything",
    difficulty=2,
    importance=4,
    minutes=5,
    cases=_needed_cases,
    judge=oracle_judge(
        _needed,
        (
            Misconception(
                lambda density, rows: min(1.0, density * rows),
                "you added the shares up; rows often need the same input, and it is read once for all of them",
            ),
            Misconception(
                lambda density, rows: density**rows,
                "you have the share that every row needs; asked for is what at least one of them needs",
            ),
            Misconception(
                lambda density, rows: (1 - density) ** rows,
                "you have the share that no row needs; asked for is the rest",
            ),
            Misconception(
                lambda density, rows: 1 - density**rows,
                "you have the share that not every row needs; ask first which share no row needs",
            ),
            Misconception(
                lambda density, rows: density,
                "you let all rows need the same inputs; they choose independently",
            ),
        ),
    ),
    hints=(
        "Turn the question round: which inputs can be left unread?",
        "An input is left unread if no row needs it. One row does not need it with probability 1 - density; rows are independent.",
        "unread = (1 - density) to the power of rows; return 1 - unread",
    ),
)
