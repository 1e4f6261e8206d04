"""How a service did under one load, as a table and as JSON."""

from __future__ import annotations

from dataclasses import dataclass

from labkit.measure.report import MISSING, Report, Table, si
from labkit.throughput.estimates import Estimate
from labkit.throughput.objective import Objective
from labkit.throughput.steady import Window


@dataclass(frozen=True)
class Latency:
    """Mean and percentiles of one measure in seconds; None where it cannot be told or too few were measured."""

    name: str
    mean: Estimate | None
    percentiles: dict[str, Estimate | None]


@dataclass(frozen=True)
class ServiceReport(Report):
    """Rates are per second of the window. `attainment` is the share of scheduled requests that met the objective."""

    loop: str
    window: Window
    requests: int
    outcomes: dict[str, int]
    first_error: str
    offered_rate: float
    request_throughput: float
    output_throughput: float
    total_token_throughput: float
    latencies: tuple[Latency, ...]
    objective: Objective | None
    goodput: float | None
    attainment: Estimate | None
    longest_send_lag: float

    def latency(self, name: str) -> Latency:
        """The measure of that name; raises `KeyError` with the names there are."""
        found = {latency.name: latency for latency in self.latencies}
        if name not in found:
            raise KeyError(f"No latency is called {name!r}; there are {', '.join(found)}.")
        return found[name]

    def table(self) -> Table:
        names = list(self.latencies[0].percentiles)
        rows = [
            [latency.name, _text(latency.mean), *(_text(latency.percentiles[p]) for p in names)]
            for latency in self.latencies
        ]
        return Table("Service under load", ["latency", "mean", *names], rows, " ".join(self._notes()))

    def _notes(self) -> list[str]:
        notes = [
            f"{self.loop} loop, {self.offered_rate:.3g} requests/s offered, {self.request_throughput:.3g} answered; "
            f"{self.output_throughput:.4g} tokens/s written, {self.total_token_throughput:.4g} with prompts.",
            f"Counted: {self.requests} requests from {self.window.start:.3g} to {self.window.end:.3g} s, "
            + ("the steady part." if self.window.steady else "but latencies grew to the end: a longer run has others."),
            "In brackets 95 %; n/a where too few were measured.",
        ]
        if self.objective:
            share = self.attainment
            notes.append(
                f"Goodput {self.goodput:.3g} requests/s: {100 * share.value:.3g} % [{100 * share.low:.3g}, "
                f"{100 * share.high:.3g}] met {self.objective}."
            )
        missed = {outcome: count for outcome, count in self.outcomes.items() if outcome != "completed"}
        if missed:
            told = ", ".join(f"{count} {outcome}" for outcome, count in missed.items())
            notes.append(f"Not in any latency: {told}. The first says: {self.first_error}")
        notes.append(f"The client sent at most {si(self.longest_send_lag, 's')} late.")
        return notes


def _text(found: Estimate | None) -> str:
    if found is None:
        return MISSING
    return f"{si(found.value, 's')} [{si(found.low, 's')}, {si(found.high, 's')}]"
