"""In a real kernel: a solved notebook says the same twice, buttons come where a person is, accidents end well."""

import time

import nbformat
import pytest
from nbclient import NotebookClient

from labkit.course.catalogue import notebook_path
from labkit.course.workspace import start, workspace

pytestmark = pytest.mark.slow

WIDGET = "application/vnd.jupyter.widget-view+json"
STUB = "@lab.check\ndef arithmetic_intensity(m, n, k, b):\n    "


def executed(path, state, monkeypatch):
    monkeypatch.setenv("LABKIT_STATE", str(state))
    notebook = nbformat.read(path, 4)
    NotebookClient(
        notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(path.parent)}}
    ).execute()
    return [cell.get("outputs") for cell in notebook.cells]


@pytest.fixture
def kernels_know_the_sample(kernel):
    """nbclient starts kernels of its own; they read the same startup folder."""


def test_the_solved_notebook_gives_the_same_static_outputs_twice(kernels_know_the_sample, tmp_path, monkeypatch):
    runs = [executed(notebook_path(99), tmp_path / name, monkeypatch) for name in ("one", "two")]
    assert runs[0] == runs[1]
    outputs = [output for cell in runs[0] if cell for output in cell]
    assert len(outputs) == 6
    for output in outputs:
        assert set(output.data) == {"text/html", "text/plain"}
    passed = [o for o in outputs if "✓ Passed" in o.data["text/plain"]]
    assert len(passed) == 2


def test_the_learner_edition_runs_through(kernels_know_the_sample, tmp_path, monkeypatch):
    start()
    outputs = executed(workspace() / "99_sample.ipynb", tmp_path / "learner", monkeypatch)
    text = str(outputs)
    assert text.count("○ Not started: `") == 2
    assert "Put your number in place of the dots" in text
    assert WIDGET not in text


def test_buttons_only_where_a_person_runs_the_cell(kernel):
    cell = STUB + "raise NotImplementedError"
    assert [set(o["data"]) for o in kernel(cell)] == [{"text/plain", "text/html"}]
    live = kernel(cell, cellId="abc")
    assert set(live[0]["data"]) == {"text/plain", "text/html"}
    assert WIDGET in live[1]["data"]
    assert len(live) == 2
    kernel("import os; os.environ['LABKIT_STATIC'] = '1'")
    assert len(kernel(cell, cellId="abc")) == 1
    kernel("del os.environ['LABKIT_STATIC']")
    assert len(kernel(STUB + "return 2 * m * n * k / (m * k + k * n + m * n) / b", cellId="abc")) == 1


ACCIDENTS = {
    "while True: pass": "was stopped",
    "\n    while True:\n        try:\n            while True: pass\n        except: pass": "was stopped",
    "\n    while True: print('x' * 10_000)": "was stopped",
    "import sys; sys.exit(1)": "leave Python",
    "return arithmetic_intensity(m, n, k, b)": "calls itself without end",
    "return None": "is a `return` missing?",
    "pass": "is a `return` missing?",
    "1 / 0": "It raised ZeroDivisionError: division by zero at `1 / 0`",
    "return 'much'": "a string where a float",
    "return lambda: 1": "builtins.function",
    "return b'x' * 10**8": "more than 64 MiB",
    "from IPython.display import display\n    for _ in range(10_000): display('x')": "is a `return` missing?",
    "import os; os.chdir('/no/such/folder')": "FileNotFoundError",
    "raise KeyboardInterrupt": "You interrupted the check",
}


def test_after_every_accident_there_is_one_short_card_and_a_usable_kernel(kernel):
    for number, (body, told) in enumerate(ACCIDENTS.items()):
        started = time.monotonic()
        outputs = kernel(STUB + body)
        assert time.monotonic() - started < 10, body
        assert [set(output) & {"data", "ename"} for output in outputs] == [{"data"}], body
        assert told in outputs[0]["data"]["text/plain"], body
        assert len(str(outputs)) < 8000, body
        assert kernel(f"{number} + 1")[0]["data"]["text/plain"] == str(number + 1)
    assert "'hello" in str(kernel("print('hello')"))


def test_a_function_may_call_itself(kernel):
    body = "if m > 1: return arithmetic_intensity(1, n, k, b)\n    return 2 * m * n * k / (m * k + k * n + m * n) / b"
    assert "3 of 5 cases" in kernel(STUB + body)[0]["data"]["text/plain"]


def test_a_line_of_the_learners_own_cell_is_named(kernel):
    told = kernel(STUB + "x = [1]\n    return x[m]")[0]["data"]["text/plain"]
    assert "IndexError: list index out of range at `return x[m]`" in told
