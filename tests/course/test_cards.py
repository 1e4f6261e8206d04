"""A card reads well without a kernel, without styles, without colour; and its buttons work."""

import re
from html.parser import HTMLParser

import pytest

from labkit.course.cards.card import Card, Status
from labkit.course.cards.controls import controls
from labkit.course.cards.show import is_live

FULL = Card(
    Status.FAILED, "`f` <b>", "2 of 3", ("It & `that`", "<script>alert(1)</script>"), (("yours", "a\nb"), ("<i>", "&")),
    (("Hint 1", "one"), ("Hint 2", "two `x`")), "if a < b:\n    pass",
)  # fmt: skip


class Reader(HTMLParser):
    """Tags and text as a browser would take them; refuses tags left open."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.words, self.stack, self.attributes = [], [], [], []
        self.feed(text)
        self.close()
        assert not self.stack

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.stack.append(tag)
        self.attributes.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.stack.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def test_the_html_is_well_formed_and_takes_no_markup_from_text():
    read = Reader(FULL.html())
    assert "script" not in read.tags
    assert "i" not in read.tags
    assert "<script>alert(1)</script>" in "".join(read.words)


@pytest.mark.parametrize("status", [s for s in Status if s is not Status.NOTE])
def test_the_status_is_a_word_and_a_symbol(status):
    symbol, word, _ = status.value
    card = Card(status, "f")
    assert f"{symbol} {word}: f" in "".join(Reader(card.html()).words)
    assert card.text() == f"{symbol} {word}: f"
    assert len({s.value[0] for s in Status}) == len(Status)


def test_html_and_text_say_the_same():
    words = re.findall(r"\w+", " ".join(Reader(FULL.html()).words))
    for word in re.findall(r"\w+", FULL.text()):
        assert word in words


def test_no_colour_is_set_on_text_or_behind_it():
    """Only the edge is coloured: the theme's own text on the theme's own ground keeps its contrast."""
    for _, attributes in Reader(FULL.html()).attributes:
        style = attributes.get("style", "")
        assert not re.search(r"(^|;)\s*(color|background(-color)?)\s*:\s*(?!transparent)", style)


def test_the_static_card_has_no_script_and_no_address():
    assert not re.search(r"<script|on\w+=|https?:|<style|<link", FULL.html())


def test_folds_open_with_the_keyboard_and_the_last_is_open():
    details = [attributes for tag, attributes in Reader(FULL.html()).attributes if tag == "details"]
    assert ["open" in attributes for attributes in details] == [False, True]
    assert Reader(FULL.html()).tags.count("summary") == 2


def test_the_bundle_has_text_and_html_and_no_widget():
    assert set(FULL._repr_mimebundle_()) == {"text/plain", "text/html"}


def hints(opened=0):
    log = []
    box = controls(
        opened,
        lambda n: log.append(n) or Card(Status.NOTE, f"hint {n}"),
        lambda: log.append("solution") or Card(Status.NOTE, "the solution"),
    )
    (hint, solution), shown = box.children[0].children, box.children[1]
    return hint, solution, shown, log


def test_the_buttons_open_one_hint_after_another():
    hint, _, shown, log = hints()
    assert hint.description == "Hint 1 of 3"
    for number in (1, 2, 3):
        hint.click()
        assert f"hint {number}" in shown.value
    assert hint.description == "Hints again"
    hint.click()
    assert log == [1, 2, 3, 3]


def test_the_buttons_go_on_where_the_learner_was():
    hint, _, _, log = hints(opened=2)
    assert hint.description == "Hint 3 of 3"
    hint.click()
    assert log == [3]


def test_the_solution_asks_once_before_it_shows():
    _, solution, shown, log = hints()
    solution.click()
    assert "counts as seen" in solution.description
    assert (shown.value, log) == ("", [])
    solution.click()
    assert "the solution" in shown.value
    assert log == ["solution"]


def test_outside_a_front_end_nothing_is_live():
    assert not is_live()
