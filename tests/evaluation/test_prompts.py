from itertools import permutations

from labkit.evaluation.prompts import open_book
from labkit.world import Passage


def test_the_oldest_passage_comes_first_in_whatever_order_they_are_given():
    passages = [Passage("0424-11-02", "old"), Passage("0431-01-09", "newer"), Passage("0431-01-10", "newest")]
    messages = {open_book(some, "Which?") for some in permutations(passages)}
    assert messages == {"2 November 424\nold\n\n9 January 431\nnewer\n\n10 January 431\nnewest\n\nWhich?"}


def test_passages_without_a_date_keep_their_order_before_the_dated_ones():
    passages = [Passage("0431-01-09", "dated"), Passage("z.md", "first"), Passage("a.md", "second")]
    assert open_book(passages, "Which?").split("\n\n")[:2] == ["z.md\nfirst", "a.md\nsecond"]
