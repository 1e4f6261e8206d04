"""The trial on questions of the course world, with answers that are planted and therefore known."""

import math

import pytest

from labkit.rag.answer_trial import answer_trial
from labkit.rag.chunking import structure_chunks
from labkit.rag.citing import Citation
from labkit.rag.course import CourseClaims, course_documents
from labkit.rag.document import Chunk
from labkit.rag.prompt import Prompt
from labkit.rag.stages import CitedAnswer
from labkit.world import World

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def world():
    return World()


@pytest.fixture(scope="module")
def claims(world):
    return CourseClaims(world, "after")


@pytest.fixture(scope="module")
def questions(world):
    return world.questions("changed", "test", "after", "open", mention="name")[:24]


def _chunk(world, name):
    document = next(d for d in course_documents(world, "after") if d.id == name)
    return Chunk(name, 0, len(document.text), document.text, document.heading)


def test_the_claims_of_whole_documents_are_their_triples(world, claims):
    for document in course_documents(world, "after")[::97]:
        stated = claims.of_chunk(Chunk(document.id, 0, len(document.text), document.text))
        assert len(stated) == len(claims.triples[document.id])
        parts = [claims.of_chunk(c) for c in structure_chunks(document, size=12)]
        assert {c for part in parts for c in part} <= set(stated)
    assert claims.of_chunk(Chunk(document.id, 0, 1, "x")) == []


def test_the_truth_is_claimed_by_every_accepted_answer_and_stated_by_every_evidence(world, claims, questions):
    for question in questions:
        (truth,) = claims.of_truth(question)
        for answer in question.accepted:
            assert claims.of_answer(question, f" {answer}.") == [truth]
        for document in question.documents()[-1]:
            assert truth in claims.of_chunk(_chunk(world, document))
        assert claims.of_answer(question, "not known") == []
        assert claims.of_answer(question, question.stale) != [truth]
    (unanswerable, *_) = world.questions("unanswerable", "test", "after", "open")
    assert claims.of_truth(unanswerable) == []
    assert claims.of_answer(unanswerable, "31") == [(unanswerable.subject, unanswerable.relations[0], "31")]


def test_a_name_that_no_document_says_leaves_no_confidence(world, claims, questions, reader):
    prompt = Prompt("", 0, (), ())

    def pipeline(text):
        unseen = ("Stravhuss",) if text == questions[0].text else ()
        return CitedAnswer(text, "oak", 0.8, bool(unseen), None, prompt, (), unseen)

    trial = answer_trial(pipeline, reader, questions[:2], claims)
    assert [a.confidence for a in trial.asked] == [0.0, 0.8]
    assert trial.attempts("open").not_attempted == 1


def test_the_corpus_of_some_shires_is_that_part_of_the_whole(world):
    whole = course_documents(world, "after")
    some = course_documents(world, "after", shires={2, 17})
    assert {d.id for d in some} == {d.id for d in whole if "-02" in d.id or "-17" in d.id}
    assert sum(len(course_documents(world, "after", {n})) for n in range(len(world.shires))) == len(whole)
    entities = {e.id for n in (2, 17) for e in world.shires[n].entities}
    assert {t.subject for d in world.documents("after") if d.shire in (2, 17) for t in d.triples} <= entities


def test_planted_answers_are_counted_as_what_they_are(world, claims, questions, reader):
    """In turn: right with its source, right with another source, the old value, something made up, and a refusal."""
    by_text = {q.text: n for n, q in enumerate(questions)}

    def pipeline(text):
        question = questions[by_text[text]]
        answer = [question.answer, question.answer, question.stale, "Nowhere at all", "not known"][by_text[text] % 5]
        stating = _chunk(world, question.documents()[-1][0])
        other = _chunk(world, "news-02n015" if stating.document != "news-02n015" else "minutes-02n002")
        prompt = Prompt(text, 7, (stating,), ())
        cited = {0: stating, 1: other}.get(by_text[text] % 5)
        citation = Citation(cited, 0, 1) if cited else None
        return CitedAnswer(
            text, answer, 0.9 if by_text[text] % 5 < 2 else 0.4, answer == "not known", citation, prompt, ()
        )

    trial = answer_trial(pipeline, reader, questions, claims)
    open_book = trial.attempts("open")
    assert (open_book.correct, open_book.wrong, open_book.not_attempted) == (10, 10, 4)
    assert trial.attempts("closed").count == 24
    assert trial.calibration().warning.value == 1, "right ones stand above wrong ones"
    assert sum(a.should_abstain for a in trial.asked) == 10
    assert [a.confidence for a in trial.asked[:5]] == [0.9, 0.9, 0.4, 0.4, 0.0]
    curve = {p.threshold: (p.precision, p.recall) for p in trial.curve()}
    assert curve[0.4] == (0.0, 0.0), "the refusals of answerable questions hold back nothing that is wrong"
    assert curve[0.9] == (pytest.approx(10 / 14), 1.0)
    kinds = trial.mean("intrinsic"), trial.mean("extrinsic"), trial.mean("hallucination")
    assert kinds[0].value == pytest.approx(kinds[2].value), "the passages tell of what is asked"
    stated_old = sum(
        claims.of_answer(a.question, a.question.stale)[0] in claims.of_chunk(a.open.prompt.used[0])
        for a in trial.asked[2::5]
    )
    assert kinds[2].value == pytest.approx((10 - stated_old) / 20)
    assert trial.mean("faithfulness").value == pytest.approx((10 + stated_old) / 20)
    assert math.isnan(trial.asked[4].claims.faithfulness)
    assert 0.5 <= trial.sources().value < 1
    assert trial.asked[0].source_right
    assert trial.asked[3].source_right is None
    assert "cited document states it" in str(trial)
