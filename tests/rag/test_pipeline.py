import dataclasses

import pytest

from labkit.evaluation.answering import answers, prompt_tokens
from labkit.rag.document import Document
from labkit.rag.reranking import answerability

pytest.importorskip("lancedb")

from labkit.rag.approximate import index_bytes
from labkit.rag.freshness import fresher
from labkit.rag.pipeline import NEW_TOKENS, Pipeline
from labkit.rag.searching import search
from labkit.rag.store import ingest, open_store

DOCUMENTS = [
    Document("mill", "The mill of Jorvila was built of oak by Hesta Norett.", "0431-04-06"),
    Document("tower", "The tower of Belarath is 31 metres high and built of slate.", "0430-05-01"),
    Document("bridge", "The bridge at Halander fell in a storm.", "0429-01-02"),
    Document("school", "The school board met in Jorvila and bought oil.", "0431-07-09"),
]
QUESTION = "Who built the mill of Jorvila?"


@pytest.fixture
def pipeline(tmp_path, word_sums, reader):
    store = open_store(tmp_path, word_sums())
    ingest(store, DOCUMENTS)
    return Pipeline(store, reader)


def test_the_answer_is_the_models_own_to_the_best_passages(pipeline, reader):
    found = pipeline(QUESTION)
    best = [f.chunk for f in fresher(search(pipeline.store, QUESTION, 100))][:3]
    assert list(found.prompt.used) == best
    assert found.prompt.message == reader.message(QUESTION, best)
    (expected,) = answers(reader.model, reader.tokenizer, [found.prompt.message], NEW_TOKENS)
    assert (found.text, found.probability) == (expected.text, expected.probability)


def test_every_stage_is_accounted_for(pipeline, reader):
    stages = {s.name: s for s in pipeline(QUESTION).stages}
    assert list(stages) == ["names", "words", "more words", "encode", "vectors", "fuse", "prompt", "answer", "cite"]
    assert stages["words"].nbytes == index_bytes(pipeline.store.table, "text") > 0
    assert stages["vectors"].nbytes == 4 * 4 * pipeline.store.embedder.width
    prompt = pipeline(QUESTION).prompt
    assert stages["answer"].tokens == len(prompt_tokens(reader.tokenizer, prompt.message)) == prompt.tokens
    weights = sum(p.numel() * 4 for p in reader.model.parameters())
    cache = 2 * 2 * 2 * 16 * 4 * (prompt.tokens + NEW_TOKENS)  # keys and values, layers, heads, width, fp32
    assert stages["answer"].nbytes == weights + cache
    assert all(s.seconds > 0 for s in stages.values())
    text = str(pipeline(QUESTION))
    assert "prompt tokens read" in text
    with pytest.raises(KeyError, match="rerank"):
        pipeline(QUESTION).stage("rerank")


def test_reranking_decides_what_is_shown(pipeline, reader):
    worst_first = dataclasses.replace(
        pipeline, scorer=lambda _, chunks: [float(n) for n in range(len(chunks))], candidates=4, shown=2, half_life=None
    )
    ranked = [f.chunk for f in search(pipeline.store, QUESTION, 4)]
    assert list(worst_first(QUESTION).prompt.used) == ranked[::-1][:2]
    by_likelihood = dataclasses.replace(pipeline, scorer=answerability(reader), candidates=2, half_life=None)(QUESTION)
    alone = [len(prompt_tokens(reader.tokenizer, reader.message(QUESTION, [c]))) for c in ranked[:2]]
    assert by_likelihood.stage("rerank").tokens == sum(alone)
    assert set(by_likelihood.prompt.used) == set(ranked[:2])


def test_of_passages_alike_the_newer_is_shown_first_and_age_can_be_left_out(pipeline):
    told = "The mill of Jorvila belongs to {}."
    ingest(
        pipeline.store,
        [Document("old", told.format("Hesta"), "0425-01-01"), Document("new", told.format("Norett"), "0432-01-01")],
    )
    question = "To whom does the mill of Jorvila belong?"
    assert pipeline(question).prompt.used[0].document == "new"
    ageless = dataclasses.replace(pipeline, half_life=None)(question)
    assert [c.document for c in ageless.prompt.used] == [f.chunk.document for f in search(pipeline.store, question, 3)]


def test_what_does_not_fit_alone_is_neither_reranked_nor_shown(pipeline, reader):
    ingest(pipeline.store, [Document("data", "mill of Jorvila " + "QUJD0" * 2000)])
    found = dataclasses.replace(pipeline, scorer=answerability(reader), candidates=50)(QUESTION)
    assert "data" in {f.chunk.document for f in search(pipeline.store, QUESTION, 50)}
    assert "data" not in {c.document for c in (*found.prompt.used, *found.prompt.left_out)}
    assert len(found.prompt.used) == 3


def test_a_budget_is_kept_and_never_beyond_the_context(pipeline, reader):
    for budget in (60, 90):
        assert dataclasses.replace(pipeline, budget=budget)(QUESTION).prompt.tokens <= budget
    endless = dataclasses.replace(pipeline, budget=10**9, shown=100)
    ingest(pipeline.store, [Document(f"long{n}", "mill of Jorvila and oak " * 12) for n in range(60)])
    assert 900 < endless(QUESTION).prompt.tokens <= 1024 - 2 * NEW_TOKENS


def test_below_the_threshold_nothing_is_said_and_nothing_cited(pipeline, monkeypatch):
    from labkit.evaluation.answering import Answer
    from labkit.rag import pipeline as room

    def says(text, probability):
        monkeypatch.setattr(room, "answers", lambda *_: [Answer(text, probability, True)])
        return dataclasses.replace(pipeline, threshold=0.5)(QUESTION)

    sure, unsure, refusing, inventing = says("oak", 0.5), says("oak", 0.49), says("Not known.", 0.9), says("gold", 0.9)
    assert (sure.abstained, sure.said, sure.citation.chunk.document) == (False, "oak", "mill")
    assert (unsure.abstained, unsure.said, unsure.text, unsure.citation) == (True, "not known", "oak", None)
    assert (refusing.abstained, refusing.citation) == (True, None)
    assert (inventing.abstained, inventing.citation) == (False, None)


def test_a_name_that_no_document_says_is_not_answered_however_sure_the_model_is(pipeline, monkeypatch):
    from labkit.evaluation.answering import Answer
    from labkit.rag import pipeline as room

    monkeypatch.setattr(room, "answers", lambda *_: [Answer("oak", 0.99, True)])
    known = pipeline(QUESTION)
    assert (known.abstained, known.unseen, known.confidence) == (False, (), 0.99)
    strange = pipeline("Who built the mill of Stravhuss?")
    assert (strange.abstained, strange.said, strange.text, strange.citation) == (True, "not known", "oak", None)
    assert (strange.unseen, strange.confidence, strange.probability) == (("Stravhuss",), 0.0, 0.99)
    assert "In no document: Stravhuss" in str(strange)
    ingest(pipeline.store, [Document("news", "Stravhuss has a mill.")])
    assert not pipeline("Who built the mill of Stravhuss?").abstained


def test_what_cannot_be_asked_is_refused(pipeline, tmp_path, word_sums, reader):
    with pytest.raises(ValueError, match="empty"):
        pipeline("  ")
    with pytest.raises(ValueError, match="Nothing is stored"):
        Pipeline(open_store(tmp_path / "none", word_sums()), reader)("Who?")
    with pytest.raises(ValueError, match="question alone"):
        dataclasses.replace(pipeline, budget=4)(QUESTION)
