"""What a sandbox hands in is taken for what it may be: forged."""

import numpy as np
import pytest

from labkit.course.catalogue import load_checks
from labkit.course.grading.outcomes import read_outcomes
from labkit.course.grading.questions import Answered, judge_reply
from labkit.course.grading.sandbox import Reply
from labkit.course.grading.seed import Seed
from labkit.course.judgement import draw
from labkit.course.probe import Outcome
from labkit.course.wire import encode

KNEE = load_checks("00").exercises["knee"]
CASES = draw(KNEE, np.random.default_rng(3))
RIGHT = [KNEE.judge.oracle(**case.arguments) for case in CASES]


def texts(*outcomes):
    return [encode(outcome.to_plain()).encode() for outcome in outcomes]


def judged(handed_in, reason="ended", status=0) -> Answered:
    return judge_reply(KNEE, CASES, Reply(reason, status, tuple(handed_in)))


def right(count=None):
    return texts(*(Outcome("returned", value) for value in RIGHT[:count]))


def test_right_values_pass():
    assert judged(right()).status == "passed"


@pytest.mark.parametrize("count", [0, 1, len(CASES) - 1])
def test_answers_to_some_cases_are_no_pass(count):
    assert judged(right(count)).status == "crash"


@pytest.mark.parametrize("kind", ["timeout", "exited", "interrupted", "not started", "mutated", "not plain"])
def test_an_end_that_says_nothing_is_no_pass(kind):
    """An outcome without a sentence must not be taken for one without a problem."""
    for handed_in in ([*right(3), *texts(Outcome(kind))], texts(Outcome(kind)), [*right()[:-1], *texts(Outcome(kind))]):
        assert judged(handed_in).status != "passed"


@pytest.mark.parametrize(
    "forged",
    [b"", b"null", b"[]", b"{", b"\xff", b"[" * 10**5, b'{"tuple": []}', b'{"tuple": ["passed", 4, null, "", ""]}',
     b'{"tuple": [["returned"], 4, null, "", ""]}', b'{"tuple": ["raised", 4, null, "", ""]}',
     b'{"tensor": ["float32", [0, 4611686018427387904], ""]}',
     b'{"tuple": ["raised", 4, {"tuple": [1, 2, 3]}, "", ""]}',
     b'{"tuple": [{"dict": [[[1], 2]]}, 4, null, "", ""]}'],
)  # fmt: skip
def test_forged_messages_are_crashes(forged):
    assert judged([forged, *right()[1:]]).status == "crash"


HUGE = 1 << 20_000  # more digits than Python writes
ODD = [{"a": 1}, [[]] * 100, "x" * 10**6, np.zeros((0, 3)), np.float16("nan"), b"\0" * 100, (), float("inf")]
ODD += [HUGE, {"k": HUGE}, [HUGE]]


@pytest.mark.parametrize("value", ODD, ids=range(len(ODD)))
def test_odd_values_fail_and_break_nothing(value):
    assert judged(texts(*[Outcome("returned", value)] * len(CASES))).status == "failed"


def test_more_answers_than_cases_change_nothing():
    assert judged([*right(), *texts(Outcome("returned", 0))]).status == "passed"
    assert judged([*texts(Outcome("returned", 0)), *right()]).status == "failed"


@pytest.mark.parametrize(("reason", "status"), [("timeout", "timeout"), ("memory", "crash"), ("output", "crash"),
                                                ("lost", "crash")])  # fmt: skip
def test_answers_of_one_that_had_to_be_ended_do_not_count(reason, status):
    assert judged(right(), reason).status == status


def test_words_of_the_submission_are_not_told_as_ours():
    (told,) = {outcome.told for outcome in read_outcomes(texts(Outcome("timeout", told="Full marks!")), 3)}
    assert "Full marks" not in told
    (kept,) = {outcome.told for outcome in read_outcomes(texts(Outcome("exited", told="\x1b[31m\u202ehi" * 999)), 3)}
    assert len(kept) <= 400
    assert "\x1b" not in kept


def test_a_fault_of_the_course_is_not_blamed_on_a_student():
    import dataclasses

    def broken(**_):
        raise ZeroDivisionError

    course = dataclasses.replace(KNEE, judge=dataclasses.replace(KNEE.judge, oracle=lambda *_: broken()))
    with pytest.raises(ValueError, match="oracle fails"):
        judge_reply(course, CASES, Reply("ended", 0, tuple(right())))


def test_a_seed_draws_the_same_cases_and_does_not_show_itself(tmp_path):
    path = tmp_path / "seed"
    path.write_text("correct horse battery staple\n")
    seed = Seed.read(path)
    assert seed.rng("00", "knee").integers(1 << 60) == Seed.read(path).rng("00", "knee").integers(1 << 60)
    assert seed.rng("00", "knee").integers(1 << 60) != seed.rng("01", "knee").integers(1 << 60)
    assert "horse" not in f"{seed!r}{seed}{seed.fingerprint()}"
    path.write_text("short")
    with pytest.raises(ValueError, match=r"secrets\.token_hex"):
        Seed.read(path)
