"""Grading on a Dask cluster: one scheduler and one worker, each a process of its own on this machine."""

import os
import signal

import dask
import pytest
from distributed import LocalCluster

from labkit.course.grading.cluster import run_on
from labkit.course.grading.run import grade_folder
from tests.grading.test_run import KNEE_WRONG, rows, total


@pytest.fixture(scope="module")
def address():
    impatient = {"distributed.scheduler.allowed-failures": 0}  # a worker takes seconds to start again
    with (
        dask.config.set(impatient),
        LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None, silence_logs=50) as cluster,
    ):
        yield cluster.scheduler_address


def _work(job):
    if job == "kills":
        os.kill(os.getpid(), signal.SIGKILL)
    return job.upper()


@pytest.mark.slow
def test_a_class_gets_the_same_grades_from_a_cluster(sandbox, hand_in, make_notebook, address, tmp_path):
    hand_in("partly/00_your_machine.ipynb", make_notebook(KNEE_WRONG, "def attainable(i, p, b): return min(p, i * b)"))
    hand_in("mean/00_x.ipynb", make_notebook("import os\ndef knee(a, b, c): os._exit(0)"))
    grade_folder(hand_in.folder, hand_in.seed_file, hand_in.out, workers=1)
    result = grade_folder(hand_in.folder, hand_in.seed_file, tmp_path / "elsewhere", executor=address)
    assert result.graded == 2
    assert total(tmp_path / "elsewhere" / "grades.csv") == total(hand_in.out / "grades.csv") == {"partly": 5, "mean": 0}
    assert rows(tmp_path / "elsewhere" / "grades.csv") == rows(hand_in.out / "grades.csv")


@pytest.mark.slow
def test_a_job_that_ends_its_workers_takes_no_other_with_it(address):
    done = run_on(address, _work, ["a", "kills", "b"], lambda job: f"gave up {job}", confined=False)
    assert sorted(done) == ["A", "B", "gave up kills"]


def test_no_scheduler_is_said_so(monkeypatch):
    monkeypatch.setattr("labkit.course.grading.cluster.ANSWER_WITHIN", 1)
    with pytest.raises(ValueError, match="No Dask scheduler answers at tcp"):
        list(run_on("tcp://127.0.0.1:9", _work, ["a"], str))


def test_a_scheduler_without_workers_is_said_so(monkeypatch):
    monkeypatch.setattr("labkit.course.grading.cluster.WORKER_WITHIN", 1)
    with (
        LocalCluster(n_workers=0, dashboard_address=None, silence_logs=50) as empty,
        pytest.raises(ValueError, match="has no worker"),
    ):
        list(run_on(empty.scheduler_address, _work, ["a"], str))
