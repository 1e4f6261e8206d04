"""A notebook cut into exercises, whatever was done to it; the cutting is pure, so it is tested without a sandbox."""

import json

import nbformat
import pytest

from labkit.course.catalogue import load_checks, notebook_path
from labkit.course.grading.inside.answer import Inert
from labkit.course.grading.inside.cells import as_python, code_cells
from labkit.course.grading.inside.slices import cut

LABS = {"00": list(load_checks("00").exercises), "42": ["something_else"]}
KNEE = "@lab.check\ndef knee(rows, seconds, slack):\n    return FACTOR * helper(rows)"


def cut_cells(make_notebook, *cells):
    return cut(make_notebook(*cells), LABS)


def run(source):
    namespace = {"lab": Inert()}
    exec(source, namespace)
    return namespace["knee"]


def test_the_shipped_notebook_is_whole():
    found = cut(notebook_path("00").read_bytes(), LABS)
    assert (found["lab"], sorted(found["sources"]), found["absent"]) == ("00", sorted(LABS["00"]), {})


def test_only_what_is_needed_is_run_and_in_any_order(make_notebook):
    cells = ["lab.explode()", KNEE, "FACTOR: int = 2", "open('/never').read()", "def helper(x):\n    return tail(x)",
             "from math import prod as tail", "knee([3], [1.0], 1)"]  # fmt: skip
    for order in (cells, cells[::-1]):
        source = cut_cells(make_notebook, *order)["sources"]["knee"]
        assert "explode" not in source
        assert "never" not in source
        assert run(source)([3, 5], [], 0) == 30


def test_two_names_given_at_once(make_notebook):
    source = cut_cells(make_notebook, "FACTOR, other = 3, [1]", KNEE, "helper = len", "def helper(x): return len(x)")
    assert run(source["sources"]["knee"])([1, 1], [], 0) == 6


def test_the_last_definition_counts(make_notebook):
    first, second = "def knee(rows, seconds, slack): return 1", "def knee(rows, seconds, slack): return 2"
    assert run(cut_cells(make_notebook, first, second)["sources"]["knee"])([], [], 0) == 2


def test_magics_and_operators_at_the_start_of_a_line(make_notebook):
    cell = "%%time\n!pip list\n" + "def knee(rows, seconds, slack):\n    return (7\n        % 4)\n"
    assert run(cut_cells(make_notebook, cell.removeprefix("%%time\n!pip list\n"))["sources"]["knee"])([], [], 0) == 3
    assert "knee" in cut_cells(make_notebook, "%matplotlib inline\ndef knee(rows, seconds, slack): pass")["sources"]


def test_names_that_only_a_measuring_cell_gives_are_told(make_notebook):
    found = cut_cells(make_notebook, "FACTOR = measure()", KNEE, "def helper(x): return x")
    assert found["left_out"]["knee"] == ["FACTOR"]


def test_a_cell_that_is_no_python_is_told_with_its_line(make_notebook):
    found = cut_cells(make_notebook, "def knee(rows, seconds, slack):\n    return (", "def attainable(i, p, b): pass")
    assert "no valid Python" in found["absent"]["knee"]
    assert "line" in found["absent"]["knee"]
    assert "attainable" in found["sources"]


@pytest.mark.parametrize(
    "cell", ["(" * 5000, "-" * 200_000 + "1", "x = " + "[" * 300 + "]" * 300, "\0", "'" * 7, "def"]
)
def test_a_cell_made_to_break_a_parser_costs_only_itself(cell, make_notebook):
    found = cut_cells(make_notebook, cell, "def knee(rows, seconds, slack): return 1")
    assert "knee" in found["sources"]


def test_names_that_only_look_alike(make_notebook):
    cyrillic = "def \N{CYRILLIC SMALL LETTER KA}nee(rows, seconds, slack): return 1"
    found = cut_cells(make_notebook, cyrillic, "def attainable(i, p, b): pass")
    assert found["absent"]["knee"] == "No cell defines a function `knee`."
    full_width = "def \N{FULLWIDTH LATIN SMALL LETTER K}nee(rows, seconds, slack): return 1"  # the same name to Python
    assert "knee" in cut_cells(make_notebook, full_width)["sources"]


