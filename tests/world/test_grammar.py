import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.world.grammar import choose, expansions, fill

WORDS = st.text("abc ", max_size=3)


@given(st.lists(st.lists(WORDS, min_size=1, max_size=3, unique=True), min_size=1, max_size=4), st.integers())
def test_expansions_are_the_product_of_the_choices(options, seed):
    template = "-".join(f"[{'|'.join(o)}]" for o in options)
    found = expansions(template)
    count = 1
    for option in options:
        count *= len(option)
    assert len(found) == len(set(found)) == count
    assert choose(template, random.Random(seed)) in found


def test_brackets_nest_and_an_open_one_is_refused():
    assert expansions("a[b[c|d]|e]f") == ("abcf", "abdf", "aef")
    with pytest.raises(ValueError, match="never closed"):
        expansions("[a|b")


@given(st.text("xyz", min_size=1), st.text("uvw", min_size=1))
def test_marks_cover_exactly_what_fills_the_slots(subject, thing):
    filled = fill("It is {S's} {a:O}, [sic] {S}", {"S": subject, "O": thing}, tag="t")
    covered = [(m.slot, filled.text[m.start : m.end]) for m in filled.marks]
    assert covered == [("S", subject), ("O", thing), ("S", subject)]


@pytest.mark.parametrize(("name", "said"), [("it", "its"), ("she", "her"), ("Dunn Works", "Dunn Works'")])
def test_possessives(name, said):
    assert fill("{S's} mill", {"S": name}).text == f"{said} mill"
