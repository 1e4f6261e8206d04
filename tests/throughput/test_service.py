"""Reports of simulated services whose every figure is known, and the layout of vLLM by hand."""

import json

import pytest

from labkit.throughput.arrivals import fixed_arrivals
from labkit.throughput.driving import closed_loop, open_loop
from labkit.throughput.objective import Objective
from labkit.throughput.record import Record, Run
from labkit.throughput.service import service_report, tokens_in
from labkit.throughput.simulated import Service, SimulatedServer
from labkit.throughput.steady import Window
from labkit.throughput.virtual import run_virtual
from labkit.throughput.vllm_layout import vllm_result
from tests.throughput.test_metrics import answered
from tests.throughput.truth import asked, served

OBJECTIVE = Objective(ttft=0.25, tpot=0.05)


@pytest.fixture(scope="module")
def report():
    """Two requests a second, each 0.2 s to its first token and 0.04 s for each of three more: never a queue."""

    async def main():
        requests = asked(fixed_arrivals(2.0, 500), output_length=4)
        return await open_loop(SimulatedServer(lambda _: Service(0.2, 0.04)), requests)

    return service_report(run_virtual(main()), OBJECTIVE)


def test_an_idle_server_shows_its_service_times(report):
    for name, seconds in {
        "time to first token": 0.2,
        "time per output token": 0.04,
        "inter-token latency": 0.04,
        "inter-chunk latency": 0.04,
        "end-to-end latency": 0.32,
    }.items():
        latency = report.latency(name)
        assert latency.mean.value == pytest.approx(seconds)
        assert [e.value for e in latency.percentiles.values()] == pytest.approx([seconds] * 4)
        assert latency.mean.low == pytest.approx(latency.mean.high)


def test_throughput_is_what_came_back_in_the_window(report):
    assert report.window == Window(0.0, 250.0, True)
    assert report.requests == 499, "the last arrives at the end of the window"
    assert report.offered_rate == report.request_throughput == 499 / 250
    assert report.output_throughput == pytest.approx(4 * 499 / 250)
    assert report.total_token_throughput == pytest.approx(5 * 499 / 250)
    assert report.goodput == 499 / 250
    assert (report.attainment.value, report.attainment.low) == (1.0, 1.0)
    assert report.longest_send_lag == 0.0


def test_text_and_json_say_the_same(report):
    text = str(report)
    assert "200 ms [200 ms, 200 ms]" in text
    assert "100 % [100, 100] met TTFT <= 0.25 s and TPOT <= 0.05 s" in text
    assert "Not in any latency" not in text
    plain = json.loads(report.to_json())
    assert plain["latencies"][0]["percentiles"]["p99"]["count"] == 499
    with pytest.raises(KeyError, match="No latency is called 'ttft'; there are time to first token"):
        report.latency("ttft")


def test_percentiles_wait_for_enough_requests_and_failures_are_told():
    run = served(asked(fixed_arrivals(1.0, 60), patience=1.5), [2.0 if n == 30 else 0.25 for n in range(60)])
    report = service_report(run, Objective(e2e=0.5), Window(0.0, 70.0, True))
    assert report.outcomes == {"completed": 59, "cancelled": 1}
    assert report.latency("end-to-end latency").percentiles["p95"] is None
    assert report.latency("end-to-end latency").percentiles["p90"].count == 59
    assert report.latency("inter-token latency").mean is None
    assert report.goodput == 58 / 70, "one hung up, and one waited half a second behind it"
    assert "1 cancelled. The first says: Given up 1.5 s" in str(report)


def test_a_run_that_never_settles_says_so():
    report = service_report(served(asked(fixed_arrivals(10.0, 400)), [0.12] * 400))
    assert "grew to the end" in str(report)
    assert report.offered_rate == pytest.approx(10.0)
    assert report.request_throughput == pytest.approx(1 / 0.12, rel=0.01), "no more than the server can"


def test_a_closed_loop_offers_what_is_answered():
    async def main():
        return await closed_loop(SimulatedServer(lambda _: Service(0.1)), asked([0.0] * 200), users=4)

    report = service_report(run_virtual(main()))
    assert report.request_throughput == pytest.approx(10.0, rel=0.02)
    assert report.latency("end-to-end latency").mean.value == pytest.approx(0.4, rel=0.02)


def test_tokens_count_where_they_come():
    record = answered(0.0, [(1.0, 3), (2.0, 4), (3.0, 8)])
    assert tokens_in([record], Window(0.5, 2.5, True)) == (8, pytest.approx(8 * 2 / 3))
    assert tokens_in([record], Window(1.5, 9.0, True)) == (0, pytest.approx(8 * 2 / 3))


def test_nothing_completed_in_the_window_is_told():
    run = served(asked([1.0, 2.0]), [0.1, 0.1])
    with pytest.raises(ValueError, match="No request scheduled from 5 to 6 s was completed"):
        service_report(run, window=Window(5.0, 6.0, True))


def test_vllms_layout_by_hand():
    first = answered(0.0, [(0.5, 1), (1.0, 2), (2.5, 5)], sent=0.25)
    second = answered(1.0, [(2.0, 1)], sent=1.0)
    lost = Record(2.0, 8, 8, sent=2.0, ended=3.0, outcome="failed", error="lost")
    run = Run("open", (first, second, lost), seconds=4.0)
    found = vllm_result(run, model="m", objective=Objective(ttft=0.5), percentiles=(50, 99), request_rate=1.0)
    assert (
        found.items()
        >= {
            "model_id": "m",
            "num_prompts": 3,
            "request_rate": 1.0,
            "duration": 4.0,
            "completed": 2,
            "failed": 1,
            "total_input_tokens": 16,
            "total_output_tokens": 6,
            "request_throughput": 0.5,
            "request_goodput": 0.25,
            "output_throughput": 1.5,
            "total_token_throughput": 5.5,
            "max_output_tokens_per_s": 2.0,
            "max_concurrent_requests": 2,
            "mean_ttft_ms": 625.0,  # 0.25 and 1 s, from the sending
            "p50_ttft_ms": 625.0,
            "std_ttft_ms": 375.0,
            "mean_tpot_ms": 500.0,  # 2 s for four tokens; the second answer has one token only
            "mean_itl_ms": 1000.0,
            "std_itl_ms": 500.0,
            "median_e2el_ms": 1625.0,
            "p99_e2el_ms": pytest.approx(1000 + 0.99 * 1250),
        }.items()
    )
    json.dumps(found)


def test_vllms_layout_of_a_run_that_failed():
    lost = Record(2.0, 8, 8, sent=2.0, ended=3.0, outcome="failed", error="lost")
    found = vllm_result(Run("open", (lost,), 3.0), model="m")
    assert (found["completed"], found["failed"], found["mean_ttft_ms"], found["request_goodput"]) == (0, 1, 0.0, None)
