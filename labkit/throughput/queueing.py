"""What queueing theory says of one server and a line: the truth that a load generator is held against.

Kendall's names: M/D/1 is Poisson arrivals (M), a fixed service time (D), one server; M/M/1 has exponential service
times. The line is first come, first served. `rate` is arrivals a second, `service` the mean seconds of one, and rho =
rate * service the share of time the server is busy. All from Kleinrock, "Queueing Systems" I (1975).
"""

from __future__ import annotations


def waiting_time(rate: float, service: float, squared_variation: float) -> float:
    """Mean seconds in line of an M/G/1 queue (Pollaczek and Khinchine; Kleinrock, section 5.6).

    rho / (1 - rho) * service * (1 + c2) / 2, where c2 is the variance of the service time over its squared mean. Raises
    `ValueError` where the server cannot keep up: the line then grows as long as the run lasts.

    >>> waiting_time(rate=4.0, service=0.125, squared_variation=1.0)
    0.125
    """
    rho = rate * service
    if not 0 <= rho < 1:
        raise ValueError(f"A queue settles where it is busy less than all the time; got rate * service = {rho:.3g}.")
    return rho / (1 - rho) * service * (1 + squared_variation) / 2


def md1_wait(rate: float, service: float) -> float:
    """Mean wait with a fixed service time: half of `mm1_wait`.

    >>> md1_wait(rate=4.0, service=0.125)
    0.0625
    """
    return waiting_time(rate, service, squared_variation=0.0)


def mm1_wait(rate: float, service: float) -> float:
    """Mean wait with an exponential service time.

    >>> mm1_wait(rate=4.0, service=0.125)
    0.125
    """
    return waiting_time(rate, service, squared_variation=1.0)


def power(rate: float, wait: float, service: float) -> float:
    """Throughput over time in the system, in units of what an idle server gives: its maximum is the *knee*.

    Kleinrock, "Power and deterministic rules of thumb for probabilistic problems in computer communications" (1979):
    for M/M/1 the knee is where the server is half busy, for M/D/1 at rho = 2 - sqrt(2).

    >>> power(rate=4.0, wait=mm1_wait(4.0, 0.125), service=0.125)  # rho (1 - rho)
    0.25
    """
    return rate * service * service / (wait + service)
