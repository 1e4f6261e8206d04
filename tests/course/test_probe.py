"""A learner's function does something unpleasant: a sentence comes back, and the kernel is as before."""

import contextlib
import io
import signal
import sys
import threading
import time

import numpy as np
import pytest
import torch

from labkit.course.capture import KEPT_CHARACTERS
from labkit.course.probe import probe
from labkit.course.wire import decode, encode

SECONDS = 0.3
has_timer = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="blocked: this system has no interval timer")


def loop():
    while True:
        pass


def swallow_all():
    while True:
        try:  # noqa: SIM105 (this is how learners write it)
            time.sleep(0.01)
        except:  # noqa: E722
            pass


def swallow_twice():
    while True:
        try:
            with contextlib.suppress(BaseException):
                time.sleep(0.01)
        except:  # noqa: E722
            pass


def swallow_in_a_call():
    def inner():
        with contextlib.suppress(BaseException):
            loop()

    while True:
        inner()


def swallow_and_go_on():
    while True:
        try:
            loop()
        except BaseException:
            continue
        finally:
            time.sleep(0.001)


def return_from_the_exception():
    try:
        loop()
    except BaseException:
        return 3


def loop_again_in_finally():
    try:
        loop()
    finally:
        swallow_all()


def endless_generator():
    def count():
        while True:
            yield 1

    return sum(count())


ENDLESS = [loop, swallow_all, swallow_twice, swallow_in_a_call, swallow_and_go_on, return_from_the_exception,
           loop_again_in_finally, endless_generator]  # fmt: skip


def state_of_process():
    timer = signal.getitimer(signal.ITIMER_REAL)[0] > 0 if hasattr(signal, "getitimer") else None
    return (
        sys.gettrace(), sys.stdout, sys.stderr, sys.getrecursionlimit(), threading.active_count(), timer,
        [signal.getsignal(s) for s in (signal.SIGINT, getattr(signal, "SIGALRM", signal.SIGINT))],
    )  # fmt: skip


@pytest.mark.parametrize("function", ENDLESS)
def test_an_endless_loop_is_stopped_and_nothing_is_left_behind(function):
    before = state_of_process()
    outcome = probe(function, {}, SECONDS)
    assert outcome.kind == "timeout"
    assert "still running after 0.3 s" in outcome.told
    assert state_of_process() == before
    assert probe(lambda: 1, {}, SECONDS).value == 1


@pytest.mark.parametrize("function", ENDLESS)
def test_in_another_thread_too(function):
    found = []
    thread = threading.Thread(target=lambda: found.append(probe(function, {}, SECONDS)), daemon=True)
    before = threading.active_count()
    thread.start()
    thread.join(30)
    assert [outcome.kind for outcome in found] == ["timeout"]
    assert threading.active_count() == before


@pytest.mark.parametrize("function", ENDLESS)
def test_by_the_interrupt_that_windows_has(function, monkeypatch):
    monkeypatch.delattr(signal, "setitimer", raising=False)
    before = signal.getsignal(signal.SIGINT)
    assert probe(function, {}, SECONDS).kind == "timeout"
    assert signal.getsignal(signal.SIGINT) is before


@has_timer
def test_a_timer_that_ran_before_goes_on(monkeypatch):
    fired = []
    before, timer = signal.signal(signal.SIGALRM, lambda *_: fired.append(1)), signal.setitimer(signal.ITIMER_REAL, 0.5)
    try:
        assert probe(loop, {}, 0.2).kind == "timeout"
        assert not fired
        time.sleep(0.5)
        assert fired == [1]
    finally:
        signal.signal(signal.SIGALRM, before)
        signal.setitimer(signal.ITIMER_REAL, *timer)


def test_a_tracing_debugger_is_given_back():
    def debugger(frame, event, argument):
        return None

    previous = sys.gettrace()
    sys.settrace(debugger)
    try:
        probe(loop, {}, SECONDS)
        assert sys.gettrace() is debugger
    finally:
        sys.settrace(previous)


def test_many_short_limits_never_leak_an_alarm():
    kinds = set()
    for number in range(150):
        kinds.add(probe(lambda: sum(range(2000)), {}, 1e-5 * (1 + number % 40)).kind)
    assert kinds <= {"returned", "timeout"}
    time.sleep(0.05)


