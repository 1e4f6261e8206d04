"""What holds for every deck as it is committed: short, a question before each result, minutes, executed."""

import base64
import html
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DECKS = sorted((ROOT / "slides").glob("[0-9]*.ipynb"))
IMAGE = re.compile(r'<img alt="([^"]*)" src="data:image/png;base64,([^"]*)"')
MINUTES = re.compile(r"^\*\*(\d+) min\.\*\* ")
QUESTION = re.compile(r"^\*\*Predict\.\*\* .*\?", re.MULTILINE)


@pytest.fixture(params=DECKS, ids=lambda path: path.stem)
def deck(request):
    return request.param


def _cells(path):
    return json.loads(path.read_text(encoding="utf-8"))["cells"]


def _kind(cell):
    return cell["metadata"]["slideshow"]["slide_type"]


def _slides(path):
    """The cells of each slide; what is skipped belongs to none."""
    slides = []
    for cell in _cells(path):
        if _kind(cell) == "slide":
            slides.append([])
        if _kind(cell) != "skip":
            slides[-1].append(cell)
    return slides


def _figures(slide):
    outputs = [o for cell in slide for o in cell.get("outputs", [])]
    return [m for o in outputs for m in IMAGE.findall("".join(o.get("data", {}).get("text/html", "")))]


def _text(slide):
    return "\n".join("".join(c["source"]) for c in slide if c["cell_type"] == "markdown" and _kind(c) != "notes")


def test_every_lab_has_a_deck():
    labs = {path.name for path in (ROOT / "notebooks").glob("[0-9]*.ipynb")}
    if missing := labs - {path.name for path in DECKS}:
        pytest.skip(f"no deck yet for {', '.join(sorted(missing))}")


def test_ten_to_fifteen_slides_with_a_heading_each(deck):
    slides = _slides(deck)
    assert 10 <= len(slides) <= 15
    assert _text(slides[0]).startswith("# ")
    assert all(re.match(r"## \S", _text(slide)) for slide in slides[1:])


def test_every_slide_is_spoken_to_the_minute(deck):
    spoken = []
    for slide in _slides(deck):
        notes = ["".join(cell["source"]) for cell in slide if _kind(cell) == "notes"]
        assert len(notes) == 1, _text(slide)
        assert len(notes[0].split()) >= 12, _text(slide)
        spoken.append(int(MINUTES.match(notes[0])[1]))
    assert 25 <= sum(spoken) <= 45


def test_a_question_stands_before_each_result(deck):
    asked, results = False, 0
    for slide in _slides(deck):
        if _figures(slide):
            assert asked, f"{_text(slide)!r} shows a result that nobody was asked to predict"
            results += 1
        asked = bool(QUESTION.search(_text(slide))) or (asked and not _figures(slide))
    assert results >= 4


def test_figures_are_described_and_sharp(deck):
    for slide in _slides(deck):
        for alt, data in _figures(slide):
            assert len(html.unescape(alt).split()) >= 8
            assert len(base64.b64decode(data)) < 120_000


def test_every_cell_was_executed_and_none_failed(deck):
    code = [cell for cell in _cells(deck) if cell["cell_type"] == "code"]
    assert [c["source"] for c in code if c["execution_count"] is None] == []
    assert [o for c in code for o in c["outputs"] if o["output_type"] in ("error", "stream")] == []
    assert all("remove_input" in c["metadata"]["tags"] for c in code)


def test_pictures_come_from_a_figure_of_labkit(deck):
    """Never pasted: no attachment, no file, no picture that escaped the rule of alt text and units."""
    for cell in _cells(deck):
        assert not cell.get("attachments")
        assert "![" not in "".join(cell["source"])
        assert not [k for o in cell.get("outputs", []) for k in o.get("data", {}) if k.startswith("image/")]


def test_a_slide_is_not_a_page(deck):
    for slide in _slides(deck):
        assert len(_text(slide).split()) <= 130, _text(slide)


def test_the_deck_is_small(deck):
    assert deck.stat().st_size < 900_000
