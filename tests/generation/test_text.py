"""Streamed text and stop texts, with the shipped tokenizer."""

import pytest
import transformers as t

from labkit.data import shipped
from labkit.generation import generate, stream, text_pieces
from labkit.generation.decoding import Step
from labkit.generation.rows import Row
from labkit.generation.stopping import at_sequence, at_text


@pytest.fixture(scope="module")
def tokenizer():
    return t.AutoTokenizer.from_pretrained(shipped("tokenizer"))


def _steps(tokens):
    row = Row([0], 1, len(tokens), "length")
    for token in tokens:
        yield Step([row], (row.extend([token], lambda new: False),), None)


@pytest.mark.parametrize(
    "text", ["Fela Belamor lives in Halander.", "naïve – 東京 🚂 fin", " a  b\n", "é", '{"x": "Vizro"}', "said:\nVizro"]
)
def test_pieces_joined_are_the_text_and_never_hold_half_a_character(tokenizer, text):
    tokens = tokenizer(text, add_special_tokens=False)["input_ids"]
    pieces = list(text_pieces(tokenizer, _steps(tokens)))
    assert "".join(pieces) == tokenizer.decode(tokens) == text
    assert not any("\N{REPLACEMENT CHARACTER}" in piece or "\x1f" in piece for piece in pieces)


def test_a_character_cut_off_by_the_limit_is_shown_at_the_end(tokenizer):
    tokens = tokenizer("🚂", add_special_tokens=False)["input_ids"][:-1]
    assert "".join(text_pieces(tokenizer, _steps(tokens))) == tokenizer.decode(tokens)


def test_text_of_a_real_stream(decoder, tokenizer):
    model = decoder(vocab_size=len(tokenizer))
    text = generate(model, [[1, 2, 3]], 12).texts(tokenizer)[0]
    assert "".join(text_pieces(tokenizer, stream(model, [[1, 2, 3]], 12))) == text


def test_a_stop_text_may_be_cut_anywhere(tokenizer):
    stop = at_text(tokenizer, "end.\n")
    text = "Some text with an end.\nMore"
    tokens = tokenizer(text, add_special_tokens=False)["input_ids"]
    row = Row([0], 1, len(tokens), "length")
    row.extend(tokens, stop)
    told = tokenizer.decode(row.new)
    assert row.ended == "stop"
    assert "end.\n" in told
    assert "end.\n" not in tokenizer.decode(row.new[:-1])


def test_empty_stops_are_refused(tokenizer):
    with pytest.raises(ValueError, match="at least one character"):
        at_text(tokenizer, "")
    with pytest.raises(ValueError, match="at least one token"):
        at_sequence()
