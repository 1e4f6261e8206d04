"""Confidences beside what came of them, as every judge of a model's likelihood takes them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

Values = Sequence[float] | Float[np.ndarray, " questions"]


def checked_outcomes(confidence: Values, outcome: Values) -> tuple[np.ndarray, np.ndarray]:
    """Both as arrays of numbers, an outcome being 1 or 0.

    Raises `ValueError` for no questions, unequal numbers, or a confidence outside [0, 1].
    """
    sure, outcomes = np.asarray(confidence, dtype=float), np.asarray(outcome, dtype=float)
    if len(sure) == 0 or len(sure) != len(outcomes):
        raise ValueError(
            f"As many confidences as outcomes are needed, at least 1; got {len(sure)} and {len(outcomes)}."
        )
    if not ((sure >= 0) & (sure <= 1)).all():
        raise ValueError("A confidence is a probability; one of these lies outside 0 to 1.")
    return sure, outcomes
