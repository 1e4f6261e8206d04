"""An unsolved lab runs to its end: cells that need an exercise are tagged, and say in one line what they need."""

import pytest

from labkit.course.editions.dependents import TAG, tag_dependents
from labkit.course.unwritten import NotWrittenError, unwritten

EXERCISE = "@lab.check\ndef double(x):\n    raise NotImplementedError"


def _tagged(*sources):
    cells = [{"cell_type": "code", "metadata": {}, "source": source} for source in sources]
    tag_dependents(cells)
    return [TAG in cell["metadata"].get("tags", []) for cell in cells]


def test_uses_of_an_exercise_and_of_what_comes_from_it_are_tagged():
    assert _tagged("x = 1", EXERCISE, "y = double(x)", "print(y)", "print(x)") == [False, False, True, True, False]


def test_a_name_given_anew_by_an_independent_cell_is_free_again():
    assert _tagged(EXERCISE, "y = double(1)", "y = 3", "print(y)") == [False, True, False, False]


def test_a_function_that_calls_an_exercise_carries_it_on():
    assert _tagged(EXERCISE, "def twice(x):\n    return double(double(x))", "twice(1)")[1:] == [True, True]


def test_a_comprehension_and_an_attribute_count_as_uses():
    assert _tagged(EXERCISE, "z = [double(i) for i in range(3)]", "z.append(1)")[1:] == [True, True]


def test_an_exercise_itself_is_never_tagged():
    assert _tagged(EXERCISE, EXERCISE.replace("raise NotImplementedError", "return double(x)")) == [False, False]


def test_a_magic_and_a_text_cell_are_left_alone():
    cells = [{"cell_type": "markdown", "metadata": {}, "source": "double"}]
    tag_dependents(cells)
    assert cells[0]["metadata"] == {}
    assert _tagged(EXERCISE, "%timeit double(1)") == [False, False]


def test_tags_are_kept_and_not_doubled():
    cells = [
        {"cell_type": "code", "metadata": {}, "source": EXERCISE},
        {"cell_type": "code", "metadata": {"tags": ["mine", TAG]}, "source": "double(1)"},
    ]
    tag_dependents(cells)
    assert cells[1]["metadata"]["tags"] == ["mine", TAG]


def test_the_stand_in_names_the_exercise_in_one_line():
    def double(x):
        raise NotImplementedError

    with pytest.raises(NotWrittenError, match="needs your `double`") as caught:
        unwritten(double)(1)
    assert len(caught.value._render_traceback_()) == 1
    assert unwritten(double).__name__ == "double"
