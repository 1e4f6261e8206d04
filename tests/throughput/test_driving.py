"""The load generator in virtual time: exact against Lindley's recursion, and never late whatever the server does."""

import asyncio
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.throughput.driving import closed_loop, open_loop
from labkit.throughput.endpoint import Chunk, EndpointError
from labkit.throughput.metrics import send_lag, time_to_first_token
from labkit.throughput.simulated import Service, SimulatedServer
from labkit.throughput.virtual import run_virtual
from tests.throughput.truth import asked, served, waits

# Sixteenths of a second add without rounding, so that the recursion can be asked for equality.
sixteenths = st.integers(0, 320).map(lambda n: n / 16)
schedules = st.lists(st.tuples(sixteenths, sixteenths), min_size=1, max_size=40)


@given(schedule=schedules, slots=st.integers(1, 4))
@settings(max_examples=60, deadline=None)
def test_every_wait_is_lindleys_and_no_request_is_sent_late(schedule, slots):
    arrivals = list(itertools.accumulate(gap for gap, _ in schedule))
    services = [service for _, service in schedule]
    run = served(asked(arrivals), services, slots)
    truth = [wait + service for wait, service in zip(waits(arrivals, services, slots), services, strict=True)]
    assert [time_to_first_token(r) for r in run.records] == truth
    assert [send_lag(r) for r in run.records] == [0.0] * len(schedule)
    assert [r.outcome for r in run.records] == ["completed"] * len(schedule)
    assert run.seconds == max(r.ended for r in run.records) >= arrivals[-1]


def test_a_stall_shows_in_every_request_that_came_during_it():
    """Ten requests a second, 0.01 s each, and one that takes 10 s: a hundred and more wait, 5 s on average."""
    arrivals = [n / 10 for n in range(1, 1001)]
    run = served(asked(arrivals), [10.0 if n == 500 else 0.01 for n in range(1, 1001)])
    hidden = [time_to_first_token(r) for r in run.records if time_to_first_token(r) > 0.1]
    assert 100 <= len(hidden) <= 115
    assert sum(hidden) / len(hidden) == pytest.approx(5.0, rel=0.05)


def test_the_same_stall_nearly_vanishes_in_a_closed_loop():
    """One user, who waits for each answer, meets the stall once in a thousand requests."""

    async def main():
        services = iter([10.0 if n == 500 else 0.01 for n in range(1, 1001)])
        return await closed_loop(SimulatedServer(lambda _: Service(next(services))), asked([0.0] * 1000), users=1)

    run = run_virtual(main())
    assert sum(time_to_first_token(r) > 0.1 for r in run.records) == 1
    assert run.seconds == pytest.approx(999 * 0.01 + 10)


@given(users=st.integers(1, 12), slots=st.integers(1, 4), think=sixteenths, service=st.integers(1, 64))
@settings(max_examples=30, deadline=None)
def test_a_closed_loop_obeys_littles_law(users, slots, think, service):
    service /= 16

    async def main():
        return await closed_loop(
            SimulatedServer(lambda _: Service(service), slots), asked([0.0] * 20 * users), users, think=think
        )

    run = run_virtual(main())
    assert len(run.completed) == 20 * users
    latency = sum(r.ended - r.scheduled for r in run.records) / len(run.records)
    end = max(r.ended for r in run.records) + think
    assert max(_in_flight(run.records, at) for at in (r.sent for r in run.records)) <= users
    # Every user is busy or thinking until the stock runs out, and then at most one turn longer.
    turns = len(run.records) * (latency + think)
    assert users * (end - users * (service + think)) <= turns <= users * end * (1 + 1e-12)


def _in_flight(records, at):
    return sum(r.sent <= at < r.ended for r in records)


def test_a_user_without_patience_hangs_up_and_frees_the_server():
    requests = [*asked([0.0]), *asked([1.0], patience=2.0), *asked([2.0])]
    run = served(requests, [10.0, 10.0, 10.0])
    assert [r.outcome for r in run.records] == ["completed", "cancelled", "completed"]
    assert [r.ended for r in run.records] == [10.0, 3.0, 20.0]
    assert run.records[1].error == "Given up 2 s after it was sent."


def test_a_timeout_ends_a_request_in_the_middle_of_its_answer():
    async def main():
        return await open_loop(SimulatedServer(lambda _: Service(1.0, 1.0)), asked([0.0], output_length=9), timeout=3.5)

    (record,) = run_virtual(main()).records
    assert (record.outcome, list(record.times), record.ended) == ("timeout", [1.0, 2.0, 3.0], 3.5)


