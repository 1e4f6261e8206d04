"""`labkit new-lab`: the skeleton passes the tests that every lab and every deck of the course must pass."""

import importlib.util
from pathlib import Path

import pytest

from labkit.cli.new_lab import write

TESTS = Path(__file__).parents[1]


def _module(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def skeleton(tmp_path, monkeypatch):
    """A new lab 97 in a root of its own, which the course finds."""
    from labkit.course import labs

    root = tmp_path / "course"
    write(root, "97", "fewer_steps")
    monkeypatch.setattr(labs, "__path__", [*labs.__path__, str(root / "labkit" / "course" / "labs")])
    monkeypatch.setenv("LABKIT_NOTEBOOKS", str(root / "notebooks"))
    monkeypatch.setenv("LABKIT_STATE", str(tmp_path / "state"))
    return root


def test_its_checks_are_proved_and_its_learner_edition_leaks_nothing(skeleton):
    from labkit.course.catalogue import load_checks, notebook_path
    from labkit.course.editions.leaks import leaks
    from labkit.course.editions.learner import learner_edition
    from labkit.course.notebook import read_notebook
    from labkit.course.proof import faults

    given = _module(skeleton / "tests" / "course" / "answers" / "lab97.py")
    solved = read_notebook(notebook_path(97))
    assert faults(load_checks(97), solved, given.ANSWERS, given.MUTANTS) == []
    assert leaks(solved, learner_edition(solved)) == []


def _executed(path, root):
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    labs = root / "labkit" / "course" / "labs"
    hidden = nbformat.v4.new_code_cell(f"from labkit.course import labs; labs.__path__.append({str(labs)!r})")
    notebook.cells.insert(0, hidden)
    NotebookClient(notebook, timeout=60, store_widget_state=False).execute()
    del notebook.cells[0]
    nbformat.write(notebook, path)
    return path


def _pass_all(module, argument, path):
    for name, test in vars(module).items():
        if name.startswith("test_") and argument in test.__code__.co_varnames[: test.__code__.co_argcount]:
            test(path)


@pytest.mark.slow
def test_executed_it_passes_what_every_lab_must_pass(skeleton):
    path = _executed(skeleton / "notebooks" / "97_fewer_steps.ipynb", skeleton)
    _pass_all(_module(TESTS / "labs" / "test_notebooks.py"), "lab", path)


@pytest.mark.slow
def test_executed_its_deck_passes_what_every_deck_must_pass(skeleton):
    path = _executed(skeleton / "slides" / "97_fewer_steps.ipynb", skeleton)
    _pass_all(_module(TESTS / "labs" / "test_decks.py"), "deck", path)


def test_a_lab_that_is_there_is_left_alone(skeleton):
    with pytest.raises(FileExistsError, match="a lab 97 already"):
        write(skeleton, "97", "another_topic")
    assert not (skeleton / "notebooks" / "97_another_topic.ipynb").exists()


@pytest.mark.parametrize("topic", ["Fewer steps", "../steps", "", "2_steps"])
def test_a_topic_that_is_no_name_is_refused(tmp_path, topic):
    with pytest.raises(ValueError, match="lower-case words"):
        write(tmp_path, "97", topic)
