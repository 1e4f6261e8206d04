"""Three editions of one solved notebook: what each holds, what it must not hold, and a leak scan that bites."""

import base64
import copy
import json

import nbformat
import pytest

from labkit.course.catalogue import notebook_path
from labkit.course.editions import EDITIONS, make_edition
from labkit.course.editions.leaks import leaks
from labkit.course.editions.learner import learner_edition
from labkit.course.extract import exercise_source
from labkit.course.notebook import read_notebook, regions, solution_of, write_text


@pytest.fixture
def solved(sample):
    notebook = read_notebook(notebook_path(99))
    for number, cell in enumerate(c for c in notebook["cells"] if c["cell_type"] == "code"):
        text = f"ran {cell['source']}"
        cell["outputs"] = [nbformat.v4.new_output("stream", text=text)]
        cell["execution_count"] = number + 1
    return notebook


def one_cell(source, kind="code", **more):
    cell = {"cell_type": kind, "id": "a", "metadata": {}, "source": source, **more}
    if kind == "code":
        cell |= {"outputs": [], "execution_count": None}
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [cell]}


def learner_source(source, kind="code"):
    return learner_edition(one_cell(source, kind))["cells"][0]["source"]


def sources(notebook):
    return "\n".join(cell["source"] for cell in notebook["cells"])


@pytest.mark.parametrize("edition", EDITIONS)
def test_an_edition_is_a_valid_notebook_made_without_touching_the_source(solved, edition):
    before = copy.deepcopy(solved)
    made = make_edition(solved, edition, "99")
    assert solved == before
    nbformat.validate(nbformat.from_dict(made))
    assert write_text(made) == write_text(make_edition(solved, edition, "99"))
    identities = [cell["id"] for cell in made["cells"]]
    assert len(set(identities)) == len(identities)


def test_the_learner_edition_has_stubs_that_run_and_nothing_else_of_the_solution(solved):
    made = learner_edition(solved)
    text = sources(made)
    assert text.count("    raise NotImplementedError") == 2
    assert (
        '    if scores.ndim != 2:\n        raise ValueError("scores is a matrix")\n    raise NotImplementedError'
        in text
    )
    assert "SOLUTION" not in json.dumps(made)
    assert "*Your answer here.*" in text
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in made["cells"] if "outputs" in cell)
    assert leaks(solved, made) == []
    namespace = {}
    exec(exercise_source(made, "row_softmax"), namespace)
    with pytest.raises(NotImplementedError):
        namespace["row_softmax"](namespace["torch"].zeros(1, 1))


def test_the_learner_edition_keeps_what_nbgrader_needs(solved):
    cell = next(c for c in learner_edition(solved)["cells"] if "def arithmetic_intensity" in c["source"])
    assert cell["metadata"]["nbgrader"]["grade_id"] == "arithmetic_intensity"


def test_the_numbers_the_author_predicted_are_dots(solved):
    assert 'lab.predict("copy bandwidth", ...)' in sources(learner_edition(solved))


@pytest.mark.parametrize(
    ("source", "made"),
    [
        ('lab.predict("é", 1 + 2); x = 3', 'lab.predict("é", ...); x = 3'),
        ('lab.predict(\n    "a",\n    10 *\n    5,\n)', 'lab.predict(\n    "a",\n    ...,\n)'),
        ('lab.predict("a", value=3)', 'lab.predict("a", value=...)'),
        ('for n in "ab":\n    lab.predict(n, 3)', 'for n in "ab":\n    lab.predict(n, ...)'),
        ('lab.predict("a", 1)\nlab.predict("b", 22)', 'lab.predict("a", ...)\nlab.predict("b", ...)'),
        ('model.predict("a", 3)', 'model.predict("a", 3)'),
        ('%time lab.predict("a", 3)', '%time lab.predict("a", 3)'),
        ("### BEGIN SOLUTION\nx = 3\n### END SOLUTION\nprint(x)", "...  # your code here\nprint(x)"),
        ("a = 1\n### BEGIN HIDDEN TESTS\nassert a\n### END HIDDEN TESTS\nb = 2", "a = 1\nb = 2"),
        ("def f():\n\t### BEGIN SOLUTION\n\treturn 1\n\t### END SOLUTION", "def f():\n\traise NotImplementedError"),
    ],
)
def test_how_a_cell_becomes_the_learners(source, made):
    assert learner_source(source) == made


def test_two_regions_in_one_cell():
    half = "    ### BEGIN SOLUTION\n    return 1\n    ### END SOLUTION\n"
    assert learner_source(f"def f():\n{half}\ndef g():\n{half}").count("raise NotImplementedError") == 2


@pytest.mark.parametrize(
    "source",
    [
        "### BEGIN SOLUTION\nx = 1",
        "x = 1\n### END SOLUTION",
        "### BEGIN SOLUTION\n### BEGIN SOLUTION\n### END SOLUTION",
    ],
)
def test_a_mark_without_its_partner_is_told(source):
    with pytest.raises(ValueError, match="SOLUTION"):
        learner_source(source)


def test_instructor_cells_stay_with_the_instructor(solved):
    for edition in EDITIONS:
        assert ("Ask for the ridge point" in sources(make_edition(solved, edition, "99"))) == (edition == "instructor")


