"""The curve of an M/M/1 queue: its knee at half load, its goodput where the exponential says."""

import json
import math

import numpy as np
import pytest

from labkit.throughput.arrivals import poisson_arrivals
from labkit.throughput.curve import latency_throughput
from labkit.throughput.driving import closed_loop, open_loop
from labkit.throughput.objective import Objective
from labkit.throughput.simulated import Service, SimulatedServer
from labkit.throughput.virtual import run_virtual
from tests.throughput.truth import asked

MU = 10.0
LIMIT = 0.6
GOOD = MU - math.log(10) / LIMIT
"""Up to here 90 % are done within the limit: the times of an M/M/1 queue are exponential, of rate mu - lambda."""


async def mm1(rate, count=3000, seed=5):
    rng = np.random.default_rng(seed)
    server = SimulatedServer(lambda _: Service(float(rng.exponential(1 / MU))))
    return await open_loop(server, asked(poisson_arrivals(rate, count, rng)))


@pytest.mark.slow
def test_the_curve_of_an_mm1_queue():
    loads = [1.0, 3.0, 5.0, 5.8, 7.0, 8.5]
    curve = run_virtual(latency_throughput(loads, mm1, Objective(e2e=LIMIT)))
    assert 5.8 < GOOD < 7.0
    assert curve.goodput(0.9) == 5.8
    assert curve.knee.low == pytest.approx(3.0, rel=0.1)
    assert curve.knee.high <= 7.5
    assert 3.0 < curve.knee.rate < 7.0
    means = [point.latency("end-to-end latency").mean.value for point in curve.points]
    assert means == sorted(means)
    assert str(curve).count("yes") + str(curve).count("no") >= len(loads)
    assert "the knee is at" in curve.plot().alt


def test_a_curve_over_users():
    async def at(users):
        return await closed_loop(SimulatedServer(lambda _: Service(0.1), slots=4), asked([0.0] * 120), int(users))

    curve = run_virtual(latency_throughput([1, 2, 4, 8, 16], at))
    rates = [point.request_throughput for point in curve.points]
    assert rates == pytest.approx([10, 20, 40, 40, 40], rel=0.05)
    assert curve.knee.rate == pytest.approx(40, rel=0.05), "four slots: more users only wait"
    assert "load (users)" in str(curve)
    assert curve.table().to_dicts()[0]["goodput"] == "n/a"
    with pytest.raises(ValueError, match="needs an objective"):
        curve.goodput()


def test_goodput_stops_at_the_first_load_that_fails():
    async def at(rate):
        slow = rate == 2.0
        return await open_loop(
            SimulatedServer(lambda _: Service(5.0 if slow else 0.01), slots=50), asked(n / rate for n in range(1, 40))
        )

    curve = run_virtual(latency_throughput([1.0, 2.0, 3.0], at, Objective(e2e=1.0)))
    assert curve.goodput() == 1.0
    assert run_virtual(latency_throughput([2.0, 3.0], at, Objective(e2e=1.0))).goodput() == 0.0


@pytest.mark.parametrize("loads", [[1.0], [2.0, 1.0], [1.0, 1.0]])
def test_loads_rise(loads):
    with pytest.raises(ValueError, match="at least two loads that rise"):
        run_virtual(latency_throughput(loads, mm1))


def test_a_curve_is_plain_data():
    curve = run_virtual(latency_throughput([1.0, 2.0], lambda rate: mm1(rate, count=100)))
    plain = json.loads(curve.to_json())
    assert plain["loads"] == [1.0, 2.0]
    assert plain["points"][1]["request_throughput"] == curve.points[1].request_throughput
