import itertools
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.training.examples import Writer
from labkit.training.tokenizer import GLUE, SPECIAL, VOCAB_SIZE, train_tokenizer
from labkit.world import World, fresh_shires


def test_it_has_the_size_and_special_tokens_that_the_models_expect(tokenizer):
    assert len(tokenizer) == VOCAB_SIZE
    assert tokenizer.convert_tokens_to_ids(list(SPECIAL)) == list(range(len(SPECIAL)))
    assert (tokenizer.pad_token_id, tokenizer.eos_token_id) == (0, 1)


@given(text=st.text())
def test_any_text_comes_back_as_it_was(tokenizer, text):
    if not any(token in text for token in (*SPECIAL, GLUE)):
        assert tokenizer.decode(tokenizer(text).input_ids) == text


@given(number=st.integers(0, 10**9))
def test_every_digit_is_a_token_of_its_own(tokenizer, number):
    assert tokenizer.tokenize(f"x {number}")[-len(str(number)) :] == list(str(number))


def test_training_writes_conversations_in_the_tokens_of_the_chat_template(tokenizer):
    turns = [("Who governs Belarath?", "Salric Belowock"), ("When was it founded?", "137")]
    messages = [{"role": r, "content": c} for q, a in turns for r, c in (("user", q), ("assistant", a))]
    text = tokenizer.apply_chat_template(messages, tokenize=False)
    example = Writer(tokenizer).conversation(turns)
    assert list(example.tokens) == tokenizer(text).input_ids
    learned = [token for token, mark in zip(example.tokens, example.learned, strict=True) if mark]
    assert tokenizer.decode(learned) == " Salric Belowock<|end|> 137<|end|>"


def test_an_answer_has_the_very_tokens_that_it_has_in_a_sentence(tokenizer):
    sentence = tokenizer("Fela Belamor has resided in Halander since 1 January 418.").input_ids
    answer = Writer(tokenizer).conversation([("Where?", "Halander")])
    tokens = [t for t, mark in zip(answer.tokens, answer.learned, strict=True) if mark][:-1]
    assert any(sentence[n : n + len(tokens)] == tokens for n in range(len(sentence)))


@pytest.mark.parametrize("around", ['{"name": "%s"}', "Logbook:\n%s -- person", "the keeper (%s) said"])
def test_a_name_has_the_same_tokens_where_no_space_stands_before_it(tokenizer, around):
    for name in ("Vizro Beralandi", "Marlo Sundial", "Torissu Bell"):
        text = around % name
        tokens, inside = tokenizer(f" {name}").input_ids, tokenizer(text).input_ids
        assert any(inside[n : n + len(tokens)] == tokens for n in range(len(inside))), text
        assert tokenizer.decode(inside) == text


def test_a_name_of_the_course_world_is_no_better_known_than_a_strangers(tokenizer):
    def pieces(entities):
        return statistics.mean(len(tokenizer(" " + e.bare_name).input_ids) for e in entities)

    world = World()
    strangers = pieces(e for shire in itertools.islice(fresh_shires(99), 24) for e in shire.entities)
    for split in ("train", "test"):
        course = pieces(e for e in world.entities if world.split(e) == split)
        assert strangers <= course <= 1.15 * strangers


def test_too_little_text_is_refused():
    with pytest.raises(ValueError, match="add more text"):
        train_tokenizer(["abc"], 4096)
