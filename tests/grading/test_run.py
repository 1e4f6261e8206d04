"""A class from the folder to the tables: refusing, resuming, one writer, processes that die."""

import argparse
import csv
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import BrokenExecutor, ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from labkit.cli import grade as command
from labkit.course.catalogue import notebook_path
from labkit.course.grading import bubblewrap, run, selftest
from labkit.course.grading.crew import run_all
from labkit.course.grading.journal import file_name, only_writer
from labkit.course.grading.run import grade_folder
from labkit.course.grading.sandbox import Sandbox, SandboxError

KNEE_WRONG = "def knee(rows, seconds, slack):\n    return rows[-1]"


def rows(path):
    return list(csv.DictReader(path.open(encoding="utf-8")))


def total(path):
    return {row["student"]: float(row["points"]) for row in rows(path)}


def grade(hand_in, **options):
    return grade_folder(hand_in.folder, hand_in.seed_file, hand_in.out, workers=1, **options)


def test_a_class_is_graded_once_and_the_same_again(sandbox, hand_in, make_notebook, monkeypatch):
    hand_in("solved/00_your_machine.ipynb", notebook_path("00").read_bytes())
    hand_in("partly/00_your_machine.ipynb", make_notebook(KNEE_WRONG, "def attainable(i, p, b): return min(p, i * b)"))
    hand_in("broken/00_your_machine.ipynb", b"{")
    hand_in("mean/00_x.ipynb", make_notebook("import os\ndef knee(a, b, c): os._exit(0)"))
    roster = hand_in.seed_file.with_name("roster.csv")
    roster.write_text("id,name\nsolved,Sol Ved\nabsent,Ab Sent\n")
    result = grade(hand_in, roster=roster, lab="0")
    assert (result.graded, result.kept) == (4, 0)
    assert total(hand_in.out / "grades.csv") == {"solved": 32, "absent": 0, "partly": 5, "broken": 0, "mean": 0}
    told = {(row["student"], row["exercise"]): row["status"] for row in rows(hand_in.out / "grades.csv")}
    assert told["partly", "knee"] == "failed"
    assert told["partly", "attainable"] == "passed"
    assert told["partly", "matmul_cost"] == "missing"
    assert told["mean", "knee"] == "crash"
    assert told["broken", "knee"] == "missing"
    page = (hand_in.out / "feedback" / f"{file_name('partly', '00')}.html").read_text()
    assert "5 of 32 points" in page

    written = {path: path.read_bytes() for path in hand_in.out.rglob("*.*") if path.is_file()}
    monkeypatch.setattr(run, "run_all", lambda work, jobs, *_: iter(list(jobs)))  # would fail on a job
    monkeypatch.setattr(run, "require_confinement", lambda *_: pytest.fail("nothing is to be run"))
    assert (grade(hand_in, roster=roster, lab="0").graded, result.kept) == (0, 0)
    assert {path: path.read_bytes() for path in written} == written


@pytest.mark.slow
def test_a_killed_run_goes_on_where_it_stopped(sandbox, hand_in, make_notebook):
    for index in range(12):
        hand_in(f"s{index:02}/00_your_machine.ipynb", make_notebook(f"x = {index}", KNEE_WRONG))
    source = (
        "import sys; from pathlib import Path; from labkit.course.grading import grade_folder\n"
        "if __name__ == '__main__': grade_folder(*map(Path, sys.argv[1:]), workers=1)\n"
    )
    script = hand_in.seed_file.with_name("go.py")
    script.write_text(source)
    arguments = [sys.executable, script, hand_in.folder, hand_in.seed_file, hand_in.out]
    first = subprocess.Popen(list(map(str, arguments)))
    journal = hand_in.out / "submissions"
    while len(list(journal.glob("*.json"))) < 3 and first.poll() is None:
        time.sleep(0.05)
    started = psutil.Process(first.pid).children(recursive=True)
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert started
    assert not psutil.wait_procs(started, timeout=30)[1], "a killed run left processes behind"
    before = {path: path.stat().st_mtime_ns for path in journal.glob("*.json")}
    assert 3 <= len(before) < 12
    result = grade(hand_in)
    assert result.kept == len(before)
    assert result.graded == 12 - len(before)
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in before.items())
    assert len(total(hand_in.out / "grades.csv")) == 12


def test_another_seed_or_another_content_is_graded_anew(hand_in, make_notebook, monkeypatch):
    made = []

    def all_missing(work, jobs, workers, given_up):
        made.extend(jobs)
        return map(given_up, made[-1:])

    monkeypatch.setattr(run, "run_all", all_missing)
    target = hand_in("a/00_x.ipynb", make_notebook(KNEE_WRONG))
    counts = []
    for change in (lambda: None, lambda: None, lambda: target.write_bytes(make_notebook("x = 1")),
                   lambda: hand_in.seed_file.write_text("another secret of some length")):  # fmt: skip
        change()
        counts.append(grade(hand_in, confined=False).graded)
    assert counts == [1, 0, 1, 1]


def test_only_one_run_writes_to_a_folder(tmp_path):
    with only_writer(tmp_path), pytest.raises(RuntimeError, match="Another run"), only_writer(tmp_path):
        pass
    with only_writer(tmp_path):
        pass


