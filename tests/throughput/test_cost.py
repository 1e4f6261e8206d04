"""Cost by hand, and every assumption in the report."""

import pytest

from labkit.measure.energies import Energy
from labkit.throughput.cost import cost_per_million, token_cost


def test_cost_by_hand():
    assert cost_per_million(1000.0, 3.6) == pytest.approx(1.0)
    assert cost_per_million(1000.0, 3.6, utilisation=0.25) == pytest.approx(4.0)
    assert cost_per_million(1000.0, 0.0) == 0.0


def test_a_report_prints_its_assumptions():
    energy = Energy(joules=60.0, low=30.0, high=120.0, source="An estimate, not a measurement.")
    cost = token_cost(6000, 60.0, 2.0, "EUR", utilisation=0.5, energy=energy)
    assert cost.per_million == pytest.approx(2.0 / 3600 / 100 / 0.5 * 1e6)
    assert cost.joules == (0.005, 0.01, 0.02)
    text = str(cost)
    for part in ("100 tokens/s", "2 EUR an hour", "50 % of the hours", "An estimate, not a measurement", "10 mJ [5 mJ"):
        assert part in text


def test_energy_that_was_not_measured_is_not_a_number():
    cost = token_cost(6000, 60.0, 2.0, "EUR")
    assert cost.joules is None
    assert "Energy: not measured." in str(cost)
    assert "n/a" in str(cost)


@pytest.mark.parametrize("bad", [(0.0, 1.0, 1.0), (1.0, -1.0, 1.0), (1.0, 1.0, 0.0), (1.0, 1.0, 1.1)])
def test_bad_input_is_told(bad):
    with pytest.raises(ValueError, match="A cost needs tokens per second above 0"):
        cost_per_million(*bad)
    with pytest.raises(ValueError, match="A cost needs"):
        token_cost(10, 0.0, 1.0, "EUR")
