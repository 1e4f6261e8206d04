import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.data import shipped
from labkit.rag.chunking import fixed_chunks, sentence_chunks, structure_chunks
from labkit.rag.document import Document
from labkit.rag.spans import sentence_spans, token_spans, word_spans

PIECES = [
    "One two. ",
    "Three! ",
    "It is 31.5 high ",
    "\n\n",
    "# Head\n",
    "```\na = 1\n\nb\n```\n",
    "- item\n",
    " ",
    "x",
]
TEXTS = st.lists(st.sampled_from(PIECES), max_size=30).map("".join)
SIZES = st.integers(1, 12)


def _words(chunks):
    """Every word of the document that some chunk holds, by its place."""
    return {(c.start + a, c.start + b) for c in chunks for a, b in word_spans(c.text)}


@settings(deadline=None)
@given(text=TEXTS, size=SIZES, overlap=st.integers(0, 11))
def test_chunks_are_pieces_of_the_text_that_miss_no_word_and_keep_to_the_size(text, size, overlap):
    document = Document("d", text, "heading")
    overlap = min(overlap, size - 1)
    made = [fixed_chunks(document, size, overlap), sentence_chunks(document, size, overlap)]
    for chunks in [*made, structure_chunks(document, size)]:
        for chunk in chunks:
            assert chunk.text == text[chunk.start : chunk.end]
            assert (chunk.document, chunk.heading) == ("d", "heading")
            assert 1 <= len(word_spans(chunk.text)) <= size
        assert _words(chunks) == set(word_spans(text))
        assert [c.start for c in chunks] == sorted({c.start for c in chunks})
        assert len({c.id for c in chunks}) == len(chunks)


@settings(deadline=None)
@given(text=TEXTS, size=st.integers(2, 12), overlap=st.integers(1, 11))
def test_a_fixed_window_begins_with_the_last_words_of_the_one_before(text, size, overlap):
    overlap = min(overlap, size - 1)
    chunks = fixed_chunks(Document("d", text), size, overlap)
    for before, after in itertools.pairwise(chunks):
        assert after.text.split()[:overlap] == before.text.split()[-overlap:]


def test_sentences_are_said_again_only_as_far_as_the_overlap_goes():
    document = Document("d", "A a. B b. C c c. D.")
    assert [c.text for c in sentence_chunks(document, 4, overlap=2)] == ["A a. B b.", "C c c. D."]
    assert [c.text for c in sentence_chunks(document, 5, overlap=2)] == ["A a. B b.", "B b. C c c.", "D."]
    assert [c.text for c in sentence_chunks(document, 5, overlap=3)] == ["A a. B b.", "B b. C c c.", "C c c. D."]


def test_no_chunk_goes_across_a_heading_and_code_stays_whole():
    text = "intro\n\n# A\none\n## B\ntwo\n\n```\nx = 1\n\n# no heading\n```\n\nthree"
    chunks = [c.text for c in structure_chunks(Document("d", text), size=50)]
    assert chunks == ["intro", "# A\none", "## B\ntwo\n\n```\nx = 1\n\n# no heading\n```\n\nthree"]


@pytest.mark.slow
def test_every_sentence_of_the_course_world_is_one():
    from labkit.world import World

    whole = total = 0
    for document in World().documents("before")[::40]:
        found = sentence_spans(document.text)
        for triple in document.triples:
            start, end = triple.sentence_span
            total += 1
            whole += any(a <= start and end <= b for a, b in found)
    assert whole / total > 0.97  # the rest add a remark of the clerk: "No objection."


def test_size_may_count_the_tokens_of_the_reading_model():
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(shipped("tokenizer"))
    text = "Kolm Light is 31 metres high. It was completed in 238, says the register of Hestowander.\n" * 4
    for chunk in fixed_chunks(Document("d", text), 16, 4, token_spans(tokenizer)):
        assert len(tokenizer(chunk.text)["input_ids"]) <= 18  # a word that is cut may need a token more


@pytest.mark.parametrize(("size", "overlap"), [(0, 0), (3, 3), (3, -1)])
def test_sizes_that_make_no_progress_are_refused(size, overlap):
    for chunker in (fixed_chunks, sentence_chunks):
        with pytest.raises(ValueError, match="overlap"):
            chunker(Document("d", "a b"), size, overlap)


def test_an_empty_document_has_no_chunks_and_a_huge_one_is_no_trouble():
    for chunker in (fixed_chunks, sentence_chunks, structure_chunks):
        assert chunker(Document("d", " \n\n ")) == []
    huge = Document("d", "A sentence of some words. " * 40_000)
    assert sum(len(c.text.split()) for c in sentence_chunks(huge)) == 200_000