def test_it_refuses_where_there_is_no_sandbox(hand_in, make_notebook, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    hand_in("a/00_x.ipynb", make_notebook(KNEE_WRONG))
    with pytest.raises(SandboxError, match="bwrap is not installed"):
        grade(hand_in)
    assert not list(hand_in.out.rglob("*.json"))


def test_it_refuses_where_bubblewrap_is_forbidden(hand_in, make_notebook, monkeypatch, tmp_path):
    forbidden = tmp_path / "bwrap"
    forbidden.write_text("#!/bin/sh\necho 'bwrap: setting up uid map: Permission denied' >&2\nexit 1\n")
    forbidden.chmod(0o755)
    monkeypatch.setattr(bubblewrap.shutil, "which", lambda name: str(forbidden))
    hand_in("a/00_x.ipynb", make_notebook(KNEE_WRONG))
    with pytest.raises(SandboxError, match="uid map: Permission denied"):
        grade(hand_in)


def test_a_sandbox_with_a_hole_is_refused():
    """Run without a sandbox, the survey finds every hole there is: a test that cannot fail would prove nothing."""
    with Sandbox(confined=False) as bare, pytest.raises(SandboxError, match="does not hold") as refused:
        selftest.require_confinement(bare, [Path(__file__)])
    for hole in ("secret files", "other processes", "network socket", "load the course's checks"):
        assert hole in str(refused.value)


def test_secrets_in_sight_of_the_sandbox_are_refused():
    with pytest.raises(SandboxError, match="move it elsewhere"):
        selftest._require_out_of_sight([Path(sys.prefix) / "seed"])


def test_unsafe_is_loud_and_marks_every_row(hand_in, make_notebook, capsys):
    hand_in("a/00_x.ipynb", make_notebook("def attainable(i, p, b): return min(p, i * b)"))
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    given = [str(hand_in.folder), "--seed-file", str(hand_in.seed_file), "--out", str(hand_in.out), "--unsafe"]
    assert command.run(parser.parse_args([*given, "--workers", "1"])) == 0
    assert "WITHOUT A SANDBOX" in capsys.readouterr().err
    assert {row["sandbox"] for row in rows(hand_in.out / "grades.csv")} == {"UNSAFE: graded without a sandbox"}
    assert total(hand_in.out / "grades.csv") == {"a": 5}
    with pytest.raises(ValueError, match="at least 1"):
        command.run(parser.parse_args([*given, "--workers", "0"]))


def test_any_executor_grades(sandbox, hand_in, make_notebook):
    for student in ("a", "b", "c"):
        hand_in(
            f"{student}/00_x.ipynb", make_notebook(f"x = {student!r}", "def attainable(i, p, b): return min(p, i * b)")
        )
    with ThreadPoolExecutor(2) as threads:
        assert grade_folder(hand_in.folder, hand_in.seed_file, hand_in.out, executor=threads).graded == 3
    assert total(hand_in.out / "grades.csv") == {"a": 5, "b": 5, "c": 5}


def test_what_breaks_an_executor_is_not_lost(hand_in, make_notebook, monkeypatch):
    """The journal keeps what was done; the same command does the rest."""
    for student in ("a", "b", "c"):
        hand_in(f"{student}/00_x.ipynb", make_notebook(f"x = {student!r}"))

    def breaks_at_c(job):
        if job.student == "c":
            raise BrokenExecutor("a worker is gone")
        return run._given_up(job)

    monkeypatch.setattr(run, "grade_job", breaks_at_c)
    options = {"confined": False, "lab": "00"}
    with ThreadPoolExecutor(1) as threads, pytest.raises(BrokenExecutor, match="gone"):
        run.grade_folder(hand_in.folder, hand_in.seed_file, hand_in.out, executor=threads, **options)
    monkeypatch.setattr(run, "grade_job", run._given_up)
    with ThreadPoolExecutor(1) as threads:
        result = run.grade_folder(hand_in.folder, hand_in.seed_file, hand_in.out, executor=threads, **options)
    assert result.graded + result.kept == 3
    assert result.graded >= 1


def work(job):
    if job == "kills":
        os.kill(os.getpid(), signal.SIGKILL)
    return job.upper()


def test_a_process_that_dies_takes_no_other_job_with_it():
    jobs = ["a", "b", "kills", "c", "d"]
    assert sorted(run_all(work, jobs, 2, lambda job: f"gave up {job}")) == ["A", "B", "C", "D", "gave up kills"]


def test_names_of_files_are_safe_and_differ():
    names = {file_name(text) for text in ("a/b", "a b", "A b", "../../etc", "\u202ex", "x" * 500, "")}
    assert len(names) == 7
    assert all(len(name) < 100 and "/" not in name and not name.startswith(".") for name in names)


def test_a_result_says_what_it_is_of(sandbox, hand_in, make_notebook):
    content = make_notebook("def attainable(i, p, b): return min(p, i * b)")
    hand_in("a/00_x.ipynb", content)
    grade(hand_in)
    (path,) = (hand_in.out / "submissions").glob("*.json")
    told = json.loads(path.read_text())
    assert told["sha256"] == hashlib.sha256(content).hexdigest()
    assert told["sandbox"] == "bubblewrap"
    assert hand_in.seed_file.read_text().strip() not in path.read_text()
    shutil.rmtree(hand_in.out)
    grade(hand_in)
    assert json.loads(path.read_text()) == told
