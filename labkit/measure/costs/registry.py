"""Which rule belongs to which operation: the built-in families, and what higher rooms register.

Operations are known by name, "aten::mm" for all overloads or "aten::add.Tensor" for one, so that a rule for an
operation that this build of PyTorch does not have does no harm.
"""

from __future__ import annotations

from typing import Any

from labkit.measure.costs import (
    attention,
    convolution,
    filling,
    indexing,
    matmul,
    quantized,
    recurrent,
    streaming,
)
from labkit.measure.costs.cost import Rule, stream

_BUILT_IN: dict[str, Rule] = {
    **streaming.RULES,
    **filling.RULES,
    **indexing.RULES,
    **matmul.RULES,
    **attention.RULES,
    **convolution.RULES,
    **recurrent.RULES,
    **quantized.RULES,
}

# The one table that others write to, as `torch.library` is for kernels: an operation has one cost in a process.
_REGISTERED: dict[str, Rule] = {}

# Offsets decide which experts of a grouped product are read, so their values are kept (on the CPU, where it is free).
NEEDS_VALUES = frozenset({"aten::_grouped_mm", "aten::_scaled_grouped_mm", "aten::_scaled_grouped_mm_v2"})


def register_cost(op: str | Any, rule: Rule) -> None:
    """State what an operation costs: `rule(*args, out=..., **kwargs) -> Cost`, tensors given as `TensorSpec`.

    `op` is a name ("labkit::packed_linear") or an operator (`torch.ops.labkit.packed_linear`). The last registration
    wins, also over a built-in rule. Raises `ValueError` for a name without "::".

    >>> from labkit.measure.costs import Cost
    >>> register_cost("labkit::twice", lambda x, *, out: Cost(flops=2 * x.numel))
    """
    name = op if isinstance(op, str) else name_of(op)
    if "::" not in name:
        raise ValueError(f"An operation is named 'namespace::name'; got {name!r}.")
    _REGISTERED[name] = rule


def name_of(op: Any) -> str:
    """The qualified name of an operator: overload, packet or higher-order."""
    if hasattr(op, "_qualified_op_name"):
        return op._qualified_op_name
    name = op.name() if callable(getattr(op, "name", None)) else str(op)
    return name if "::" in name else f"higher_order::{name}"


def lookup(name: str) -> Rule | None:
    """The rule of "namespace::op.overload": that overload's, else the operation's, else that of its functional form."""
    base = name.partition(".")[0]
    for candidate in (name, base, base.removesuffix("_")):
        rule = _REGISTERED.get(candidate) or _BUILT_IN.get(candidate)
        if rule:
            return rule
    return stream if base.startswith("aten::_foreach_") else None
