"""Set-up: what it decides, and that a second run has nothing to do. (Every fresh clone in CI tries the real thing.)"""

import json
import subprocess
import sys

import pytest

from labkit.cli import environment


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A checkout with no packages anywhere, and a record of the commands that set-up runs."""
    for name in ("pyproject.toml", environment.LOCK):
        (tmp_path / name).write_text("pins", encoding="utf-8")
    ran: list[list[str]] = []

    def call(command, **options):
        ran.append(list(command))
        if "venv" in command:
            python = environment._python_of(tmp_path / ".venv")
            python.parent.mkdir(parents=True)
            python.symlink_to(sys.executable)
        return 0 if "import pip" not in command else int(not environment._python_of(tmp_path / ".venv").exists())

    monkeypatch.setattr(environment, "SOURCE", tmp_path)
    monkeypatch.setattr(environment, "_installed_elsewhere", lambda: False)
    monkeypatch.setattr(environment.subprocess, "call", call)
    monkeypatch.delenv("TORCH_BACKEND", raising=False)
    return tmp_path, ran


def _installs(ran):
    return [command for command in ran if "install" in command]


def test_first_run_makes_and_installs_second_run_does_nothing(checkout):
    _, ran = checkout
    environment.ensure()
    assert len(_installs(ran)) == 1
    assert environment.LOCK in _installs(ran)[0]
    ran.clear()
    environment.ensure()
    assert not _installs(ran)


def test_a_changed_lock_installs_again_and_keeps_the_extras(checkout):
    folder, ran = checkout
    environment.ensure(["dev"])
    (folder / environment.LOCK).write_text("other pins", encoding="utf-8")
    ran.clear()
    environment.ensure()
    assert ".[dev]" in _installs(ran)[0]


def test_an_extra_is_added_once(checkout):
    _, ran = checkout
    environment.ensure()
    environment.ensure(["grading"])
    assert len(_installs(ran)) == 2
    environment.ensure(["grading"])
    assert len(_installs(ran)) == 2


def test_an_interrupted_install_goes_on(checkout, monkeypatch):
    folder, _ = checkout
    whole = environment.subprocess.call
    monkeypatch.setattr(environment.subprocess, "call", lambda c, **o: 1 if "install" in c else whole(c, **o))
    with pytest.raises(RuntimeError, match="could not be installed"):
        environment.ensure()
    assert not (folder / ".venv" / environment.STAMP).exists()
    monkeypatch.setattr(environment.subprocess, "call", whole)
    environment.ensure()
    assert json.loads((folder / ".venv" / environment.STAMP).read_text())["extras"] == []


def test_a_damaged_stamp_is_no_stamp(checkout):
    folder, ran = checkout
    environment.ensure()
    (folder / ".venv" / environment.STAMP).write_text("{", encoding="utf-8")
    environment.ensure()
    assert len(_installs(ran)) == 2


def test_a_torch_backend_goes_to_uv(checkout):
    folder, _ = checkout
    command = environment.install_command(folder / "python", [], "cpu")
    assert command[1:5] == ["-m", "uv", "pip", "install"]
    assert command[command.index("--torch-backend") + 1] == "cpu"


def test_uv_knows_the_flag():
    text = subprocess.run([sys.executable, "-m", "uv", "pip", "install", "--help"], capture_output=True, text=True)
    assert "--torch-backend" in text.stdout


def test_an_environment_that_has_the_course_is_used_as_it_is(checkout, monkeypatch):
    _, ran = checkout
    monkeypatch.setattr(environment, "_installed_elsewhere", lambda: True)
    assert environment.ensure() == environment.Path(sys.executable)
    assert not ran


def test_old_python_gets_one_sentence():
    code = "import sys, runpy; sys.version_info = (3, 10, 1); runpy.run_module('labkit', run_name='__main__')"
    old = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert old.returncode == 1
    assert old.stderr.startswith("The course needs Python 3.11 or newer; this is Python 3.10.")
    assert "Traceback" not in old.stderr
