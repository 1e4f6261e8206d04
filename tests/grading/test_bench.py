"""The timed proofs, small: that they run and count rightly. What they say of seconds is asked of no test."""

import json

import numpy as np
import pytest

from labkit.course.catalogue import load_checks, notebook_path
from labkit.course.grading import bench_class, bench_nbgrader, benches
from labkit.course.judgement import ask_all, draw, judge_all
from labkit.course.notebook import read_notebook


def test_planted_mistakes_are_those_the_check_knows():
    for name, exercise in load_checks("00").exercises.items():
        cases = draw(exercise, np.random.default_rng(5))
        for source in bench_class.mistakes(exercise):
            namespace = {}
            exec(source, namespace)
            found = judge_all(exercise, cases, ask_all(exercise, namespace[name], cases))
            assert found.status == "failed"
            assert any(known.says in found.diagnosis for known in exercise.judge.misconceptions)


def test_several_labs_have_mistakes_to_plant():
    assert sum(bool(bench_class._mistakes_in(lab)) for lab in bench_class.LABS) >= 3


@pytest.mark.slow
def test_a_class_that_is_killed_is_graded_once_and_rightly(sandbox, tmp_path, monkeypatch):
    monkeypatch.setattr(bench_class, "_EVERY", 4)
    found = bench_class.grade_a_class(tmp_path, 8)
    assert found["graded before the kill"] >= 4
    assert [found[count] for count in ("graded twice", "lost", "misjudged")] == [0, 0, []]
    assert found["lost exercises"] >= found["misconceptions recognised"] > 0


@pytest.mark.slow
def test_the_whole_bench(sandbox, tmp_path, monkeypatch):
    monkeypatch.setattr(benches, "TIMES", 1)
    monkeypatch.setattr(benches, "lab_numbers", lambda: ["00"])
    monkeypatch.setattr(benches, "LABS", ("00",))
    monkeypatch.setattr(benches, "grade_a_class", lambda folder, count: {"submissions": count})
    alone, *_ = bench_nbgrader.KINDS["the exercises alone"]
    monkeypatch.setattr(bench_nbgrader, "KINDS", {"the exercises alone": (alone, 2, 3)})
    found = json.loads(json.dumps(benches.bench(tmp_path)))
    lab = found["a solved lab"]["00"]
    assert lab["points"] == lab["possible"] == 32
    assert lab["processor seconds"] > 0
    assert found["nbgrader"]["the exercises alone"]["submissions"] == 3
    assert 0 < found["a class"]["submissions"] <= 300
    assert not list(tmp_path.iterdir()), "it leaves something behind"


def test_what_is_handed_in_holds_every_cell_and_a_test_for_each_exercise():
    cells, *_ = bench_nbgrader.KINDS["as handed in"]
    sources = [cell.source for cell in cells()]
    shipped = read_notebook(notebook_path("00"))["cells"]
    tests = [source for source in sources if source.startswith("assert callable")]
    assert len(tests) == len(load_checks("00").exercises)
    assert [s for s in sources if s not in tests] == [c["source"] for c in shipped if c["cell_type"] == "code"]
