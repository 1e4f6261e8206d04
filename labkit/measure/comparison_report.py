"""What `compare()` found, in a sentence, a table and a figure."""

from __future__ import annotations

from dataclasses import dataclass, field

from labkit.measure.figure import Figure
from labkit.measure.report import Report, Table, si


@dataclass(frozen=True)
class Comparison(Report):
    """`ratio` is baseline time over candidate time: above 1 the candidate is faster. `low` and `high` bound it with
    95 % confidence; `ratios` has one value a round of four samples. Times are medians of one call in seconds.

    >>> Comparison(("eager", "fused"), 1.98, 1.95, 2.01, 2e-3, 1e-3).verdict
    'fused is 1.98x faster than eager [1.95, 2.01]'
    """

    names: tuple[str, str]
    ratio: float
    low: float
    high: float
    baseline_seconds: float
    candidate_seconds: float
    ratios: tuple[float, ...] = ()
    repeats: tuple[int, int] = (1, 1)
    operand_sets: int = 1
    threads: int = 1
    clock: str = "thread time"
    checked: bool = True
    verdict: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "verdict", self._sentence())

    @property
    def winner(self) -> str | None:
        """The name of the faster one, or None where no difference was shown."""
        if self.low <= 1 <= self.high:
            return None
        return self.names[1] if self.ratio > 1 else self.names[0]

    def table(self) -> Table:
        rows = [
            [self.names[0], si(self.baseline_seconds, "s"), "1", ""],
            [self.names[1], si(self.candidate_seconds, "s"), f"{self.ratio:.3g}", f"[{self.low:.3g}, {self.high:.3g}]"],
        ]
        plural = "s" if self.threads > 1 else ""
        how = [
            f"{self.verdict}.",
            f"{self.clock} on {self.threads} thread{plural}, {len(self.ratios)} rounds of A B B A.",
        ]
        how.append("Outputs agreed." if self.checked else "Outputs were not checked.")
        if self.operand_sets > 1:
            how.append(f"{self.operand_sets} operand sets in turn, past the last-level cache.")
        return Table(
            "Paired comparison", ["variant", "time of a call", "speed (ratio)", "95 % interval"], rows, " ".join(how)
        )

    def plot(self) -> Figure:
        """The ratio of every round with the median and its interval."""
        from labkit.measure.figure import PALETTE, plot

        rounds = range(1, len(self.ratios) + 1)
        with plot() as (figure, axes):
            axes.axhline(1, color="black", linewidth=1)
            axes.axhspan(self.low, self.high, color=PALETTE[0], alpha=0.2, label="95 % interval of the median")
            axes.axhline(self.ratio, color=PALETTE[0], label="median")
            axes.plot(rounds, self.ratios, color=PALETTE[1], marker="o", linestyle="", label="one round")
            axes.set(title=self.verdict, xlabel="round (index)", ylabel=f"speed against {self.names[0]} (ratio)")
            axes.legend()
        return Figure(figure, alt=f"Speed ratio of {len(self.ratios)} rounds around their median: {self.verdict}.")

    def _sentence(self) -> str:
        if self.winner is None:
            return f"no difference shown: {self.names[1]} runs at {self.ratio:.3g}x [{self.low:.3g}, {self.high:.3g}]"
        if self.ratio > 1:
            how = f"{self.ratio:.3g}x faster than {self.names[0]} [{self.low:.3g}, {self.high:.3g}]"
        else:
            how = f"{1 / self.ratio:.3g}x slower than {self.names[0]} [{1 / self.high:.3g}, {1 / self.low:.3g}]"
        return f"{self.names[1]} is {how}"
