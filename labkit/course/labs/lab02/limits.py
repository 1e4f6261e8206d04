"""What a step must take, and how idle the arithmetic is meanwhile."""

from __future__ import annotations

import numpy as np

from labkit.course.exercise import Case, Exercise
from labkit.course.oracle import Misconception, oracle_judge

NAMES = ("weight_bytes", "cache_bytes", "batch", "flops_per_token", "bandwidth", "peak")


def _step_cases(rng: np.random.Generator) -> list[Case]:
    fixed = [
        (16e9, 1e9, 4, 16e9, 2e12, 1e15),
        (1e6, 1e5, 1, 2e6, 1e9, 1e12),
        (1e6, 0.0, 512, 2e6, 1e9, 1e10),  # arithmetic is the limit
        (1e6, 5e5, 8, 2e6, 1e9, 1.2e9),  # near the ridge
    ]
    drawn = [
        (
            float(10 ** rng.uniform(6, 11)),
            float(10 ** rng.uniform(4, 10)),
            int(rng.choice([2, 3, 8, 64, 256])),
            float(10 ** rng.uniform(6, 11)),
            float(10 ** rng.uniform(10, 13)),
            float(10 ** rng.uniform(11, 15)),
        )
        for _ in range(12)
    ]
    return [Case(**dict(zip(NAMES, case, strict=True))) for case in [*fixed, *drawn]]


def _step(w: float, c: float, b: int, f: float, bandwidth: float, peak: float) -> tuple[float, float]:
    fetching, calculating = w / bandwidth + b * (c / bandwidth), b * (f / peak)
    return (fetching, calculating / fetching) if fetching > calculating else (calculating, 1.0)


def _of(seconds: float, flops: float, peak: float) -> tuple[float, float]:
    return seconds, flops / seconds / peak


DECODE_STEP = Exercise(
    name="decode_step",
    title="How idle is the arithmetic?",
    difficulty=2,
    importance=5,
    minutes=7,
    cases=_step_cases,
    judge=oracle_judge(
        _step,
        (
            Misconception(
                lambda w, c, b, f, bw, p: _of(max(b * (w + c) / bw, b * f / p), b * f, p),
                "you fetched the weights again for every conversation; one trip serves the whole batch",
            ),
            Misconception(
                lambda w, c, b, f, bw, p: _of(max((w + c) / bw, b * f / p), b * f, p),
                "you let the conversations share one cache; each reads its own",
            ),
            Misconception(
                lambda w, c, b, f, bw, p: _of((w + b * c) / bw + b * f / p, b * f, p),
                "you added the two times; fetching and calculating overlap, so the longer one counts",
            ),
            Misconception(
                lambda w, c, b, f, bw, p: _of(max((w + b * c) / bw, f / p), f, p),
                "you calculated one token; the step makes one for each conversation",
            ),
            Misconception(
                lambda w, c, b, f, bw, p: _of((w + b * c) / bw, b * f, p),
                "you looked at the fetching alone; with enough conversations the arithmetic takes longer",
            ),
            Misconception(
                lambda w, c, b, f, bw, p: (_step(w, c, b, f, bw, p)[0], 100 * _step(w, c, b, f, bw, p)[1]),
                "you returned a percentage; 1.0 is fully busy, not 100",
            ),
            Misconception(
                lambda w, c, b, f, bw, p: (_step(w, c, b, f, bw, p)[0], 1 - _step(w, c, b, f, bw, p)[1]),
                "you returned the idle share; the busy one is asked for",
            ),
            Misconception(
                lambda w, c, b, f, bw, p: (b / _step(w, c, b, f, bw, p)[0], _step(w, c, b, f, bw, p)[1]),
                "you returned tokens per second; the first number is the seconds of a step",
            ),
        ),
    ),
    hints=(
        "Work out two times: how long the bytes of a step take, and how long its operations.",
        "Bytes: the weights once, a cache for each conversation. Operations: flops_per_token for each. The longer time is that of the step.",
        "seconds = max((weight_bytes + batch * cache_bytes) / bandwidth, batch * flops_per_token / peak); busy = batch * flops_per_token / peak / seconds",
    ),
)
