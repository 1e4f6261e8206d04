"""The checks of a sample lab that only the tests know: small, and complete in every part a real one has."""

import numpy as np
import torch

from labkit.course.exercise import Case, Exercise, Prediction
from labkit.course.oracle import Misconception, oracle_judge

TITLE = "A sample"


def _intensity_cases(rng):
    m, n, k = (int(x) for x in rng.integers(2, 2000, 3))
    return [
        Case("one number each", m=1, n=1, k=1, bytes_per_element=4),
        Case("a token against a matrix", m=1, n=512, k=256, bytes_per_element=2),
        Case("odd sizes", m=3, n=5, k=7, bytes_per_element=1),
        Case("drawn at random", m=m, n=n, k=k, bytes_per_element=4),
        Case("very large", m=10**6, n=10**6, k=10**6, bytes_per_element=8),
    ]


def _intensity_oracle(m, n, k, bytes_per_element):
    """Counted by NumPy's shapes instead of a formula over m, n and k."""
    elements = sum(int(np.prod(shape, dtype=object)) for shape in ((m, k), (k, n), (m, n)))
    return float(2 * m * n * k) / float(elements * bytes_per_element)


INTENSITY = Exercise(
    name="arithmetic_intensity",
    title="FLOPs for each byte of a matmul",
    difficulty=1,
    importance=5,
    minutes=5,
    cases=_intensity_cases,
    judge=oracle_judge(
        _intensity_oracle,
        (
            Misconception(
                lambda m, n, k, b: m * n * k / ((m * k + k * n + m * n) * b),
                "you count a multiply-add as one operation; it is two.",
            ),
            Misconception(
                lambda m, n, k, b: 2 * m * n * k / (m * k + k * n + m * n),
                "you count elements; each takes `bytes_per_element` bytes.",
            ),
            Misconception(
                lambda m, n, k, b: 2 * m * n * k / ((m * k + k * n) * b),
                "you read both inputs and forget that the output is written.",
            ),
            Misconception(
                lambda m, n, k, b: (m * k + k * n + m * n) * b / (2 * m * n * k),
                "you divide bytes by operations; it is the other way round.",
            ),
        ),
    ),
    hints=(
        "What is counted above the line, what below?",
        "Above: two operations for each of the m·n·k multiply-adds. Below: three matrices.",
        "operations = 2 m n k\nbytes = (m k + k n + m n) times the bytes of one element\nthe first over the second",
    ),
)


def _softmax_cases(rng):
    rows, columns = (int(x) for x in rng.integers(2, 9, 2))
    drawn = torch.from_numpy(rng.normal(size=(rows, columns)).astype(np.float32))
    return [
        Case("one column", scores=torch.tensor([[3.0]])),
        Case("a tie", scores=torch.zeros(1, 4)),
        Case("far apart", scores=torch.tensor([[1000.0, 0.0], [-1000.0, -1000.0]])),
        Case("drawn at random", scores=drawn),
        Case("bf16", scores=drawn.to(torch.bfloat16)),
    ]


def _softmax_oracle(scores):
    wide = scores.double().numpy()
    powers = np.exp(wide - wide.max(axis=1, keepdims=True))
    return torch.from_numpy(powers / powers.sum(axis=1, keepdims=True)).to(scores.dtype)


ROW_SOFTMAX = Exercise(
    name="row_softmax",
    difficulty=2,
    importance=4,
    minutes=8,
    cases=_softmax_cases,
    judge=oracle_judge(
        _softmax_oracle,
        (
            Misconception(
                lambda scores: torch.softmax(scores, 0), "you normalise down the columns, not along each row."
            ),
            Misconception(
                lambda scores: torch.exp(scores) / torch.exp(scores).sum(1, keepdim=True),
                "you exponentiate before subtracting the row's maximum, and large scores overflow.",
            ),
            Misconception(
                lambda scores: torch.exp(scores - scores.max(1, keepdim=True).values), "you never divide by the sum."
            ),
            Misconception(
                lambda scores: torch.softmax(scores.flatten(), 0).view_as(scores),
                "you normalise over the whole matrix instead of row by row.",
            ),
        ),
    ),
    hints=("Which axis is a row?", "Subtract the maximum, exponentiate, divide.", "e = exp(s - max(s))\ne / sum(e)"),
)

EXERCISES = (INTENSITY, ROW_SOFTMAX)
PREDICTIONS = (
    Prediction("copy bandwidth", "How many gigabytes a second does one core copy?", "GB/s"),
    Prediction("speed-up", "How many times faster are two threads than one?"),
)
