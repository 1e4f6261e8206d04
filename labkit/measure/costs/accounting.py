"""From one recorded call to its FLOPs and the memory it touched, or to the reason why nobody can say."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

import torch

from labkit.measure.costs.cost import Cost, Rule, nothing, stream
from labkit.measure.costs.registry import lookup, name_of
from labkit.measure.costs.spec import Part, Region, TensorSpec, dtype_name, specs_in, touched


class Account(NamedTuple):
    """`unknown` is empty, or says why the FLOPs are None; the regions of an unknown operation are its operands."""

    flops: int | None
    dtype: str | None
    reads: Sequence[Region]
    writes: Sequence[Region]
    unknown: str = ""

    @property
    def bytes_read(self) -> int:
        return sum(r.nbytes for r in self.reads)

    @property
    def bytes_written(self) -> int:
        return sum(r.nbytes for r in self.writes)


class _Facts(NamedTuple):
    """What the schema says: arguments that are only written, arguments that are written too."""

    name: str
    outputs_only: frozenset[str]
    changed: frozenset[int | str]


def account(op: Any, args: Sequence, kwargs: dict[str, Any], out: Any) -> Account:
    """The account of `out = op(*args, **kwargs)`, tensors given as `TensorSpec`. Never raises."""
    facts = _facts(op)
    inputs = {k: v for k, v in kwargs.items() if k not in facts.outputs_only}
    changed = [x for i, x in (*enumerate(args), *kwargs.items()) if i in facts.changed]
    operands = specs_in((args, tuple(inputs.values())))
    results = specs_in((out, changed))
    cost, reason = _cost(op, facts.name, args, inputs, out, [*operands, *results])
    reads = operands if cost is None or cost.reads is None else _flat(cost.reads)
    writes = results if cost is None or cost.writes is None else _flat(cost.writes)
    flops = None if cost is None else cost.flops
    return Account(flops, _arithmetic(cost, operands), touched(reads), touched(writes), reason)


def _cost(
    op: Any, name: str, args: Sequence, kwargs: dict[str, Any], out: Any, specs: list[TensorSpec]
) -> tuple[Cost | None, str]:
    if not all(s.understood for s in specs):
        return None, "sparse or nested operand"
    rule = lookup(name) or _rule_by_kind(op)
    if rule is None:
        return None, "no rule"
    try:
        cost = rule(*args, out=out, **kwargs)
    except Exception as error:
        return None, f"its rule failed: {type(error).__name__}: {error}"
    return cost, "" if cost is not None else "shapes do not tell its work"


def _rule_by_kind(op: Any) -> Rule | None:
    if not isinstance(op, torch._ops.OpOverload):
        return None
    if op.is_view:
        return nothing
    return stream if _streams(op) else None


@cache
def _streams(op: torch._ops.OpOverload) -> bool:
    """Pointwise operations and reductions say so by tag; an in-place form is what its functional form is."""
    functional = getattr(torch.ops.aten, op._schema.name.removeprefix("aten::").removesuffix("_"), None)
    family = [getattr(functional, o) for o in functional.overloads()] if functional is not None else []
    tags = (torch.Tag.pointwise, getattr(torch.Tag, "reduction", torch.Tag.pointwise))
    return any(tag in o.tags for o in (op, *family) for tag in tags)


@cache
def _facts(op: Any) -> _Facts:
    name, schema = name_of(op), getattr(op, "_schema", None)
    if isinstance(op, torch._ops.OpOverload):
        name = op.name()
    if schema is None:
        return _Facts(name, frozenset(), frozenset())
    outputs_only, changed = set(), set()
    for position, argument in enumerate(schema.arguments):
        if argument.is_out:
            outputs_only.add(argument.name)
        if argument.alias_info is not None and argument.alias_info.is_write:
            changed.update((argument.name, *(() if argument.kwarg_only else (position,))))
    return _Facts(name, frozenset(outputs_only), frozenset(changed))


def _flat(operands: Sequence) -> list[TensorSpec | Part]:
    flat: list[TensorSpec | Part] = []
    for operand in operands:
        flat.extend([operand] if isinstance(operand, Part) else specs_in(operand))
    return flat


def _arithmetic(cost: Cost | None, operands: list[TensorSpec]) -> str | None:
    if cost is not None and cost.dtype:
        return cost.dtype
    return dtype_name(operands[0].dtype) if operands else None
