"""When requests arrive: the instants at which users *want* to send, drawn before anything is sent.

Three renewal processes of the same mean rate, which differ only in how evenly the gaps fall. Never rescaled: a tool
that stretches drawn arrivals until they fill `count / rate` seconds exactly (vLLM's `bench serve` does, to steady its
throughput figure) no longer offers a Poisson process, and waiting times come out too short.
"""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float

Instants = Float[np.ndarray, " requests"]
"""Seconds from the start of the run, rising."""


def fixed_arrivals(rate: float, count: int) -> Instants:
    """One request every 1 / rate seconds, the first after one gap.

    >>> fixed_arrivals(rate=2.0, count=3)
    array([0.5, 1. , 1.5])
    """
    _check(rate, count)
    return np.arange(1, count + 1) / rate


def poisson_arrivals(rate: float, count: int, rng: np.random.Generator) -> Instants:
    """Arrivals of many independent users: exponential gaps of mean 1 / rate (Kingman, "Poisson Processes", 1993).

    What MLPerf inference prescribes for its server scenario (arXiv 1911.02549) and the default of vLLM,
    SGLang and AIPerf when a rate is given.

    >>> poisson_arrivals(rate=2.0, count=3, rng=np.random.default_rng(0)).round(2)
    array([0.34, 0.85, 0.86])
    """
    return gamma_arrivals(rate, 1.0, count, rng)


def gamma_arrivals(rate: float, burstiness: float, count: int, rng: np.random.Generator) -> Instants:
    """Gamma gaps of mean 1 / rate and squared coefficient of variation 1 / burstiness.

    `burstiness` is the shape of the gamma, as vLLM names it, so the word runs backwards: 1 is Poisson, below 1 comes in
    bursts, above 1 is more even, and infinity is `fixed_arrivals`. Recorded traffic of language-model services comes in
    bursts (BurstGPT, arXiv 2401.17644).

    >>> float(np.diff(gamma_arrivals(1.0, 0.25, 100_000, np.random.default_rng(0))).std().round(1))  # 1 / sqrt(0.25)
    2.0
    """
    _check(rate, count)
    if not burstiness > 0:
        raise ValueError(f"Burstiness is the shape of a gamma distribution, above 0; got {burstiness}.")
    if math.isinf(burstiness):
        return fixed_arrivals(rate, count)
    return rng.gamma(burstiness, 1 / (rate * burstiness), count).cumsum()


def _check(rate: float, count: int) -> None:
    if not 0 < rate < math.inf:
        raise ValueError(f"An arrival rate is above 0 and finite, in requests a second; got {rate}.")
    if count < 1:
        raise ValueError(f"A workload has at least one request; got {count}.")