def test_too_many_in_flight_are_recorded_and_not_delayed():
    run = served(asked([0.0, 1.0, 2.0, 20.0]), itertools.repeat(10.0), most_in_flight=2)
    assert [r.outcome for r in run.records] == ["completed", "completed", "not sent", "completed"]
    assert run.records[2].error == "2 requests were in flight already"


class Scripted:
    """An endpoint that does what each request's `output_length` says."""

    async def stream(self, request):
        await asyncio.sleep(1.0)
        if request.output_length == 1:
            raise EndpointError("no such model")
        if request.output_length == 2:
            raise ZeroDivisionError
        if request.output_length == 3:
            raise TimeoutError("its own")
        yield Chunk("")


def test_an_answer_that_fails_is_recorded_and_the_run_goes_on():
    async def main():
        return await open_loop(Scripted(), [*asked([0.0], 1), *asked([0.5], 4)])

    failed, empty = run_virtual(main()).records
    assert (failed.outcome, failed.error, failed.ended) == ("failed", "no such model", 1.0)
    assert (empty.outcome, empty.error) == ("failed", "The server answered without any text.")


@pytest.mark.parametrize(("length", "error"), [(2, ZeroDivisionError), (3, TimeoutError)])
def test_a_defect_of_the_endpoint_is_not_hidden(length, error):
    for drive in (lambda r: open_loop(Scripted(), r), lambda r: closed_loop(Scripted(), r, users=2)):
        with pytest.raises(error):
            run_virtual(drive(asked([0.0, 0.5], length)))


def test_requests_are_taken_one_by_one():
    taken = []

    def endless():
        for number in itertools.count():
            taken.append(number)
            yield from asked([float(number)])

    async def main():
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(10.5):
                await open_loop(SimulatedServer(lambda _: Service(0.1)), endless())
        return [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]

    assert run_virtual(main()) == [], "a cancelled run leaves no request behind"
    assert taken == list(range(12))


@pytest.mark.parametrize(
    ("drive", "told"),
    [
        (lambda s: open_loop(s, asked([2.0, 1.0])), r"Arrivals must rise; got 1\.0 s after 2\.0 s"),
        (lambda s: open_loop(s, []), "at least one request"),
        (lambda s: closed_loop(s, [], users=1), "at least one request"),
        (lambda s: closed_loop(s, asked([0.0]), users=0), "at least one user"),
        (lambda s: closed_loop(s, asked([0.0]), users=1, think=-1.0), "thinks for 0 s or longer"),
    ],
)
def test_bad_input_is_told(drive, told):
    with pytest.raises(ValueError, match=told):
        run_virtual(drive(SimulatedServer(lambda _: Service(0.1))))


def test_a_run_can_be_watched():
    async def main():
        seen = []
        run = asyncio.create_task(open_loop(SimulatedServer(lambda _: Service(0.1)), asked([1.0, 1.45]), records=seen))
        await asyncio.sleep(1.5)
        watched = [r.outcome for r in seen]
        assert (await run).records == tuple(seen)
        return watched

    assert run_virtual(main()) == ["completed", "in flight"]


def test_a_server_has_a_slot():
    with pytest.raises(ValueError, match="got 0 slots"):
        SimulatedServer(lambda _: Service(0.1), slots=0)


def test_virtual_time_tells_a_deadlock_instead_of_hanging():
    async def main():
        await asyncio.get_running_loop().create_future()

    with pytest.raises(RuntimeError, match="would never end"):
        run_virtual(main())


def test_virtual_time_works_inside_a_running_loop():
    async def outer():
        return run_virtual(asyncio.sleep(1e6, result="done"))

    assert asyncio.run(outer()) == "done"


def test_what_holds_up_the_client_counts_as_latency():
    """While the second request is made, 5 s pass; it was wanted at 2 s, is sent at 6, and answered at 6.1."""

    async def main():
        loop = asyncio.get_running_loop()

        def requests():
            yield from asked([1.0])
            loop.now += 5.0
            yield from asked([2.0])

        return await open_loop(SimulatedServer(lambda _: Service(0.1), slots=2), requests())

    late = run_virtual(main()).records[1]
    assert (late.scheduled, late.sent, send_lag(late)) == (2.0, 6.0, 4.0)
    assert time_to_first_token(late) == pytest.approx(4.1)
