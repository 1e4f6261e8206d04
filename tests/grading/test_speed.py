"""Speed is graded by ratios: what is fast passes, what is slow fails, and no trick with clocks or memory helps.

A sample lab: count the inversions of a list, where counting every pair takes far longer than merging. No test asks how
many seconds anything took.
"""

import bisect
import dataclasses
import json
import os
import statistics

import pytest

from labkit.course.catalogue import LabChecks
from labkit.course.exercise import Case, Exercise, Timing
from labkit.course.grading import grade_one, speed
from labkit.course.grading.inside.frames import count_frames
from labkit.course.grading.speed import Pace, grade_with_speed
from labkit.course.oracle import oracle_judge

NAME = "inversions"


def notebook_of(source):
    cell = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None, "source": source}
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [cell]}).encode()


SOLUTION = """
import bisect
def inversions(numbers):
    seen, count = [], 0
    for number in numbers:
        count += len(seen) - bisect.bisect_right(seen, number)
        bisect.insort(seen, number)
    return count
"""
MERGING = """
def inversions(numbers):
    def go(part):
        if len(part) < 2:
            return part, 0
        middle = len(part) // 2
        (left, a), (right, b) = go(part[:middle]), go(part[middle:])
        merged, count, i = [], a + b, 0
        for number in right:
            while i < len(left) and left[i] <= number:
                merged.append(left[i])
                i += 1
            merged.append(number)
            count += len(left) - i
        return merged + left[i:], count
    return go(numbers)[1]
"""
EVERY_PAIR = "def inversions(numbers):\n    return sum(a > b for i, a in enumerate(numbers) for b in numbers[i + 1:])\n"


def expected(numbers):
    seen, count = [], 0
    for number in numbers:
        count += len(seen) - bisect.bisect_right(seen, number)
        bisect.insort(seen, number)
    return count


def drawn(length):
    return lambda rng: Case(numbers=rng.integers(0, 1 << 30, length).tolist())


EXERCISE = Exercise(
    NAME,
    lambda rng: [drawn(length)(rng) for length in (0, 1, 5, 30)],
    oracle_judge(expected),
    ("Which pairs?", "Keep the earlier ones sorted.", "bisect, then insert"),
    difficulty=3,
    importance=5,
    minutes=10,
    timing=Timing(drawn(4000), at_most=8, pairs=3),
)

CHEATS = {
    "answers from memory": (
        SOLUTION.replace("def inversions", "def slowly")
        + "known = []\ndef inversions(numbers):\n    if len(numbers) < 100:\n        return slowly(numbers)\n"
        "    if not known:\n        known.append(slowly(numbers))\n    return known[0]\n",
        "failed",
    ),
    "patches every clock": (
        "import time\ndef stopped(*_): return 0.0\n"
        "for name in ('perf_counter', 'monotonic', 'time', 'process_time', 'thread_time'):\n"
        "    setattr(time, name, stopped)\n"
        "    setattr(time, name + '_ns', lambda *_: 0)\n" + EVERY_PAIR,
        None,
    ),
    "patches the stopwatch itself": (
        "def inversions(numbers):\n"
        "    import labkit.course.grading.inside.stopwatch as s, labkit.course.grading.inside.watch as w\n"
        "    s.Stopwatch.seconds = w.Stopwatch.seconds = property(lambda self: 1e-9)\n"
        "    return sum(a > b for i, a in enumerate(numbers) for b in numbers[i + 1:])\n",
        "failed",
    ),
    "reads the question before it is put": (
        "import gc, sys\n" + EVERY_PAIR.replace("inversions", "slowly") + "found = []\n"
        "def inversions(numbers):\n"
        "    if not found:\n"
        "        frame = sys._getframe()\n"
        "        while frame:\n"
        "            found += [v for v in frame.f_locals.values() if type(v) in (bytes, str) and len(v) > 10000]\n"
        "            frame = frame.f_back\n"
        "        mine = str(numbers[5])\n"
        "        others = [v for v in found if mine not in (v if type(v) is str else v.decode('latin1'))]\n"
        "        if len(numbers) > 100 and others: return -1\n"
        "    return slowly(numbers)\n",
        "failed",
    ),
    "answers before it is asked": (
        "import os\n" + EVERY_PAIR.replace("inversions", "slowly") + "def inversions(numbers):\n"
        "    if len(numbers) > 100:\n"
        "        text = b'{\"tuple\": [\"returned\", 7, null, \"\", \"\"]}'\n"
        "        for at in range(3, 64):\n"
        "            try:\n"
        "                for part in (b'ready', text, text):\n"
        "                    os.write(at, len(part).to_bytes(8, 'big') + part)\n"
        "            except OSError: pass\n"
        "    return slowly(numbers)\n",
        None,
    ),
    "never becomes ready": (
        "def inversions(numbers):\n    if len(numbers) > 100:\n        import os; os._exit(0)\n    return 0\n", None,
    ),
    "takes another processor": (
        "import os\n" + EVERY_PAIR.replace("inversions", "slowly")
        + "def inversions(numbers):\n    if len(numbers) > 100:\n"
        "        try:\n            os.sched_setaffinity(0, range(os.cpu_count()))\n"
        "        except OSError: return slowly(numbers)\n        return -1\n    return slowly(numbers)\n",
        "failed",
    ),
}  # fmt: skip


