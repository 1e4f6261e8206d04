"""Goodput: the requests a second that were answered as well as promised.

A server that answers everything too late has throughput and no goodput. "DistServe" (Zhong et al., arXiv 2401.09670)
calls goodput the highest *offered* rate at which a given share of requests, say 90 %, meets the objective; vLLM's
`bench serve` and AIPerf give the rate of requests that met it in one run. Both are here: `goodput` for one run, and
`Curve.goodput` along the rates of several.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

from labkit.throughput.metrics import end_to_end_latency, time_per_output_token, time_to_first_token
from labkit.throughput.record import Record


@dataclass(frozen=True)
class Objective:
    """Seconds a request may take at most, by each measure; all must hold (a service-level objective, SLO).

    MLPerf inference asks of Llama 2 70B, at the 99th percentile, a TTFT of 2 s and a TPOT of 0.2 s.
    """

    ttft: float = inf
    tpot: float = inf
    e2e: float = inf

    def __post_init__(self) -> None:
        if not all(limit > 0 for limit in (self.ttft, self.tpot, self.e2e)):
            raise ValueError(f"The limits of an objective are seconds above 0; got {self}.")

    def met(self, record: Record) -> bool:
        """Whether a request was completed within every limit. An answer of one token has no TPOT, so none too long.

        >>> record = Record(0.0, 8, 1, outcome="completed")
        >>> record.times.append(0.3)
        >>> Objective(ttft=0.5, tpot=0.1).met(record), Objective(ttft=0.2).met(record)
        (True, False)
        """
        if not record.completed:
            return False
        taken = time_to_first_token(record), time_per_output_token(record), end_to_end_latency(record)
        limits = self.ttft, self.tpot, self.e2e
        return all(seconds is None or seconds <= limit for seconds, limit in zip(taken, limits, strict=True))

    def __str__(self) -> str:
        limits = {"TTFT": self.ttft, "TPOT": self.tpot, "end to end": self.e2e}
        return " and ".join(f"{name} <= {limit:g} s" for name, limit in limits.items() if limit < inf) or "any answer"


def goodput(records: Sequence[Record], objective: Objective, seconds: float) -> float:
    """Requests a second that met the objective, of those scheduled in a stretch of `seconds`.

    >>> record = Record(0.0, 8, 1, outcome="completed")
    >>> record.times.append(0.3)
    >>> goodput([record, record], Objective(ttft=0.5), seconds=4.0)
    0.5
    """
    return sum(map(objective.met, records)) / seconds
