"""The promises are measured as they are written; whether the shipped models keep them is for `make bench` to say."""

import pytest

from labkit.evaluation.intervals import Estimate
from labkit.rag.bars import Bar, Bars, answer_bars, word_bars
from labkit.rag.course import post_cutoff, sample
from labkit.world import World


@pytest.fixture(scope="module")
def world():
    return World()


@pytest.mark.slow
def test_post_cutoff_questions_are_about_what_no_paper_before_the_cutoff_states(world):
    asked = post_cutoff(world)
    stated = {t.fact for d in world.documents("before") for t in d.triples}
    assert len(asked) >= 300
    assert not {q.facts[0] for q in asked} & stated
    assert all(q.evidence and q.mention == "name" and q.split == "test" for q in asked)
    assert len({q.facts[0] for q in asked}) == len(asked)
    assert sample(asked, 7) == sample(asked, 7) != sample(asked[::-1], 7)


def test_bm25_agrees_with_bm25s_on_documents_of_the_course():
    pytest.importorskip("bm25s")
    world = World()
    texts = [document.text for document in world.documents("before")[:400]]
    asked = [q.text for q in world.questions("one-hop")[:50]]
    bars = word_bars(texts, asked)
    assert bars.hold
    assert len(bars.bars) == 5


def test_a_promise_that_is_broken_is_said_to_be():
    fine = Bar("a", "at least 1%", Estimate(0.5, 0.4, 0.6, 10), True)
    broken = Bar("b", "at least 60%", Estimate(0.5, 0.4, 0.6, 10), False)
    assert Bars((fine,)).hold
    assert not Bars((fine, broken)).hold
    assert "NO" in str(Bars((fine, broken)))


@pytest.mark.slow
def test_answers_are_judged_on_test_and_thresholds_chosen_on_validation(
    world, tmp_path, word_sums, reader, monkeypatch
):
    pytest.importorskip("lancedb")
    from labkit.rag import bars as room
    from labkit.rag.course import course_documents
    from labkit.rag.pipeline import Pipeline
    from labkit.rag.store import ingest, open_store

    store = open_store(tmp_path, word_sums())
    ingest(store, course_documents(world, "after")[:50])
    asked = []

    def trial(pipeline, reader, questions, claims, real=room.answer_trial):
        asked.append(questions)
        return real(pipeline, reader, questions, claims)

    monkeypatch.setattr(room, "answer_trial", trial)
    found, judged = answer_bars(Pipeline(store, reader), world, count=4)
    assert [{q.split for q in questions} for questions in asked] == [{"test"}, {"validation"}]
    assert [q.kind for q in asked[0]] == ["one-hop"] * 4 + ["unanswerable"] * 4
    assert [bar.holds for bar in found.bars[:2]] == [False, True], "random weights know nothing"
    assert len(judged.asked) == 8