def test_self_study_has_each_solution_folded_below_its_exercise(solved):
    made = make_edition(solved, "self-study", "99")
    for name in ("arithmetic_intensity", "row_softmax"):
        place = next(i for i, c in enumerate(made["cells"]) if f"def {name}" in c["source"])
        below = made["cells"][place + 1]
        assert below["cell_type"] == "markdown"
        assert below["source"].startswith("<details>\n<summary>")
        assert solution_of(solved, name) in below["source"]
    assert leaks(solved, made) != []


def test_the_instructor_sees_outputs_solutions_and_the_misconceptions(solved):
    made = make_edition(solved, "instructor", "99")
    assert "powers = torch.exp" in sources(made)
    assert "you never divide by the sum" in sources(made)
    assert sum(bool(cell.get("outputs")) for cell in made["cells"]) == 7


def test_an_unknown_edition_is_told(solved):
    with pytest.raises(ValueError, match="there are learner, self-study, instructor"):
        make_edition(solved, "secret", "99")


LINE = "flops = 2 * m * n * k"


def _with(edition, **change):
    made = copy.deepcopy(edition)
    made["cells"].append(one_cell("", **{"kind": "markdown"})["cells"][0] | change)
    return made


@pytest.mark.parametrize(
    "change",
    [
        {"source": f"The solution is `{LINE}`."},
        {"source": "FLOPS: flops=2*m*n*k"},
        {"source": "flops = (\n    2 * m\n) ", "metadata": {"note": LINE}},
        {"source": "flops   =  2 *\n m * n * k"},
        {"source": "", "outputs": [{"output_type": "stream", "name": "stdout", "text": ["a\n", f"    {LINE}\n"]}]},
        {
            "source": "",
            "outputs": [{"data": {"text/html": "flops&nbsp;= <b>2</b> * m * <i>n</i> * k".replace("&nbsp;", " ")}}],
        },
        {"source": "", "outputs": [{"traceback": [f"----> 1 {LINE}"]}]},
        {
            "source": "",
            "attachments": {"a.svg": {"image/svg+xml": base64.b64encode(f"<text>{LINE}</text>".encode()).decode()}},
        },
        {"source": "Answer: It does five operations a number it reads."},
    ],
    ids=["prose", "respaced", "metadata", "broken", "output", "markup", "traceback", "attachment", "free answer"],
)
def test_a_leak_is_found_wherever_it_stands(solved, change):
    assert leaks(solved, _with(learner_edition(solved), **change))


@pytest.mark.parametrize("text", ["return flops", "flops are counted, not measured", "m * n", "else:", "2 * m * n"])
def test_what_tells_nothing_is_no_leak(solved, text):
    assert leaks(solved, _with(learner_edition(solved), source=text)) == []


def test_neighbours_that_tell_nothing_alone_are_a_leak_together():
    body = "    ### BEGIN SOLUTION\n    t = 0\n    for x in xs:\n        t += x\n    return t\n    ### END SOLUTION"
    solved = one_cell("@lab.check\ndef total(xs):\n" + body)
    edition = learner_edition(solved)
    assert leaks(solved, edition) == []
    assert leaks(solved, _with(edition, source="t = 0")) == []
    assert leaks(solved, _with(edition, source="t = 0\nfor x in xs:"))
    assert leaks(solved, _with(edition, source="t += x\nreturn t"))


def test_a_comment_does_not_hide_a_leak():
    solved = one_cell("def f():\n    ### BEGIN SOLUTION\n    y = a * b + c  # the trick\n    ### END SOLUTION")
    assert leaks(solved, _with(learner_edition(solved), source="y = a * b + c"))


def test_a_solved_notebook_leaks(solved):
    assert len(leaks(solved, solved)) >= 6


def test_an_exercise_is_taken_out_with_what_it_needs():
    notebook = one_cell("import math\nimport os\nSCALE = 2\nother = open('x')\nfit = measure()")
    notebook["cells"] += one_cell("%matplotlib inline\ndef helper(x):\n    return math.sqrt(x) * SCALE")["cells"]
    notebook["cells"] += one_cell("SCALE = 3\n@lab.check\ndef f(x):\n    return helper(x)")["cells"]
    notebook["cells"] += one_cell("this is not python")["cells"]
    source = exercise_source(notebook, "f")
    namespace = {}
    exec(source, namespace)
    assert namespace["f"](4) == 6
    for absent in ("os", "open", "measure", "lab"):
        assert absent not in source
    with pytest.raises(ValueError, match="no function 'g'"):
        exercise_source(notebook, "g")


@pytest.mark.parametrize("content", ["", "{", "[]", '{"nbformat": 3, "cells": []}', "\x00\x01"])
def test_a_file_that_is_no_notebook_is_named(tmp_path, content):
    (tmp_path / "x.ipynb").write_text(content)
    with pytest.raises(ValueError, match=r"x\.ipynb is not a notebook"):
        read_notebook(tmp_path / "x.ipynb")


def test_regions_know_their_lines():
    source = "a\n  ### BEGIN SOLUTION\n  b\n  c\n  ### END SOLUTION\nd"
    (region,) = regions(source)
    assert (region.indent, region.lines(source)) == ("  ", ["  b", "  c"])
