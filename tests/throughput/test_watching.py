"""Meters are read over HTTP from the service itself, and what is drawn is what they said."""

import asyncio
import itertools

import numpy as np
import pytest

from labkit.course.cards.dashboard import dashboard, page
from labkit.throughput.driving import open_loop
from labkit.throughput.openai_endpoint import OpenAIEndpoint
from labkit.throughput.request import workload
from labkit.throughput.watching import Reading, rates, read, watching, watching_figure
from tests.serving.served import MODEL, served


def watched():
    """What was read, and what was shown, while twelve requests were answered by two seats."""
    rng, shown = np.random.default_rng(0), []
    asked = workload([0.0] * 12, [8] * 12, [12] * 12, rng)

    async def main():
        async with served(max_num_seqs=2) as (address, _):
            options = {"ignore_eos": True}
            async with (
                watching(address, every=0.02, show=lambda readings: shown.append(len(readings))) as readings,
                OpenAIEndpoint(address, MODEL, options=options) as endpoint,
            ):
                run = await open_loop(endpoint, asked)
            return readings, run

    return *asyncio.run(main()), shown


def test_the_meters_of_a_real_service_are_read_while_it_works():
    readings, run, shown = watched()
    assert len(run.completed) == 12
    assert shown == list(range(1, len(readings) + 1))
    assert [r.tokens for r in readings] == sorted(r.tokens for r in readings)
    assert readings[-1].tokens == 12 * 12
    assert (readings[-1].running, readings[-1].waiting, readings[-1].held) == (0, 0, 0)
    assert max(r.running for r in readings) <= 2
    assert all(before.at < after.at for before, after in itertools.pairwise(readings))


def test_a_page_of_another_service_is_refused_by_name():
    with pytest.raises(ValueError, match="labkit_cache_blocks"):
        read("# TYPE vllm:num_requests_running gauge\nvllm:num_requests_running 3.0\n", 0.0)


READINGS = [Reading(at / 4, 10.0 * at, 2, max(4 - at, 0), 3, 16) for at in range(9)]


def test_rates_are_those_of_a_second():
    assert [rate for _, rate in rates(READINGS)] == [40.0] * 8
    assert rates(READINGS[:1]) == []


def test_the_figure_says_what_was_measured():
    figure = watching_figure(READINGS)
    assert "up to 40" in figure.alt
    assert "at most 4 in line" in figure.alt
    assert len(figure.png()) < 40_000
    with pytest.raises(ValueError, match="watch for longer"):
        watching_figure(READINGS[:1])


def test_the_dashboard_has_four_described_lines_and_none_where_nobody_watches():
    html = page(READINGS)
    assert html.count("<polyline") == html.count("aria-label") == 4
    assert "3 of 16 blocks" in html
    assert dashboard()(READINGS) is None
    assert page(READINGS[:1]).count("<polyline") == 4
