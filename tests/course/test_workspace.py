"""The workspace: a learner's edit is never lost, a course update never merges into it."""

import json
import os
import stat

import nbformat
import pytest

from labkit.course import catalogue
from labkit.course.lab import Lab
from labkit.course.workspace import progress, reset, start, workspace

NAME = "99_sample.ipynb"


@pytest.fixture
def work(sample):
    """The workspace after `labkit start`."""
    (told,) = start()
    assert told.endswith(f"{NAME}: written.")
    return workspace()


def edit(path, text="# mine"):
    notebook = json.loads(path.read_text())
    notebook["cells"].append(nbformat.v4.new_code_cell(text, id="mine"))
    path.write_text(json.dumps(notebook))
    return path.read_bytes()


def change_course(folder, text="A new course."):
    path = folder / NAME
    notebook = nbformat.read(path, 4)
    notebook.cells.append(nbformat.v4.new_markdown_cell(text, id=f"new-{len(notebook.cells)}"))
    nbformat.write(notebook, path)


def notebooks(work):
    return sorted(path.name for path in work.glob("*.ipynb"))


def test_start_writes_the_learner_edition(work):
    text = (work / NAME).read_text()
    assert "raise NotImplementedError" in text
    assert "flops = 2" not in text
    nbformat.validate(nbformat.read(work / NAME, 4))


def test_start_again_changes_nothing(work):
    before = (work / NAME).stat().st_mtime_ns
    assert start() == [f"{work / NAME}: up to date."]
    assert (work / NAME).stat().st_mtime_ns == before


def test_a_changed_course_updates_what_the_learner_did_not_touch(work, sample):
    change_course(sample)
    assert "updated" in start()[0]
    assert "A new course." in (work / NAME).read_text()
    assert notebooks(work) == [NAME]


def test_an_edit_is_left_when_the_course_stays(work):
    mine = edit(work / NAME)
    assert "yours, left as it is" in start()[0]
    assert (work / NAME).read_bytes() == mine
    assert notebooks(work) == [NAME]


def test_an_edit_stays_and_the_changed_course_is_written_beside_once(work, sample):
    mine = edit(work / NAME)
    change_course(sample)
    told = start()[0]
    (beside,) = work.glob("99_sample.new-*.ipynb")
    assert beside.name in told
    assert (work / NAME).read_bytes() == mine
    assert "A new course." in beside.read_text()
    theirs = edit(beside)
    start()
    start()
    assert beside.read_bytes() == theirs
    change_course(sample, "A third one.")
    start()
    assert (work / NAME).read_bytes() == mine
    assert beside.read_bytes() == theirs
    assert len(notebooks(work)) == 3


def test_a_file_we_did_not_write_is_the_learners(sample):
    workspace().mkdir()
    (workspace() / NAME).write_text("my own notes")
    assert "yours is left" in start()[0]
    assert (workspace() / NAME).read_text() == "my own notes"


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"99_sample.ipynb": 3}', None])
def test_without_a_readable_manifest_every_edit_is_the_learners(work, sample, damage):
    manifest = work / ".labkit" / "manifest.json"
    manifest.unlink() if damage is None else manifest.write_text(damage)
    mine = edit(work / NAME)
    change_course(sample)
    start()
    assert (work / NAME).read_bytes() == mine


def test_a_deleted_notebook_is_written_again(work):
    (work / NAME).unlink()
    assert start()[0].endswith("written.")


def test_another_edition_replaces_only_what_is_untouched(work):
    start(["99"], edition="self-study")
    assert "<details>" in (work / NAME).read_text()
    mine = edit(work / NAME)
    start([99], edition="instructor")
    assert (work / NAME).read_bytes() == mine
    assert len(notebooks(work)) == 2


def test_reset_keeps_numbered_backups_and_the_locked_predictions(work):
    Lab(99).predict("speed-up", 2)
    first, second = edit(work / NAME, "first"), None
    told = reset("99")
    second = edit(work / NAME, "second")
    assert "99_sample.backup-1.ipynb" in told
    assert "99_sample.backup-2.ipynb" in reset(99)
    assert (work / "99_sample.backup-1.ipynb").read_bytes() == first
    assert (work / "99_sample.backup-2.ipynb").read_bytes() == second
    assert "mine" not in (work / NAME).read_text()
    assert "■ locked" in str(progress())


def test_reset_without_a_notebook_writes_one(sample):
    assert "written" in reset("99")
    assert notebooks(workspace()) == [NAME]


@pytest.mark.parametrize("number", ["98", "x", "", None, -1])
def test_a_lab_that_is_none_is_told_and_nothing_is_written(sample, number):
    with pytest.raises((ValueError, FileNotFoundError), match=r"There is no notebook of lab 98|named by its number"):
        start([number])
    with pytest.raises((ValueError, FileNotFoundError)):
        reset(number)
    assert not workspace().exists()


def test_an_unknown_edition_is_told(sample):
    with pytest.raises(ValueError, match="There is no edition"):
        start(edition="cheat")


def test_a_full_disk_leaves_the_old_file_whole(work, sample, monkeypatch):
    before = (work / NAME).read_bytes()
    change_course(sample)
    monkeypatch.setattr(os, "fsync", lambda handle: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space left"):
        start()
    assert (work / NAME).read_bytes() == before
    assert [p.name for p in work.iterdir() if p.name.startswith(f".{NAME}")] == []


def test_progress_reads_what_a_kernel_in_the_workspace_wrote(work, monkeypatch):
    monkeypatch.delenv("LABKIT_STATE")
    monkeypatch.chdir(work)
    Lab(99).predict("speed-up", 2)
    monkeypatch.chdir("/")
    assert (work / ".labkit" / "course.sqlite3").is_file()
    assert "■ locked" in str(progress())


def test_progress_lists_every_lab(sample):
    for number in catalogue.lab_numbers():
        assert f"\n{number}  " in str(progress())


def test_where_the_workspace_is(tmp_path, monkeypatch):
    monkeypatch.setenv("LABKIT_WORK", str(tmp_path / "mine"))
    assert workspace() == tmp_path / "mine"
    assert workspace(tmp_path / "named") == tmp_path / "named"
    monkeypatch.delenv("LABKIT_WORK")
    assert workspace() == catalogue.checkout() / "work"


def test_a_read_only_installation_puts_the_workspace_into_the_home(tmp_path, monkeypatch):
    monkeypatch.delenv("LABKIT_WORK")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setattr(os, "access", lambda path, mode: not (mode & os.W_OK))
    assert workspace() == tmp_path / "labkit-work"


def test_an_installed_wheel_has_its_notebooks_inside(tmp_path, monkeypatch):
    for name in ("LABKIT_WORK", "LABKIT_NOTEBOOKS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(catalogue, "_ROOM", tmp_path / "site-packages" / "labkit")
    assert catalogue.checkout() is None
    assert catalogue.notebooks_dir() == tmp_path / "site-packages" / "labkit" / "_shipped" / "notebooks"
    assert workspace() == tmp_path / "labkit-work"


@pytest.mark.skipif(os.name != "posix", reason="blocked: no file modes on this system")
def test_what_is_written_can_be_read_by_the_user_group(work):
    assert stat.S_IMODE((work / NAME).stat().st_mode) == 0o644
