"""Do two functions compute the same? Asked before any speed counts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import torch

Check = Callable[[Any, Any], object] | Literal["allclose"] | None


class OutputsDiffer(ValueError):  # noqa: N818  it names what happened, as a reader of the message would
    """The candidate does not compute what the baseline computes, so its speed means nothing."""


def require_agreement(baseline: Any, candidate: Any, check: Check) -> bool:
    """True if the outputs agree by `check`, False if `check` is None and nothing was asked.

    "allclose" compares with the tolerance that `torch.testing.assert_close` has for the coarser of the two dtypes. A
    function is called with both outputs and refuses by returning False or by an `AssertionError`. Raises
    `OutputsDiffer` on a refusal, `ValueError` for a check that is neither.

    >>> require_agreement(torch.ones(2), torch.ones(2), "allclose")
    True
    >>> require_agreement(torch.ones(2), torch.zeros(2), "allclose")
    Traceback (most recent call last):
    labkit.measure.agreement.OutputsDiffer: The outputs differ, so no speed is measured: Tensor-likes are not close! ...
    """
    if check is None:
        return False
    if check != "allclose" and not callable(check):
        raise ValueError(f"check must be 'allclose', a function of both outputs, or None; got {check!r}.")
    if check == "allclose" and (baseline is None or candidate is None):
        raise OutputsDiffer(
            "A function returned None, so there is nothing to check; return the result or give a check."
        )
    try:
        agreed = _assert_close(baseline, candidate) if check == "allclose" else check(baseline, candidate)
    except (AssertionError, TypeError, ValueError, NotImplementedError) as error:
        raise OutputsDiffer(f"The outputs differ, so no speed is measured: {_one_line(error)}") from None
    if agreed is False:
        raise OutputsDiffer("The outputs differ, so no speed is measured: the check returned False.")
    return True


def _assert_close(baseline: Any, candidate: Any) -> None:
    torch.testing.assert_close(candidate, baseline, check_dtype=False, check_stride=False, equal_nan=True)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