def graded(sandbox, seed, source, exercise=EXERCISE, solution=SOLUTION):
    return grade_with_speed(sandbox, "99", exercise, (source, solution), [], seed)


@pytest.mark.parametrize("source", [SOLUTION, MERGING], ids=["the solution", "another fast way"])
def test_what_is_fast_passes(source, sandbox, seed):
    grade = graded(sandbox, seed, source)
    assert (grade.status, grade.points, grade.is_timed) == ("passed", 5, True), grade
    assert "the median of 3 pairs" in grade.feedback.paragraphs[-1]


def test_what_is_slow_fails_though_it_is_right(sandbox, seed):
    grade = graded(sandbox, seed, EVERY_PAIR)
    assert (grade.status, grade.points, grade.is_timed) == ("failed", 0, True)
    assert "right, and too slow" in grade.feedback.paragraphs[0]
    assert "at most 8 times" in grade.feedback.paragraphs[0]


@pytest.mark.parametrize("name", CHEATS)
def test_a_cheat_gets_nothing_and_leaves_nothing(name, sandbox, seed):
    source, deserved = CHEATS[name]
    grade = graded(sandbox, seed, source)
    assert grade.status == deserved if deserved else grade.status != "passed", grade
    assert grade.points == 0
    after = graded(sandbox, seed, SOLUTION, dataclasses.replace(EXERCISE, timing=None))
    assert after.status == "passed"


def test_a_clock_that_is_patched_makes_a_slow_function_no_faster(sandbox, seed):
    """What the cheat would have gained is what this looks at: the ratio as such, far beyond the limit."""
    pace = speed._pace(sandbox, EXERCISE, CHEATS["patches every clock"][0], SOLUTION, seed.rng("99", NAME))
    assert pace.median > EXERCISE.timing.at_most


def test_what_is_wrong_is_never_timed(sandbox, seed, monkeypatch):
    monkeypatch.setattr(speed, "_timed", lambda *_: pytest.fail("it was timed"))
    grade = graded(sandbox, seed, "def inversions(numbers):\n    return 0\n")
    assert (grade.status, grade.is_timed) == ("failed", False)


def test_missing_hardware_blocks_what_is_right_and_only_that(sandbox, seed):
    timing = dataclasses.replace(EXERCISE.timing, lacking=lambda: "there is no accelerator.")
    exercise = dataclasses.replace(EXERCISE, timing=timing)
    grade = graded(sandbox, seed, EVERY_PAIR, exercise)
    assert (grade.status, grade.points, grade.is_timed) == ("blocked", 0, False)
    assert "no accelerator" in grade.feedback.paragraphs[0]
    assert graded(sandbox, seed, "def inversions(numbers):\n    return 0\n", exercise).status == "failed"


def test_a_solution_that_fails_is_a_fault_of_the_course(sandbox, seed):
    with pytest.raises(RuntimeError, match="The solution of inversions fails"):
        graded(sandbox, seed, SOLUTION, solution="def inversions(numbers):\n    return -1\n")


