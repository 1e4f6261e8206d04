"""What a token costs: from throughput, a price and a power to currency per million tokens and joules per token.

Two divisions, and all the trouble in what goes into them. A rented machine costs while it idles; a measured rate is the
one at full load; counting prompt tokens makes each cheaper without making anything cheaper. So every assumption is an
argument and stands in the report.
"""

from __future__ import annotations

from dataclasses import dataclass

from labkit.measure.energies import Energy
from labkit.measure.report import MISSING, Report, Table, si

SECONDS_AN_HOUR = 3600


def cost_per_million(tokens_per_second: float, price_per_hour: float, utilisation: float = 1.0) -> float:
    """Currency for a million tokens: price per hour over tokens per hour, times 1e6.

    `utilisation` is the share of paid hours in which the machine is asked as much as in the measurement. Raises
    `ValueError` for a rate or a share that is not above 0.

    >>> cost_per_million(tokens_per_second=100.0, price_per_hour=0.36)
    1.0
    """
    if not (tokens_per_second > 0 and price_per_hour >= 0 and 0 < utilisation <= 1):
        raise ValueError(
            f"A cost needs tokens per second above 0, a price of at least 0 and a utilisation above 0 and up to 1; "
            f"got {tokens_per_second}, {price_per_hour} and {utilisation}."
        )
    return 1e6 * price_per_hour / (SECONDS_AN_HOUR * tokens_per_second * utilisation)


@dataclass(frozen=True)
class TokenCost(Report):
    """Cost and energy of a token that is written. `joules` is (low, middle, high); all equal where measured."""

    tokens_per_second: float
    price_per_hour: float
    currency: str
    utilisation: float
    per_million: float
    joules: tuple[float, float, float] | None
    energy_source: str

    def table(self) -> Table:
        low, middle, high = self.joules or (None, None, None)
        spread = f"{si(middle, 'J')} [{si(low, 'J')}, {si(high, 'J')}]" if self.joules else MISSING
        rows = [[f"{self.currency} per million tokens", f"{self.per_million:.4g}"], ["energy per token", spread]]
        return Table("Cost of a written token", ["quantity", "value"], rows, " ".join(self.assumptions))

    @property
    def assumptions(self) -> tuple[str, ...]:
        """What the figures rest on, a sentence each."""
        return (
            f"{self.tokens_per_second:.4g} tokens/s written, prompts not counted though their reading is paid for.",
            f"The machine costs {self.price_per_hour:g} {self.currency} an hour, busy or not, and is asked this much "
            f"in {100 * self.utilisation:g} % of the hours; staff, network and failures cost nothing.",
            f"Energy: {self.energy_source or 'not measured.'}",
        )


def token_cost(
    tokens: float,
    seconds: float,
    price_per_hour: float,
    currency: str,
    *,
    utilisation: float = 1.0,
    energy: Energy | None = None,
) -> TokenCost:
    """The cost of `tokens` written in `seconds`; `energy` is what `labkit.measure.energy()` took over the same block.

    The energy is that of everything in the block, the client too where it runs on the same machine.

    >>> cost = token_cost(1000, 10.0, 0.36, "EUR", energy=Energy(500.0, 250.0, 1000.0))
    >>> cost.per_million, cost.joules
    (1.0, (0.25, 0.5, 1.0))
    """
    rate = tokens / seconds if seconds > 0 else 0.0
    per_million = cost_per_million(rate, price_per_hour, utilisation)
    joules = (energy.low / tokens, energy.joules / tokens, energy.high / tokens) if energy else None
    source = energy.source if energy else ""
    return TokenCost(rate, price_per_hour, currency, utilisation, per_million, joules, source)