def test_a_print_storm_is_bounded():
    def storm():
        for _ in range(20_000):
            print("x" * 2000)
        return 1

    outcome = probe(storm, {}, 30)
    assert outcome.value == 1
    assert len(outcome.printed) < KEPT_CHARACTERS + 100
    assert "40,020,000 characters" in outcome.printed


def test_prints_go_to_the_outcome_and_warnings_nowhere(capsys):
    def talk():
        print("hello")
        print("warning", file=sys.stderr)
        return 1

    assert probe(talk, {}, SECONDS).printed == "hello\n"
    assert capsys.readouterr() == ("", "")


def recurse(n=0):
    return recurse(n + 1)


def raise_unprintable():
    class UnprintableError(Exception):
        def __str__(self):
            raise ValueError

    raise UnprintableError


@pytest.mark.parametrize(
    ("function", "kind", "told"),
    [
        (sys.exit, "exited", "leave Python"),
        (lambda: exit(0), "exited", "leave Python"),
        (recurse, "raised", "calls itself without end"),
        (lambda: [][1], "raised", "IndexError: list index out of range at `(lambda: [][1]"),
        (lambda: {}["a"], "raised", "KeyError"),
        (raise_unprintable, "raised", "UnprintableError"),
        (lambda x: x, "raised", "missing 1 required positional argument"),
        (lambda: [0] * 10**15, "raised", "MemoryError"),
        (lambda: (_ for _ in ()), "not plain", "generator"),
        (lambda: object, "not plain", "builtins.type"),
        (lambda: [1, {2}], "not plain", "a list of 2 items that cannot be checked"),
        (lambda: torch.nn.Parameter(torch.ones(1)), "not plain", "torch.Parameter"),
        (lambda: torch.zeros(1).expand(10**10), "not plain", "more than 64 MiB"),
    ],
)
def test_each_accident_is_one_sentence(function, kind, told):
    before = state_of_process()
    outcome = probe(function, {}, 5)
    sentence = outcome.told or str(outcome.raised)
    assert outcome.kind == kind
    assert told in sentence
    assert "\n" not in sentence
    assert state_of_process() == before


def test_a_raised_recursion_limit_is_put_back():
    before = sys.getrecursionlimit()
    probe(lambda: sys.setrecursionlimit(before + 1000), {}, SECONDS)
    assert sys.getrecursionlimit() == before


def test_a_coroutine_is_not_a_value():
    async def later():
        return 1

    with pytest.warns(RuntimeWarning, match="never awaited"):
        assert probe(later, {}, SECONDS).kind == "not plain"


def _change_list(x):
    x[0] = 9
    return 1


def _change_tensor(x):
    x.mul_(2)
    return x


@pytest.mark.parametrize(
    ("function", "value"),
    [
        (_change_list, [1, 2]),
        (_change_list, np.zeros(2)),
        (_change_tensor, torch.ones(2)),
        (lambda x: x.clear(), {"a": 1}),
        (lambda x: x.append(object()), [1]),
        (lambda x: x[0].append(1), ([],)),
        (lambda x: x.resize_(1), torch.ones(3)),
    ],
)
def test_a_changed_argument_is_named_and_the_case_is_not_touched(function, value):
    before = encode(value)
    outcome = probe(function, {"scores": value}, SECONDS)
    assert outcome.kind == "mutated"
    assert "`scores`" in outcome.told
    assert encode(value) == before


def test_an_argument_that_is_nan_is_not_changed():
    assert probe(lambda x: x, {"x": [float("nan")]}, SECONDS).kind == "returned"


def test_an_outcome_crosses_the_wire():
    outcome = probe(lambda: [][1], {}, SECONDS)
    assert decode(encode(outcome.to_plain())) == outcome.to_plain()


def test_ctrl_c_is_told_as_such():
    def interrupted():
        raise KeyboardInterrupt

    assert probe(interrupted, {}, SECONDS).kind == "interrupted"


def test_a_replaced_stdout_is_put_back():
    def replace():
        sys.stdout = io.StringIO()
        return 1

    before = sys.stdout
    probe(replace, {}, SECONDS)
    assert sys.stdout is before
