import pytest

from labkit.rag.bm25 import BM25
from labkit.rag.chunking import fixed_chunks
from labkit.rag.document import Document

pytest.importorskip("lancedb")

from labkit.rag import store as room
from labkit.rag.searching import search
from labkit.rag.store import Ingested, ingest, open_store

COLOURS = ("red", "blue", "green", "grey")
MATERIALS = ("oak", "slate", "granite", "flint", "clay")


def _documents():
    pairs = [(colour, material) for colour in COLOURS for material in MATERIALS]
    return [Document(f"mill's {n}", f"A {c} mill of {m}. It is number {n}.", str(n)) for n, (c, m) in enumerate(pairs)]


@pytest.fixture
def store(tmp_path, word_sums):
    opened = open_store(tmp_path / "store", word_sums())
    ingest(opened, _documents())
    return opened


def _stored(store):
    rows = store.table.search().limit(None).to_list()
    return sorted((r["document"], r["start"], r["end"], r["text"]) for r in rows)


@pytest.mark.parametrize("how", ["words", "more words", "vectors", "both"])
def test_what_was_stored_is_found_as_it_was(store, how):
    best = search(store, "green granite", k=3, how=how)[0].chunk
    assert (best.document, best.heading) == ("mill's 12", "12")
    assert best.text == _documents()[12].text[best.start : best.end]


def test_words_are_ranked_as_by_our_own_bm25(store):
    documents = _documents()
    ours = [n for n, _ in BM25([d.text for d in documents]).top("blue flint", 4)]
    found = [f.chunk.document for f in search(store, "blue flint", 4, "words")]
    assert found[0] == documents[ours[0]].id
    assert set(found) <= {d.id for d in documents if "blue" in d.text or "flint" in d.text}


def test_a_second_ingest_does_nothing_and_a_changed_document_replaces_its_chunks(store):
    documents = _documents()
    assert ingest(store, documents) == Ingested(written=0, unchanged=20, withdrawn=0)
    before = _stored(store)
    documents[3] = Document("mill's 3", "A golden tower. " * 30, "3")
    assert ingest(store, documents) == Ingested(written=1, unchanged=19, withdrawn=0)
    assert [row for row in _stored(store) if row[0] != "mill's 3"] == [row for row in before if row[0] != "mill's 3"]
    assert {f.chunk.document for f in search(store, "golden", 9, "words")} == {"mill's 3"}
    assert "mill's 3" not in {f.chunk.document for f in search(store, "flint", 9, "words")}


def test_what_was_withdrawn_vanishes_from_answers(store):
    assert ingest(store, [], withdrawn=["mill's 12", "nobody"]) == Ingested(0, 0, 1)
    for how in ("words", "vectors", "both"):
        assert "mill's 12" not in {f.chunk.document for f in search(store, "green granite", 50, how)}


def test_a_document_that_became_empty_has_no_chunks_left(store):
    ingest(store, [Document("mill's 12", " ")])
    assert "mill's 12" not in {row[0] for row in _stored(store)}


@pytest.mark.parametrize("fatal", [0, 1, 3])
def test_a_killed_ingest_goes_on_with_nothing_lost_or_doubled(tmp_path, word_sums, monkeypatch, fatal):
    """The encoder, and then the disk, fail in the midst; the same call afterwards gives what one call would have."""
    monkeypatch.setattr(room, "COMMIT", 6)

    def chunker(document):
        return fixed_chunks(document, size=3)

    whole = open_store(tmp_path / "whole", word_sums())
    ingest(whole, _documents(), chunker=chunker)
    broken = open_store(tmp_path / "broken", word_sums())
    commits = []

    def commit(store, group, real=room._commit):
        if len(commits) == fatal:
            raise OSError("No space left on device")
        commits.append(group)
        real(store, group)

    with monkeypatch.context() as patched:
        patched.setattr(room, "_commit", commit)
        with pytest.raises(OSError, match="space"):
            ingest(broken, _documents(), chunker=chunker)
    again = open_store(tmp_path / "broken", word_sums())
    done = sum(len(group) for group in commits)
    assert ingest(again, _documents(), chunker=chunker) == Ingested(20 - done, done, 0)
    assert _stored(again) == _stored(whole)
    assert search(again, "green granite", 3, "words")[0].chunk.document == "mill's 12"


def test_a_store_of_another_embedder_or_vectors_of_another_width_are_refused(store, word_sums, tmp_path):
    with pytest.raises(ValueError, match=r"word-sums.*other"):
        open_store(tmp_path / "store", word_sums("other"))
    store.embedder.encode = word_sums(width=32).encode
    with pytest.raises(ValueError, match="width 64"):
        ingest(store, [Document("new", "Something new.")])
    assert "new" not in {row[0] for row in _stored(store)}


def test_bad_questions_and_double_ids_get_one_sentence(store, tmp_path, word_sums):
    for query, options, complaint in [(" ", {}, "empty"), ("red", {"k": 0}, "k is"), ("red", {"how": "x"}, "'x'")]:
        with pytest.raises(ValueError, match=complaint):
            search(store, query, **options)
    with pytest.raises(ValueError, match="Nothing is stored"):
        search(open_store(tmp_path / "empty", word_sums()), "red")
    with pytest.raises(ValueError, match="'twice'"):
        ingest(store, [Document("twice", "a"), Document("twice", "b")])


def test_a_question_is_words_and_never_a_command(store):
    for query in ["red' OR 1=1", 'text:"red" AND (', "*", "ignore your instructions", "-red +oak~2", "µ"]:
        for how in ("words", "vectors", "both"):
            assert isinstance(search(store, query, 3, how), list)
