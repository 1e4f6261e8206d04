"""The roof: what is attainable, and how close to it an operation came."""

from __future__ import annotations

import numpy as np

from labkit.course.exercise import Case, Exercise
from labkit.course.oracle import Misconception, oracle_judge


def _roof_cases(rng: np.random.Generator) -> list[Case]:
    fixed = [(2.0, 100.0, 10.0), (50.0, 100.0, 10.0), (10.0, 100.0, 10.0), (0.0, 5.0, 3.0), (0.25, 1.0, 1.0)]
    drawn = [tuple(float(10 ** rng.uniform(low, high)) for low, high in ((-2, 3), (9, 15), (9, 13))) for _ in range(12)]
    return [Case(intensity=i, peak=p, bandwidth=b) for i, p, b in [*fixed, *drawn]]


ATTAINABLE = Exercise(
    name="attainable",
    title="The roof",
    difficulty=1,
    importance=5,
    minutes=3,
    cases=_roof_cases,
    judge=oracle_judge(
        lambda intensity, peak, bandwidth: peak if intensity >= peak / bandwidth else bandwidth * intensity,
        (
            Misconception(
                lambda intensity, peak, bandwidth: max(peak, intensity * bandwidth),
                "you took the larger of the two; a roof is what you cannot rise above, so the smaller one holds",
            ),
            Misconception(
                lambda intensity, peak, bandwidth: intensity * bandwidth,
                "you drew the slope only; beyond the ridge the peak of the arithmetic is the limit",
            ),
            Misconception(
                lambda intensity, peak, bandwidth: peak,
                "you drew the flat part only; left of the ridge the feeding is the limit",
            ),
            Misconception(
                lambda intensity, peak, bandwidth: min(peak, bandwidth / intensity),
                "you divided by the intensity; a byte that carries more work allows more operations per second, not fewer",
            ),
            Misconception(
                lambda intensity, peak, bandwidth: 1 / (1 / peak + 1 / (intensity * bandwidth)),
                "you let fetching and calculating wait for each other; they overlap, so only the slower one counts",
            ),
        ),
    ),
    hints=(
        "Two limits hold at once. Which of them do you feel?",
        "The slope gives intensity * bandwidth, the flat part gives peak; take the one that is reached first.",
        "return the smaller of peak and intensity * bandwidth",
    ),
)


def _share_cases(rng: np.random.Generator) -> list[Case]:
    fixed = [
        (8e9, 1e9, 0.2, 1e11, 1e10),
        (1e9, 1e3, 0.02, 1e11, 1e10),
        (0.0, 1e9, 0.4, 1e11, 1e10),
        (8e9, 0.0, 0.1, 1e11, 1e10),
        (1e9, 1e9, 0.08, 1e11, 1e10),  # above the roof: the data came from a cache
    ]
    cases = [dict(zip(("flops", "num_bytes", "seconds", "peak", "bandwidth"), f, strict=True)) for f in fixed]
    for _ in range(10):
        flops, num_bytes = float(10 ** rng.uniform(3, 12)), float(10 ** rng.uniform(3, 10))
        peak, bandwidth = float(10 ** rng.uniform(10, 15)), float(10 ** rng.uniform(9, 13))
        least = max(flops / peak, num_bytes / bandwidth)
        seconds = least * float(rng.uniform(1, 20))
        cases.append({"flops": flops, "num_bytes": num_bytes, "seconds": seconds, "peak": peak, "bandwidth": bandwidth})
    return [Case(**case) for case in cases]


SHARE_OF_ROOF = Exercise(
    name="share_of_roof",
    title="How close to the roof?",
    difficulty=2,
    importance=5,
    minutes=6,
    cases=_share_cases,
    judge=oracle_judge(
        lambda flops, num_bytes, seconds, peak, bandwidth: max(
            (flops / seconds) / peak, (num_bytes / seconds) / bandwidth
        ),
        (
            Misconception(
                lambda flops, num_bytes, seconds, peak, bandwidth: flops / peak / seconds,
                "you divided by the arithmetic peak alone; a memory-bound operation can be perfect at a few percent of it",
            ),
            Misconception(
                lambda flops, num_bytes, seconds, peak, bandwidth: num_bytes / bandwidth / seconds,
                "you looked at the traffic alone; a compute-bound operation is limited by its arithmetic",
            ),
            Misconception(
                lambda flops, num_bytes, seconds, peak, bandwidth: (flops / peak + num_bytes / bandwidth) / seconds,
                "you added the two times; they overlap, so the slower one is the least time",
            ),
            Misconception(
                lambda flops, num_bytes, seconds, peak, bandwidth: min(
                    1.0, max(flops / peak, num_bytes / bandwidth) / seconds
                ),
                "you cut the share off at 1.0; more than 1 is a finding: the data did not come from where you thought",
            ),
            Misconception(
                lambda flops, num_bytes, seconds, peak, bandwidth: (
                    100 * max(flops / peak, num_bytes / bandwidth) / seconds
                ),
                "you returned a percentage; 1.0 is perfect, not 100",
            ),
            Misconception(
                lambda flops, num_bytes, seconds, peak, bandwidth: max(flops / peak, num_bytes / bandwidth),
                "you returned the least time itself; divide it by the time it took",
            ),
            Misconception(
                lambda flops, num_bytes, seconds, peak, bandwidth: min(flops / peak, num_bytes / bandwidth) / seconds,
                "you took the faster of the two; the operation has to wait for the slower",
            ),
            Misconception(
                lambda flops, num_bytes, seconds, peak, bandwidth: seconds / max(flops / peak, num_bytes / bandwidth),
                "the fraction is upside down: least time over measured time, so that 1.0 is perfect",
            ),
        ),
    ),
    hints=(
        "Work out two times first: how long the arithmetic needs at full speed, and how long the traffic needs.",
        "Arithmetic: flops / peak. Traffic: num_bytes / bandwidth. They run side by side.",
        "least = the larger of the two times; return least / seconds",
    ),
)
