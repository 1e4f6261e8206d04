"""The progress file survives what happens to files: kills, two kernels, a full disk, damage, no permission."""

import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time

import pytest

from labkit.course.records import Records
from labkit.course.store import FILE_NAME, Store, state_folder


def run_python(code, *arguments, **more):
    return subprocess.Popen([sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)], text=True, **more)


WRITER = """
    import sys, pathlib
    from labkit.course.records import Records
    from labkit.course.store import Store
    records = Records(Store(pathlib.Path(sys.argv[1])), "00")
    number = 0
    while True:
        records.lock(f"p{number}", number + 1.0)
        records.attempt("f", passed=False)
        print(number, flush=True)
        number += 1
"""


def test_what_was_written_is_there_for_the_next_kernel(own_state):
    records = Records(Store(), "00")
    records.attempt("f", passed=False)
    records.attempt("f", passed=True)
    records.attempt("f", passed=False)
    records.open_hint("f", 2)
    records.open_hint("f", 1)
    records.see_solution("f")
    again = Records(Store(), "00").exercise("f")
    assert (again.attempts, again.passed, again.hints, again.solution_seen) == (3, True, 2, True)
    assert Records(Store(), "01").exercise("f").attempts == 0
    assert (own_state / FILE_NAME).is_file()


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="blocked: no SIGKILL on this system")
@pytest.mark.parametrize("after", [0, 3, 11])
def test_a_kernel_killed_while_writing_loses_nothing_it_had_said(tmp_path, after):
    writer = run_python(WRITER, tmp_path, stdout=subprocess.PIPE)
    said = -1
    for line in writer.stdout:
        said = int(line)
        if said >= after:
            break
    time.sleep(0.001 * after)
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    store = Store(tmp_path)
    stored = store.read("SELECT count(*) FROM prediction")[0][0]
    assert stored >= said + 1
    assert store.read("SELECT attempts FROM exercise")[0][0] >= said + 1
    assert Records(store, "00").lock("another", 1.0)
    assert store.read("PRAGMA integrity_check") == [("ok",)]
    assert store.take_notices() == []


def test_two_kernels_at_once_lose_no_attempt_and_keep_one_first_prediction(tmp_path):
    code = """
        import sys, pathlib
        from labkit.course.records import Records
        from labkit.course.store import Store
        store = Store(pathlib.Path(sys.argv[1]))
        records = Records(store, "00")
        won = [name for name in range(40) if records.lock(str(name), float(sys.argv[2]))]
        for _ in range(40):
            records.attempt("f", passed=False)
        assert store.take_notices() == []
        print(len(won))
    """
    kernels = [run_python(code, tmp_path, number, stdout=subprocess.PIPE) for number in (1, 2, 3)]
    won = [int(kernel.communicate(timeout=60)[0]) for kernel in kernels]
    store = Store(tmp_path)
    assert sum(won) == 40
    assert store.read("SELECT value, count(*) FROM prediction GROUP BY value ORDER BY value") == [
        (float(number), count) for number, count in zip((1, 2, 3), won, strict=True) if count
    ]
    assert store.read("SELECT attempts FROM exercise") == [(120,)]


def test_a_full_disk_is_told_once_and_the_session_goes_on(tmp_path):
    pytest.importorskip("resource", reason="blocked: this system cannot limit the size of files")
    code = """
        import resource, sys, pathlib
        from labkit.course.records import Records
        from labkit.course.store import Store
        store = Store(pathlib.Path(sys.argv[1]))
        records = Records(store, "00")
        records.lock("before", 1.0)
        resource.setrlimit(resource.RLIMIT_FSIZE, (store.path.stat().st_size, resource.RLIM_INFINITY))
        for number in range(2000):
            assert records.lock(f"{number} " + "x" * 200, 2.0)
        notices = store.take_notices()
        assert len(notices) == 1, notices
        assert "goes on in memory" in notices[0]
        assert records.prediction("before").value == 1.0
        assert records.prediction("1999 " + "x" * 200).value == 2.0
    """
    assert run_python(code, tmp_path).wait(60) == 0
    assert Records(Store(tmp_path), "00").prediction("before").value == 1.0


