"""What `sweep()` found: the comparisons along the axis, and where the winner changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from labkit.measure.comparison_report import Comparison
from labkit.measure.figure import Figure
from labkit.measure.report import Report, Table, si


@dataclass(frozen=True)
class Crossover:
    """The winner changes between `low` and `high`, both measured and decided; `value` is interpolated between them."""

    value: float
    low: float
    high: float
    candidate_wins: Literal["above", "below"]


@dataclass(frozen=True)
class Sweep(Report):
    """One `Comparison` a value; `crossovers` in the order of the axis, empty where one of the two always wins."""

    axis: str
    values: tuple[float, ...]
    comparisons: tuple[Comparison, ...]
    crossovers: tuple[Crossover, ...]

    @property
    def crossover(self) -> Crossover | None:
        """The first crossover, or None."""
        return self.crossovers[0] if self.crossovers else None

    @property
    def verdict(self) -> str:
        """One sentence: who wins where."""
        names = self.comparisons[0].names
        if len(self.crossovers) > 1:
            at = ", ".join(f"{c.value:.3g}" for c in self.crossovers)
            return f"the winner changes {len(self.crossovers)} times, near {self.axis} = {at}"
        if self.crossover:
            c = self.crossover
            return f"{names[1]} wins {c.candidate_wins} {self.axis} = {c.value:.3g} [{c.low:.3g}, {c.high:.3g}]"
        winners = {c.winner for c in self.comparisons} - {None}
        return f"{winners.pop()} wins wherever a difference shows" if winners else "no difference shown anywhere"

    def table(self) -> Table:
        rows = [
            [
                f"{value:.6g}",
                si(c.baseline_seconds, "s"),
                si(c.candidate_seconds, "s"),
                f"{c.ratio:.3g} [{c.low:.3g}, {c.high:.3g}]",
                c.winner or "no difference shown",
            ]
            for value, c in zip(self.values, self.comparisons, strict=True)
        ]
        names = self.comparisons[0].names
        return Table("Sweep", [self.axis, *names, "ratio [95 % interval]", "faster"], rows, f"{self.verdict}.")

    def plot(self) -> Figure:
        """The ratio with its interval along the axis, the line of no difference, and the crossovers with brackets."""
        from labkit.measure.figure import PALETTE, plot, series_styles

        ratios = [c.ratio for c in self.comparisons]
        with plot() as (figure, axes):
            axes.axhline(1, color="black", linewidth=1)
            axes.fill_between(
                self.values, [c.low for c in self.comparisons], [c.high for c in self.comparisons], alpha=0.2
            )
            axes.plot(self.values, ratios, **series_styles(1)[0], label="median ratio, 95 % interval")
            for c in self.crossovers:
                axes.axvspan(c.low, c.high, color=PALETTE[4], alpha=0.15)
                axes.axvline(c.value, color=PALETTE[1], linestyle="--", label=f"crossover near {c.value:.3g}")
            axes.set(title=self.verdict, xlabel=self.axis, ylabel="speed of the candidate (ratio)", yscale="log")
            if self.values[0] > 0:
                axes.set_xscale("log")
            for ticks in (axes.xaxis, axes.yaxis):
                ticks.set_major_formatter("{x:g}")
            axes.legend()
        return Figure(figure, alt=f"Speed ratio along {self.axis}: {self.verdict}.")
