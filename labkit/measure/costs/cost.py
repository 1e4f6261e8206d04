"""The cost of one operation, and the rule that states it.

A rule is a plain function of the operation's own arguments, with every tensor replaced by its `TensorSpec`, and of
`out`, the result. It returns a `Cost`, or None where shapes do not tell (the operation is then listed as unknown).

FLOPs follow `torch.utils.flop_counter`: a multiply-add is two, and only contractions count (matrix products,
convolutions, attention). A softmax, a norm or an addition has zero FLOPs, and its bytes tell what it takes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from labkit.measure.costs.spec import Part, TensorSpec

Operands = Sequence["TensorSpec | Part | Operands | None"]


class Cost(NamedTuple):
    """`reads` and `writes` default to every input once and every output once (an in-place operand is both).

    `dtype` names the arithmetic where it is not that of the first operand: "int8" for a dynamically quantized linear.
    """

    flops: int = 0
    reads: Operands | None = None
    writes: Operands | None = None
    dtype: str | None = None


Rule = Callable[..., Cost | None]

STREAM = Cost()


def stream(*_args: object, **_kwargs: object) -> Cost:
    """Reads all, writes all, multiplies nothing."""
    return STREAM


def nothing(*_args: object, **_kwargs: object) -> Cost:
    """Moves no data: a view, a size, an uninitialised buffer."""
    return Cost(0, (), ())
