"""What holds for every solved lab as it is committed: executed, compared by nbval, accessible, small, readable."""

import base64
import json
import re
from itertools import pairwise
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("[0-9]*.ipynb"))
NOT_COMPARED = {"nbval-ignore-output", "nbval-skip"}
COMMENT = re.compile(r"#\s*(NBVAL_|PYTEST_VALIDATE_)")
IMAGE = re.compile(r'<img alt="([^"]*)" src="data:image/png;base64,([^"]+)">')


def test_there_are_labs():
    assert NOTEBOOKS


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def lab(request):
    return request.param


def _cells(path, kind="code"):
    return [c for c in json.loads(path.read_text(encoding="utf-8"))["cells"] if c["cell_type"] == kind and c["source"]]


def _outputs(path):
    return [output for cell in _cells(path) for output in cell["outputs"]]


def _tags(cell):
    return set(cell["metadata"].get("tags", []))


def test_every_cell_was_executed_and_none_failed(lab):
    """nbval passes over cells that were never executed, so a stripped notebook would compare nothing."""
    assert [c["source"] for c in _cells(lab) if c["execution_count"] is None] == []
    assert [o for o in _outputs(lab) if o["output_type"] == "error"] == []


def test_half_of_the_code_cells_are_compared(lab):
    cells = _cells(lab)
    compared = [c for c in cells if not _tags(c) & NOT_COMPARED and not COMMENT.search("".join(c["source"]))]
    assert len(compared) >= len(cells) / 2, f"{len(compared)} of {len(cells)}"


def test_every_exercise_is_compared_and_shows_that_it_passed(lab):
    exercises = [c for c in _cells(lab) if "@lab.check" in "".join(c["source"])]
    assert len(exercises) >= 5
    for cell in exercises:
        assert not _tags(cell) & NOT_COMPARED
        assert "Passed" in json.dumps(cell["outputs"])


def _figures(path):
    texts = ["".join(o["data"]["text/html"]) for o in _outputs(path) if "text/html" in o.get("data", {})]
    return [match for text in texts for match in IMAGE.findall(text)]


def test_figures_are_described_and_small(lab):
    figures = _figures(lab)
    assert len(figures) >= 4
    for alt, data in figures:
        assert len(alt.split()) >= 8, alt
        assert len(base64.b64decode(data)) < 40_000


def test_no_figure_escapes_the_rule(lab):
    """Every picture goes through `labkit.measure.figure`, which refuses one without alt text, title and units."""
    assert not [o for o in _outputs(lab) if any(kind.startswith("image/") for kind in o.get("data", {}))]


def test_the_notebook_is_small(lab):
    assert lab.stat().st_size < 600_000


def test_cells_are_short(lab):
    for cell in _cells(lab):
        assert len("".join(cell["source"]).splitlines()) <= 25


def test_headings_go_down_one_level_at_a_time(lab):
    text = "\n".join("".join(c["source"]) for c in _cells(lab, "markdown"))
    levels = [len(marks) for marks in re.findall(r"^(#+) ", text, re.MULTILINE)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b - a <= 1 for a, b in pairwise(levels))
