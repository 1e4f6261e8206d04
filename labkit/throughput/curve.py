"""Latency against throughput, from idle to overload: one run a load, and the knee between the two.

At low load more requests cost nobody anything; past the knee each is paid for by all others in waiting. One point of
this curve says nothing of a server: whoever quotes throughput without the latency beside it, or latency without the
load, has chosen a point.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise, takewhile

from labkit.measure.figure import Figure
from labkit.measure.report import MISSING, Report, Table, si
from labkit.throughput.estimates import Estimate
from labkit.throughput.objective import Objective
from labkit.throughput.record import Run
from labkit.throughput.report import Latency, ServiceReport
from labkit.throughput.service import service_report

LATENCY = "end-to-end latency"


@dataclass(frozen=True)
class Knee:
    """The load of most power, measured between its neighbours `low` and `high` (None: at an end of the curve)."""

    rate: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Curve(Report):
    """`loads` rise: requests a second in an open loop, users in a closed one; `points` has a report for each."""

    loads: tuple[float, ...]
    points: tuple[ServiceReport, ...]

    @property
    def knee(self) -> Knee:
        """Where throughput over mean latency, the *power* of a queue, is largest (Kleinrock 1979; see `queueing`).

        Only measured loads are candidates, so it is as coarse as they are.
        """
        powers = [point.request_throughput / mean_latency(point).value for point in self.points]
        best = powers.index(max(powers))
        rates = [point.request_throughput for point in self.points]
        return Knee(rates[best], rates[best - 1] if best else None, rates[best + 1] if best + 1 < len(rates) else None)

    def goodput(self, share: float = 0.9) -> float:
        """The highest load up to which at least `share` of requests meet the objective: DistServe's goodput; 0 if none.

        Raises `ValueError` without an objective.
        """
        if any(point.attainment is None for point in self.points):
            raise ValueError("Goodput needs an objective; give the curve one.")
        good = takewhile(lambda p: p[1].attainment.value >= share, zip(self.loads, self.points, strict=True))
        return max((load for load, _ in good), default=0.0)

    @property
    def verdict(self) -> str:
        knee, peak = self.knee, max(point.request_throughput for point in self.points)
        return f"the knee is at {knee.rate:.3g} of at most {peak:.3g} requests/s"

    def table(self) -> Table:
        rows = [
            [
                f"{load:.4g}",
                f"{point.request_throughput:.3g}",
                f"{point.output_throughput:.4g}",
                *(_text(point.latency(name)) for name in ("time to first token", LATENCY)),
                MISSING if point.goodput is None else f"{point.goodput:.3g}",
                "yes" if point.window.steady else "no",
            ]
            for load, point in zip(self.loads, self.points, strict=True)
        ]
        unit = "requests/s" if self.points[0].loop == "open" else "users"
        columns = [f"load ({unit})", "requests/s", "tokens/s", "mean TTFT", "mean end to end", "goodput", "steady"]
        return Table("Latency against throughput", columns, rows, f"{self.verdict}.")

    def plot(self) -> Figure:
        """Mean and p95 latency against throughput, with the knee."""
        from labkit.throughput.curve_figure import curve_figure

        return curve_figure(self)


async def latency_throughput(
    loads: Sequence[float], run_at: Callable[[float], Awaitable[Run]], objective: Objective | None = None
) -> Curve:
    """One run after another, each at a load, which must rise; `run_at(load)` makes the run.

    Raises `ValueError` for fewer than two loads or loads that do not rise.
    """
    if len(loads) < 2 or any(after <= before for before, after in pairwise(loads)):
        raise ValueError(f"A curve needs at least two loads that rise; got {list(loads)}.")
    points = [service_report(await run_at(load), objective) for load in loads]
    return Curve(tuple(loads), tuple(points))


def mean_latency(point: ServiceReport) -> Estimate:
    """Mean seconds from the scheduled instant to the last piece."""
    return point.latency(LATENCY).mean


def _text(latency: Latency) -> str:
    return si(latency.mean.value, "s")