def test_inputs_differ_from_pair_to_pair_and_order_alternates(sandbox, seed, monkeypatch):
    asked = []

    def remember(sandbox, exercise, source, warm_up, question):
        asked.append((source is SOLUTION, tuple(question["numbers"]), tuple(warm_up["numbers"])))
        return real(sandbox, exercise, source, warm_up, question)

    real = speed._timed
    monkeypatch.setattr(speed, "_timed", remember)
    graded(sandbox, seed, MERGING)
    assert [is_solution for is_solution, *_ in asked] == [False, True, True, False, False, True]
    assert [question for _, question, _ in asked[::2]] == [question for _, question, _ in asked[1::2]]
    assert len({numbers for _, *both in asked for numbers in both}) == 2 * EXERCISE.timing.pairs


def test_the_supervisors_time_is_what_the_call_took(sandbox, seed):
    """Two functions that sleep: which one sleeps longer is known, whatever the machine does besides."""
    sleeper = "import time\ndef inversions(numbers):\n    time.sleep({})\n    return len(numbers)\n"
    exercise = dataclasses.replace(EXERCISE, judge=oracle_judge(len), timing=Timing(drawn(10), at_most=1, pairs=3))
    pace = speed._pace(sandbox, exercise, sleeper.format(0.4), sleeper.format(0.1), seed.rng("99", NAME))
    assert pace.median > 1


@pytest.fixture
def sample_lab(tmp_path, monkeypatch):
    """Lab 99, whose solved notebook lies where the solved notebooks lie; gives the job of handing a source in."""
    monkeypatch.setenv("LABKIT_NOTEBOOKS", str(tmp_path))
    checks = LabChecks("99", "Inversions", {NAME: EXERCISE}, {})
    monkeypatch.setattr(grade_one, "load_checks", lambda number: checks)
    grade_one.version_of_checks.cache_clear()

    def write(source):
        (tmp_path / "99_inversions.ipynb").write_bytes(notebook_of(source))

    write(SOLUTION)
    yield write
    grade_one.version_of_checks.cache_clear()


def test_a_submission_is_timed_beside_the_solved_notebook(sandbox, seed, sample_lab):
    for source, points in ((MERGING, 5), (EVERY_PAIR, 0)):
        job = grade_one.Job("a", "99_inversions.ipynb", notebook_of(source), grade_one.Settings(seed, "99"))
        grade = grade_one.grade_submission(sandbox, job)
        assert (grade.points, grade.exercises[0].is_timed) == (points, True), grade


def test_grades_do_not_outlive_the_solution_or_the_hardware_they_were_given_with(sample_lab, monkeypatch):
    def version():
        grade_one.version_of_checks.cache_clear()
        return grade_one.version_of_checks(("99",))

    versions = [version(), version()]
    sample_lab(MERGING)
    versions.append(version())
    exercise = dataclasses.replace(EXERCISE, timing=dataclasses.replace(EXERCISE.timing, lacking=lambda: "no GPU."))
    monkeypatch.setattr(grade_one, "load_checks", lambda _: LabChecks("99", "Inversions", {NAME: exercise}, {}))
    versions.append(version())
    assert versions[0] == versions[1]
    assert len(set(versions)) == 3


@pytest.mark.parametrize("change", [{"at_most": 0}, {"at_most": float("inf")}, {"pairs": 4}, {"pairs": 1}])
def test_a_timing_is_complete(change):
    with pytest.raises(ValueError, match=r"ratio|median"):
        dataclasses.replace(EXERCISE.timing, **change)


def test_the_median_is_that_of_the_statistics_module():
    ratios = (1.0, 9.0, 2.0, 4.0, 3.0)
    assert Pace(ratios).median == statistics.median(ratios) == 3.0


def test_frames_are_counted_without_those_that_are_cut_off():
    frame = (3).to_bytes(8, "big") + b"abc"
    assert [count_frames(frame * n, 2) for n in range(4)] == [0, 1, 2, 2]
    assert [count_frames((frame * 2)[:cut], 9) for cut in (7, 10, 11, 21)] == [0, 0, 1, 1]


def test_a_core_is_one_that_may_be_used():
    assert speed._core() in os.sched_getaffinity(0)
