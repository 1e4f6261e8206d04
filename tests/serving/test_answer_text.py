"""Text piece by piece is the text of all tokens at once, cut before a stop text, with the course's own tokenizer."""

from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.serving.answer_text import AnswerText
from tests.serving.served import TOKENIZER

some_tokens = st.lists(st.integers(0, len(TOKENIZER) - 1), max_size=60)
some_text = st.text(max_size=60).map(lambda text: TOKENIZER(text)["input_ids"])
some_letters = st.text(alphabet="ab ", max_size=60).map(lambda text: TOKENIZER(text)["input_ids"])


def decoded(tokens):
    return TOKENIZER.decode(tokens, skip_special_tokens=True)


@settings(deadline=None, max_examples=300)
@given(tokens=some_tokens | some_text)
def test_pieces_together_are_the_text_of_all_tokens(tokens):
    text = AnswerText(TOKENIZER)
    pieces = [text.add(token) for token in tokens]
    assert "".join(pieces) + text.rest() == decoded(tokens)
    assert not text.stopped


@settings(deadline=None, max_examples=300)
@given(tokens=some_tokens | some_letters, data=st.data())
def test_a_stop_text_ends_the_answer_and_is_never_shown(tokens, data):
    whole = decoded(tokens)
    inside = st.integers(0, max(len(whole) - 1, 0)).flatmap(
        lambda at: st.integers(1, 6).map(lambda size: whole[at : at + size] or "z")
    )
    stop = data.draw(inside | st.sampled_from(["a", "ab", "aab", "abab", "zz"]))
    text, shown = AnswerText(TOKENIZER, [stop]), ""
    for token in tokens:
        shown += text.add(token)
        assert stop not in shown
        if text.stopped:
            break
    shown += "" if text.stopped else text.rest()
    assert text.stopped == (stop in whole)
    assert shown == whole.partition(stop)[0]


def test_the_first_of_several_stops_counts():
    tokens = TOKENIZER("one two three")["input_ids"]
    text = AnswerText(TOKENIZER, ["three", "two"])
    assert "".join(text.add(token) for token in tokens[:2]) == "one "
    assert text.stopped


def test_a_character_of_several_tokens_comes_whole():
    tokens = TOKENIZER("a\N{SNOWMAN}b")["input_ids"]
    text = AnswerText(TOKENIZER)
    pieces = [text.add(token) for token in tokens]
    assert "\N{SNOWMAN}" in pieces or "a\N{SNOWMAN}" in pieces
    assert "" in pieces
