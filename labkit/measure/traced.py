"""What a trace found: one record an executed operator, totals, and how much of the truth it covers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from labkit.measure.ceiling_report import Ceilings
from labkit.measure.costs.accounting import Account, account
from labkit.measure.costs.registry import name_of
from labkit.measure.costs.spec import dtype_name, specs_in
from labkit.measure.limits import Limit, limits
from labkit.measure.report import Report, Table
from labkit.measure.trace_table import trace_table, trace_title

if TYPE_CHECKING:
    from labkit.measure.figure import Figure
    from labkit.measure.recorder import Call


@dataclass(frozen=True, slots=True)
class OpRecord:
    """One executed operator. FLOPs and bytes are None where `unknown` says why, seconds where no clock is right."""

    name: str
    module: str
    backward: bool
    shapes: tuple[tuple[int, ...], ...]
    dtypes: tuple[str, ...]
    dtype: str | None
    device: str
    flops: int | None
    bytes_read: int | None
    bytes_written: int | None
    seconds: float | None
    thread: int
    unknown: str = ""


@dataclass(repr=False)
class Trace(Report):
    """All operators of a traced block. Filled when the block ends.

    `wall_seconds` is the whole block, `recording_seconds` the part of it that the trace itself took (part of it
    estimated). Totals sum what is known: `completeness` says how much that is.
    """

    cold: bool = False
    threads: int = 1
    ceilings: Ceilings | None = None
    ops: list[OpRecord] = field(default_factory=list)
    wall_seconds: float = 0.0
    recording_seconds: float = 0.0
    interrupted: str | None = None
    notes: list[str] = field(default_factory=list)

    def __repr__(self) -> str:
        return f"Trace of {trace_title(self)}; {self.completeness}"

    def __post_init__(self) -> None:
        self._accounts: list[Account] = []
        self._limits: list[Limit | None] | None = None

    def absorb(self, calls: Sequence[Call]) -> None:
        """Work out the cost of recorded calls."""
        for call in calls:
            found = account(call.op, call.args, call.kwargs, call.out)
            self._accounts.append(found)
            self.ops.append(_record(call, found))

    @property
    def flops(self) -> int:
        return sum(op.flops or 0 for op in self.ops)

    @property
    def bytes_read(self) -> int:
        return sum(op.bytes_read or 0 for op in self.ops)

    @property
    def bytes_written(self) -> int:
        return sum(op.bytes_written or 0 for op in self.ops)

    @property
    def seconds(self) -> float | None:
        """Time inside operators; None if none of them could be timed."""
        times = [op.seconds for op in self.ops if op.seconds is not None]
        return sum(times) if times or not self.ops else None

    @property
    def intensity(self) -> float | None:
        """FLOP per byte read or written."""
        moved = self.bytes_read + self.bytes_written
        return self.flops / moved if moved else None

    @property
    def device(self) -> str:
        """Where most of the time went, "cpu" or "cuda"; where most operators ran if nothing was timed."""
        spent: dict[str, float] = {}
        for op in self.ops:
            spent[op.device] = spent.get(op.device, 0) + (op.seconds or 1e-12)
        return max(spent, key=spent.__getitem__, default="cpu")

    @property
    def between_share(self) -> float | None:
        """Share of the wall time spent between operators (Python, autograd, dispatch), recording taken off."""
        inside = sum(op.seconds or 0 for op in self.ops if op.thread == 0)
        net = self.wall_seconds - self.recording_seconds
        if net <= 0 or self.seconds is None:
            return None
        return min(max(1 - inside / net, 0.0), 1.0)

    @property
    def accounted_time(self) -> float:
        """Share of the operators' time whose cost is known."""
        known = sum(op.seconds or 0 for op in self.ops if not op.unknown)
        return known / self.seconds if self.seconds else float(not any(op.unknown for op in self.ops))

    @property
    def accounted_bytes(self) -> float:
        """Share of the bytes whose movement is known, counting each operand of an unknown operator once."""
        sizes = [(a.bytes_read + a.bytes_written, not a.unknown) for a in self._accounts]
        total = sum(size for size, _ in sizes)
        return sum(size for size, known in sizes if known) / total if total else self.accounted_time

    @property
    def completeness(self) -> str:
        """One line: what the trace accounts for, what it does not, and the time no operator had."""
        parts = [f"{_percent(self.accounted_time)} of time and {_percent(self.accounted_bytes)} of bytes accounted for"]
        unknown = [op for op in self.ops if op.unknown]
        if unknown:
            parts.append("unknown: " + ", ".join(self._unknown_line(name, unknown) for name in _names(unknown)))
        if self.between_share is not None:
            parts.append(f"about {100 * self.between_share:.0f} % of wall time between operators")
        if self.interrupted:
            parts.append(f"the block ended early by {self.interrupted}")
        return "; ".join(parts)

    def _unknown_line(self, name: str, unknown: list[OpRecord]) -> str:
        mine = [op for op in unknown if op.name == name]
        share = sum(op.seconds or 0 for op in mine) / self.seconds if self.seconds else None
        calls = f"{len(mine)} call{'s' if len(mine) > 1 else ''}"
        return f"{name} ({calls}, {_percent(share)} of time, {mine[0].unknown})"

    def limits(self, ceilings: Ceilings | None = None) -> list[Limit | None]:
        """The least time of each operator under `ceilings`, by default `roofs()`, in the order of `ops`.

        None where the cost is unknown, or where the operator ran on a device that the ceilings are not about.
        """
        chosen = ceilings or self.roofs()
        if chosen is self.ceilings and self._limits is not None:
            return self._limits
        here = ("meta", chosen.device)
        found = limits(self._accounts, chosen, self.threads, self.cold)
        found = [limit if op.device in here else None for op, limit in zip(self.ops, found, strict=True)]
        if chosen is self.ceilings:
            self._limits = found
        return found

    def roofs(self) -> Ceilings:
        """The ceilings this trace was given, else those of the device it ran on, measured at the first call."""
        if self.ceilings is None:
            from labkit.measure.ceiling import ceilings

            self.ceilings = ceilings("cuda" if self.device == "cuda" else "cpu")
        return self.ceilings

    def table(self, by: Literal["op", "module", "call"] = "op", top: int | None = 20) -> Table:
        """Time, FLOPs, bytes, cache level and share of the roofline for each kind of op, module or single call.

        The row of a module includes everything below it. Raises `ValueError` for another `by`.
        """
        return trace_table(self, by, top)

    def plot(self) -> Figure:
        """The roofline of this machine with these operators on it."""
        from labkit.measure.rooflines import roofline

        return roofline(self)

    def to_json(self, indent: int | None = None) -> str:
        plain = json.loads(super().to_json())
        totals = ("flops", "bytes_read", "bytes_written", "seconds", "intensity", "completeness")
        return json.dumps({**{t: getattr(self, t) for t in totals}, **plain}, indent=indent, ensure_ascii=False)


def _record(call: Call, found: Account) -> OpRecord:
    inputs = specs_in((call.args, tuple(call.kwargs.values())))
    devices = [s.device for s in (*inputs, *specs_in(call.out))]
    seconds = call.seconds
    if isinstance(seconds, tuple):
        seconds = seconds[0].elapsed_time(seconds[1]) * 1e-3
    return OpRecord(
        name=name_of(call.op),
        module=call.module,
        backward=call.backward,
        shapes=tuple(s.shape for s in inputs),
        dtypes=tuple(dtype_name(s.dtype) for s in inputs),
        dtype=found.dtype,
        device=next((d for d in devices if d != "cpu"), "cpu"),
        flops=None if found.unknown else found.flops,
        bytes_read=None if found.unknown else found.bytes_read,
        bytes_written=None if found.unknown else found.bytes_written,
        seconds=seconds,
        thread=call.thread,
        unknown=found.unknown,
    )


def _names(ops: list[OpRecord]) -> list[str]:
    return list(dict.fromkeys(op.name for op in ops))


def _percent(share: float | None) -> str:
    return "n/a" if share is None else f"{100 * share:.3g} %"
