"""Energy: counters as they are laid out in Linux, their wrap-around, and estimates that say what they are."""

from __future__ import annotations

import json
import math

import pytest

from labkit.measure import energy
from labkit.measure.energies import WATTS_PER_BUSY_CORE
from labkit.measure.meters import Meter, find_meters, rapl_meters


def write_domain(root, folder, name, microjoules, wraps_at=262_143_328_850):
    domain = root / folder
    domain.mkdir()
    for file, value in (("name", name), ("energy_uj", microjoules), ("max_energy_range_uj", wraps_at)):
        (domain / file).write_text(f"{value}\n", encoding="ascii")
    return domain


def counting(*readings):
    values = iter(readings)
    return lambda: next(values)


def test_packages_are_metered_and_their_parts_are_not_counted_twice(tmp_path):
    package = write_domain(tmp_path, "intel-rapl:0", "package-0", 5_000_000)
    write_domain(tmp_path, "intel-rapl:1", "package-1", 1_000_000)
    write_domain(tmp_path, "intel-rapl:0:0", "core", 4_000_000)
    write_domain(tmp_path, "intel-rapl:2", "psys", 9_000_000)
    (tmp_path / "intel-rapl:3").mkdir()  # not readable
    meters = rapl_meters(tmp_path)
    assert [meter.name for meter in meters] == ["RAPL package-0", "RAPL package-1"]
    with energy(meters=tuple(meters)) as used:
        (package / "energy_uj").write_text("7500000\n", encoding="ascii")
    assert used.measured
    assert used.joules == used.low == used.high == pytest.approx(2.5)


def test_a_counter_may_wrap_around():
    meter = Meter("m", counting(99.0, 3.0), covers_cpu=True, wraps_at=100.0)
    with energy(meters=(meter,)) as used:
        pass
    assert used.joules == pytest.approx(4)


def test_without_a_meter_the_result_is_a_range_and_says_so():
    with energy(meters=(), wall=counting(0.0, 5.0), cpu=counting(1.0, 9.0)) as used:
        pass
    low, high = WATTS_PER_BUSY_CORE
    assert (used.low, used.high) == (8 * low, 8 * high)
    assert used.joules == pytest.approx(math.sqrt(used.low * used.high))
    assert not used.measured
    assert used.source.startswith("An estimate, not a measurement")
    assert "estimate" in str(used)
    assert json.loads(used.to_json())["measured"] is False


def test_a_metered_board_leaves_the_processor_estimated():
    board = Meter("NVML board 0", counting(100.0, 150.0), covers_cpu=False)
    with energy(meters=(board,), cpu=counting(0.0, 1.0)) as used:
        pass
    low, high = WATTS_PER_BUSY_CORE
    assert (used.low, used.high) == (50 + low, 50 + high)
    assert not used.measured
    assert "NVML board 0" in used.source


def test_on_this_machine_work_takes_energy():
    with energy() as used:
        sum(range(200_000))
    assert used.measured == any(meter.covers_cpu for meter in find_meters())
    assert used.low <= used.joules <= used.high
    assert used.cpu_seconds > 0
