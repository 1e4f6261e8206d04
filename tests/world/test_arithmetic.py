import re
from itertools import islice

import pytest

from labkit.world import SPLITS, problems

FACTORS = {
    ("centimetres", "metres"): 100,
    ("metres", "kilometres"): 1000,
    ("grams", "kilograms"): 1000,
    ("kilograms", "tonnes"): 1000,
    ("millilitres", "litres"): 1000,
    ("minutes", "hours"): 60,
    ("seconds", "minutes"): 60,
    ("hours", "days"): 24,
    ("days", "weeks"): 7,
}


def _expected(problem):
    """The answer worked out from the words of the question alone."""
    a, *rest = (int(n) for n in re.findall(r"\d+", problem.text))
    text = problem.text
    if problem.kind == "units":
        wanted = problem.answer.split()[1]
        given = next(w for w in re.findall(r"\w+", text[text.index(str(a)) :]) if w.isalpha())
        return a * FACTORS[wanted, given] if (wanted, given) in FACTORS else a / FACTORS[given, wanted]
    (b,) = rest
    if " - " in text or "minus" in text or "taken away" in text:
        return a - b
    if text.startswith("Take"):
        return b - a
    if " / " in text or "Divide" in text or "shared out" in text:
        return a / b
    return a * b if " * " in text or "times" in text or "of them hold" in text else a + b


@pytest.mark.parametrize("split", SPLITS)
def test_answers_are_right(split):
    for problem in islice(problems(5, split), 1500):
        assert int(problem.answer.split()[0]) == _expected(problem), problem


def test_no_seed_trains_on_a_test_problem():
    trained = {p.text for seed in range(3) for p in islice(problems(seed), 3000)}
    tested = {p.text for p in islice(problems(9, "test"), 3000)}
    assert not trained & tested
