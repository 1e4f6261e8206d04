import pytest

from labkit.rag.document import Chunk
from labkit.rag.freshness import fresher
from labkit.rag.searching import Found


def _found(name, heading, score):
    return Found(Chunk(name, 0, 1, "x", heading), score)


def test_a_score_halves_with_every_half_life_before_the_newest():
    found = [_found("old", "0427-01-01", 1.0), _found("new", "0431-01-01", 0.6), _found("file", "notes.md", 0.3)]
    aged = fresher(found, half_life=4)
    assert [f.chunk.document for f in aged] == ["new", "old", "file"]
    assert [f.score for f in aged] == pytest.approx([0.6, 0.5, 0.3], rel=1e-3)


def test_what_is_no_date_stays_where_it_is():
    found = [_found("a", "notes.md", 0.5), _found("b", "", 0.4), _found("c", "0431-13-45", 0.4)]
    assert fresher(found) == found
    assert fresher([]) == []


def test_relevance_still_counts():
    found = [_found("old", "0427-01-01", 1.0), _found("new", "0431-01-01", 0.1)]
    assert [f.chunk.document for f in fresher(found, half_life=4)] == ["old", "new"]


@pytest.mark.parametrize("half_life", [0, -1, float("nan")])
def test_a_half_life_that_is_none_is_refused(half_life):
    with pytest.raises(ValueError, match="half-life"):
        fresher([], half_life)
