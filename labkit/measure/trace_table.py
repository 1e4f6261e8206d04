"""The rows of a trace: its operators summed by kind, by module or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from labkit.measure.report import MISSING, Table, si

if TYPE_CHECKING:
    from labkit.measure.limits import Limit
    from labkit.measure.traced import OpRecord, Trace

OUTSIDE = "(outside modules)"
COLUMNS = ("calls", "time", "share of time", "FLOPs", "read", "written", "FLOP/B", "level", "share of roofline")


@dataclass
class Row:
    """Sums over some operators. A sum over unknown ones would lie, so one unknown makes a row's costs unknown."""

    calls: int = 0
    seconds: float = 0.0
    timed: bool = True
    flops: int = 0
    bytes_read: int = 0
    bytes_written: int = 0
    unknown: bool = False
    limit_seconds: float = 0.0
    bytes_at: dict[str, float] = field(default_factory=dict)

    def add(self, op: OpRecord, limit: Limit | None) -> None:
        self.calls += 1
        self.seconds += op.seconds or 0.0
        self.timed &= op.seconds is not None
        self.unknown |= bool(op.unknown)
        self.flops += op.flops or 0
        self.bytes_read += op.bytes_read or 0
        self.bytes_written += op.bytes_written or 0
        if limit:
            self.limit_seconds += limit.seconds
            for name, nbytes in limit.bytes_at.items():
                self.bytes_at[name] = self.bytes_at.get(name, 0) + nbytes

    @property
    def level(self) -> str:
        """Where the bytes come from: every level that brings a tenth or more, the largest share first."""
        total = sum(self.bytes_at.values())
        shares = sorted(((n / total, name) for name, n in self.bytes_at.items() if n >= total / 10), reverse=True)
        return " + ".join(name for _, name in shares)

    def cells(self, total_seconds: float | None) -> list[str]:
        time = self.seconds if self.timed else None
        share = f"{100 * time / total_seconds:.1f} %" if time is not None and total_seconds else MISSING
        head = [str(self.calls), si(time, "s"), share]
        if self.unknown:
            return [*head, *["unknown"] * 3, MISSING, MISSING, MISSING]
        moved = self.bytes_read + self.bytes_written
        intensity = f"{self.flops / moved:.3g}" if moved else "-"
        roof = f"{100 * self.limit_seconds / time:.3g} %" if time and self.limit_seconds else "-"
        sizes = [si(self.flops, "FLOP"), si(self.bytes_read, "B"), si(self.bytes_written, "B")]
        return [*head, *sizes, intensity, self.level or "-", MISSING if time is None else roof]


def trace_table(trace: Trace, by: str, top: int | None) -> Table:
    """See `Trace.table`."""
    if by not in ("op", "module", "call"):
        raise ValueError(f"A trace is summed by 'op', 'module' or 'call'; got {by!r}.")
    limits = trace.limits() if trace.ops else []
    rows: dict[object, Row] = {}
    for index, (op, limit) in enumerate(zip(trace.ops, limits, strict=True)):
        for key in _keys(op, index, by):
            rows.setdefault(key, Row()).add(op, limit)
    order = list(rows) if by == "call" else sorted(rows, key=lambda key: rows[key].seconds, reverse=True)
    shown = order[:top]
    total = trace.seconds
    heads = {"op": ["op"], "module": ["module"], "call": ["op", "module", "shapes"]}[by]
    cells = [[*_labels(key, trace, by), *rows[key].cells(total)] for key in shown]
    note = [trace.completeness + ".", *trace.notes]
    if len(shown) < len(order):
        note.insert(0, f"{len(order) - len(shown)} more rows not shown.")
    return Table(trace_title(trace), [*heads, *COLUMNS], cells, " ".join(note))


def _keys(op: OpRecord, index: int, by: str) -> Iterator[object]:
    if by == "op":
        yield op.name
    elif by == "call":
        yield index
    else:
        suffix = " (backward)" if op.backward else ""
        names = op.module.split(".") if op.module else [OUTSIDE]
        yield from (".".join(names[: i + 1]) + suffix for i in range(len(names)))


def _labels(key: object, trace: Trace, by: str) -> list[str]:
    if by != "call":
        return [str(key)]
    op = trace.ops[key]
    shapes = " ".join("x".join(map(str, s)) or "scalar" for s in op.shapes)
    return [op.name, (op.module or OUTSIDE) + (" (backward)" if op.backward else ""), shapes]


def trace_title(trace: Trace) -> str:
    """The totals in a line; "at least" where an unknown operator may add to them."""
    unknown = any(op.unknown for op in trace.ops)
    at_least = "at least " if unknown else ""
    moved = trace.bytes_read + trace.bytes_written
    text = f"{len(trace.ops)} operators: {at_least}{si(trace.flops, 'FLOP')}, {at_least}{si(moved, 'B')}"
    intensity = "" if trace.intensity is None else f", {trace.intensity:.3g} FLOP/B"
    return f"{text}{intensity}, {si(trace.seconds, 's')} in operators of {si(trace.wall_seconds, 's')}"
