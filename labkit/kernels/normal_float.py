"""NF4, the 4-bit type of QLoRA: sixteen levels that a normal distribution uses equally often.

Trained weights are close to normal. Levels at equal steps then waste codes on the tails; levels at equal steps of
*probability* do not (arXiv 2305.14314, section 3). Eight quantiles above zero, seven below and zero itself, so that
zero is exact, all divided by the largest so that the outermost are -1 and 1.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

OUTERMOST = 1 - (1 / 32 + 1 / 30) / 2
"""Probability below the largest level. At 1 it would be infinite; half a step is left out, averaged over both sides:
a side of 8 levels has steps of 1/16, one of 7 (and zero) of 1/15."""


def normal_float_levels() -> Float[Tensor, " levels"]:
    """The sixteen levels by code, smallest first, in fp32.

    >>> normal_float_levels()[[0, 7, 8, 15]]
    tensor([-1.0000,  0.0000,  0.0796,  1.0000])
    """
    above, below = (
        torch.special.ndtri(torch.linspace(OUTERMOST, 0.5, count + 1, dtype=torch.float64)[:-1]) for count in (8, 7)
    )
    levels = torch.cat((-below, torch.zeros(1, dtype=torch.float64), above.flip(0)))
    return (levels / above.max()).float()


NF4_LEVELS = normal_float_levels()