@pytest.mark.parametrize("damage", ["text", "middle", "cut", "header"])
def test_a_damaged_file_is_moved_aside_and_told(tmp_path, damage):
    store = Store(tmp_path)
    for number in range(300):
        Records(store, "00").lock("p" * 50 + str(number), 1.0)
    content = bytearray(store.path.read_bytes())
    if damage == "text":
        content = bytearray(b"<html>not found</html>" * 100)
    elif damage == "middle":
        content[4096:-4096] = os.urandom(len(content) - 8192)
    elif damage == "cut":
        content = content[: len(content) // 2]
    else:
        content[:16] = bytes(16)
    store.path.write_bytes(content)
    again = Store(tmp_path)
    assert Records(again, "00").lock("new", 3.0)
    assert Records(again, "00").calibration().count == 0
    for row in range(300):
        Records(again, "00").prediction("p" * 50 + str(row))
    assert Records(again, "00").prediction("new").value == 3.0
    aside = tmp_path / f"{FILE_NAME}.damaged-1"
    assert aside.read_bytes() == bytes(content) or damage in ("middle", "cut")
    assert str(aside) in again.take_notices()[0]
    assert Records(Store(tmp_path), "00").prediction("new").value == 3.0
    store.path.write_bytes(b"once more" * 1000)
    assert Records(Store(tmp_path), "00").lock("p", 1.0)
    assert (tmp_path / f"{FILE_NAME}.damaged-2").exists()


def test_two_kernels_that_find_the_damage_keep_one_new_file(tmp_path):
    (tmp_path / FILE_NAME).write_bytes(b"damage" * 1000)
    code = """
        import sys, pathlib
        from labkit.course.records import Records
        from labkit.course.store import Store
        Records(Store(pathlib.Path(sys.argv[1])), "00").lock(sys.argv[2], 1.0)
    """
    for kernel in [run_python(code, tmp_path, number) for number in range(4)]:
        assert kernel.wait(60) == 0
    assert Store(tmp_path).read("SELECT count(*) FROM prediction") == [(4,)]
    assert len(list(tmp_path.glob("*.damaged-*"))) == 1


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    store = Store(tmp_path / "file" / "state")
    assert Records(store, "00").lock("p", 1.0)
    assert Records(store, "00").prediction("p").value == 1.0
    assert "Not a directory" in store.take_notices()[0]
    assert store.take_notices() == []


def test_a_file_that_cannot_be_written_keeps_its_rows_readable(tmp_path, monkeypatch):
    """A write-protected home, even for a user whom permissions do not stop: SQLite is asked to open it read-only."""
    Records(Store(tmp_path), "00").lock("before", 1.0)
    connect = sqlite3.connect

    def read_only(path, **more):
        if str(path).startswith(("file:", ":memory:")):
            return connect(path, **more)
        return connect(f"{path.as_uri()}?mode=ro", uri=True, **more)

    monkeypatch.setattr(sqlite3, "connect", read_only)
    store = Store(tmp_path)
    records = Records(store, "00")
    assert not records.lock("before", 2.0)
    assert records.lock("after", 2.0)
    assert records.prediction("before").value == 1.0
    assert "readonly" in store.take_notices()[0]


def test_a_file_that_stays_locked_does_not_hang_the_lesson(tmp_path, monkeypatch):
    monkeypatch.setattr("labkit.course.store.BUSY_SECONDS", 0.1)
    store = Store(tmp_path)
    Records(store, "00").lock("p", 1.0)
    other = sqlite3.connect(store.path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    assert Records(store, "00").lock("q", 1.0)
    assert "locked" in store.take_notices()[0]
    other.close()


def test_a_rollback_journal_is_used():
    assert Store().read("PRAGMA journal_mode") == [("delete",)]


def test_where_the_state_lives(tmp_path, monkeypatch):
    monkeypatch.setenv("LABKIT_STATE", str(tmp_path / "chosen"))
    assert state_folder() == tmp_path / "chosen"
    monkeypatch.delenv("LABKIT_STATE")
    workspace = tmp_path / "work"
    (workspace / ".labkit").mkdir(parents=True)
    (workspace / "deep" / "er").mkdir(parents=True)
    assert state_folder(workspace / "deep" / "er") == (workspace / ".labkit").resolve()
    assert "labkit" in state_folder(tmp_path / "elsewhere").parts