def old_formats():
    cell = {"cell_type": "code", "language": "python", "outputs": [], "metadata": {}, "input": ["def knee(r, s, l):\n",
            "    return 1"]}  # fmt: skip
    three = {"nbformat": 3, "nbformat_minor": 0, "metadata": {"name": ""}, "worksheets": [{"cells": [cell]}]}
    two = {"nbformat": 2, "metadata": {}, "worksheets": [{"cells": [dict(cell, input="".join(cell["input"]))]}]}
    one = {"nbformat": 1, "cells": [{"cell_type": "code", "code": "".join(cell["input"])}]}
    return [("3", three), ("2", two), ("1", one)]


@pytest.mark.parametrize(("version", "notebook"), old_formats())
def test_old_formats(version, notebook):
    assert "knee" in cut(json.dumps(notebook).encode(), LABS)["sources"]


def test_the_same_cells_as_nbformat_reads_from_an_old_notebook():
    old = json.dumps(dict(old_formats())["3"])
    expected = [cell.source for cell in nbformat.reads(old, as_version=4).cells]
    assert code_cells(old.encode()) == expected


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_encodings(encoding, make_notebook):
    assert code_cells(make_notebook("x = 'é'").decode().encode(encoding)) == ["x = 'é'"]


def test_scripts_from_colab_and_vs_code():
    script = b"# -*- coding: utf-8 -*-\n# %%\n!pip install x\nget_ipython().system('ls')\n# %% [markdown]\n# # T\n"
    script += b"# %%\ndef knee(rows, seconds, slack):\n    return 1\n"
    assert "knee" in cut(script, LABS)["sources"]


def test_metadata_and_outputs_are_not_looked_at():
    cells = [
        {"cell_type": "code", "source": "def knee(r, s, l): return 1", "outputs": "cut off", "metadata": None},
        {"cell_type": "code"},
        None,
        7,
        {"cell_type": "raw", "source": "def attainable(): pass"},
        {"cell_type": "code", "source": {"not": "text"}},
        {"cell_type": "code", "source": [1, "x = 1"]},
    ]
    found = cut(json.dumps({"cells": cells}).encode(), LABS)
    assert list(found["sources"]) == ["knee"]


def from_elsewhere():
    cell = {
        "cell_type": "code",
        "source": ["#@title Knee\n", "def knee(r, s, l): #@param\n", "    return 1"],
        "outputs": [],
    }
    colab = {"metadata": {"id": "x1", "cellView": "form", "colab": {"base_uri": "u"}}, "execution_count": None}
    vs_code = {"metadata": {"vscode": {"languageId": "python"}}, "id": "3f", "execution_count": 2}
    running = {"metadata": {"tags": []}, "execution_count": "*", "outputs": [{"output_type": "stream"}]}
    kinds = {"Colab": colab, "VS Code": vs_code, "saved while it ran": running}
    return [pytest.param({"nbformat": 4, "cells": [{**cell, **kind}]}, id=name) for name, kind in kinds.items()]


@pytest.mark.parametrize("notebook", from_elsewhere())
def test_notebooks_from_elsewhere(notebook):
    assert "knee" in cut(json.dumps(notebook).encode(), LABS)["sources"]


EMPTY = [b"", b"  ", b"[]", b"null", b"{", b"{}", b'{"cells": 3}', b'{"cells": []}', "\ufeff".encode()]
BOMBS = [b"PK\x03\x04\0", b"[" * 10**5, b'{"cells":' * 10**5, b'{"a": ' + b"9" * 5000 + b"}"]


def test_fifty_megabytes_of_outputs_do_no_harm():
    output = {"output_type": "stream", "name": "stdout", "text": "x" * (50 << 20)}
    cell = {"cell_type": "code", "source": "def knee(r, s, l): return 1", "outputs": [output], "metadata": {}}
    assert "knee" in cut(json.dumps({"nbformat": 4, "cells": [cell]}).encode(), LABS)["sources"]


@pytest.mark.parametrize("content", EMPTY + BOMBS)
def test_what_is_no_notebook_says_why(content):
    found = cut(content, LABS)
    assert found["problem"].endswith((".", ")"))
    assert not found["sources"]


def test_the_lab_with_most_exercises_is_meant(make_notebook):
    notebook = make_notebook("def something_else(): pass", "def knee(r, s, l): pass", "def attainable(i, p, b): pass")
    assert cut(notebook, LABS)["lab"] == "00"
    assert cut(make_notebook("x = 1"), LABS)["lab"] is None


def test_plain_python_keeps_what_it_binds():
    assert as_python("def f(x):\n    return x %  \\\n  2") == "def f(x):\n    return x % 2"
    assert as_python("a, b = f()") == "a, b = f()"
    assert as_python("%%bash\nls -l") is None
