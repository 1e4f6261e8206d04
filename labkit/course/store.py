"""What a learner has done, kept in one SQLite file: predictions, attempts, hints, ledger.

Where it lives: the folder `LABKIT_STATE`; otherwise `.labkit/` of the workspace that the kernel was started in;
otherwise the user's data folder. A rollback journal (not WAL) because homes may be on a network; a connection an
operation, so that a killed kernel leaves no lock behind and two kernels take turns.

Nothing a disk does stops a lesson. A damaged file is moved aside and told; where nothing can be written, the session
goes on in memory and says so. `notices` holds those sentences until a card shows them.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

FILE_NAME = "course.sqlite3"
WORKSPACE_MARK = ".labkit"
BUSY_SECONDS = 5.0

_SCHEMA = """
CREATE TABLE IF NOT EXISTS exercise (
    lab TEXT NOT NULL, name TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, passed_at REAL,
    hints INTEGER NOT NULL DEFAULT 0, solution_at REAL, PRIMARY KEY (lab, name));
CREATE TABLE IF NOT EXISTS prediction (
    lab TEXT NOT NULL, name TEXT NOT NULL, value REAL NOT NULL, at REAL NOT NULL, measured REAL,
    PRIMARY KEY (lab, name));
CREATE TABLE IF NOT EXISTS ledger (
    lab TEXT NOT NULL, technique TEXT NOT NULL, bytes REAL, ms REAL, quality REAL, joules REAL, note TEXT NOT NULL,
    at REAL NOT NULL, PRIMARY KEY (lab, technique));
"""
_TABLES = ("exercise", "prediction", "ledger")
_DAMAGED = ("not a database", "malformed")

T = TypeVar("T")


def state_folder(start: Path | None = None) -> Path:
    """Where the state of a kernel started in `start` (the current folder) lives."""
    if chosen := os.environ.get("LABKIT_STATE"):
        return Path(chosen).expanduser()
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / WORKSPACE_MARK).is_dir():
            return folder / WORKSPACE_MARK
    import platformdirs

    return Path(platformdirs.user_data_dir("labkit", appauthor=False))


class Store:
    """The tables `exercise`, `prediction` and `ledger` of one learner."""

    def __init__(self, folder: Path | None = None) -> None:
        self.path = (folder or state_folder()) / FILE_NAME
        self._notices: list[str] = []
        self._memory: sqlite3.Connection | None = None

    def read(self, query: str, values: Sequence = ()) -> list[tuple]:
        """The rows of a query."""
        return self._run(lambda connection: connection.execute(query, values).fetchall())

    def write(self, statement: str, values: Sequence = ()) -> int:
        """How many rows one statement wrote; all of it is on the disk afterwards, or nothing."""
        return self._run(lambda connection: connection.execute(statement, values).rowcount)

    def take_notices(self) -> list[str]:
        """What has happened to the file and was not told yet."""
        notices, self._notices = self._notices, []
        return notices

    def _run(self, action: Callable[[sqlite3.Connection], T]) -> T:
        for _ in range(3):
            if self._memory is not None:
                break
            try:
                with _opened(self.path) as connection:
                    return action(connection)
            except sqlite3.DatabaseError as error:
                if any(sign in str(error) for sign in _DAMAGED):
                    self._set_aside()
                else:
                    self._go_on_in_memory(str(error))
            except OSError as error:
                self._go_on_in_memory(error.strerror or str(error))
        else:
            self._go_on_in_memory("the file stays damaged")
        with self._memory:
            return action(self._memory)

    def _set_aside(self) -> None:
        """Move the damaged file to the next free name; another kernel may have done so already."""
        try:
            with _only_one(self.path):
                if _is_damaged(self.path):
                    moved = _move_aside(self.path)
                    self._notices.append(
                        f"Your progress file was damaged; it is kept as {moved} and a new one is started."
                    )
        except OSError as error:
            self._go_on_in_memory(error.strerror or str(error))

    def _go_on_in_memory(self, reason: str) -> None:
        self._memory = sqlite3.connect(":memory:", check_same_thread=False)
        self._memory.executescript(_SCHEMA)
        with contextlib.suppress(sqlite3.Error), contextlib.closing(_read_only(self.path)) as source:
            _copy(source, self._memory)
        self._notices.append(
            f"Your progress cannot be written to {self.path} ({reason}); this session goes on in memory and is lost"
            " when the kernel stops."
        )


@contextlib.contextmanager
def _opened(path: Path):
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.closing(sqlite3.connect(path, timeout=BUSY_SECONDS)) as connection:
        if not _has_tables(connection):
            connection.executescript(_SCHEMA)
        with connection:
            yield connection


def _has_tables(connection: sqlite3.Connection) -> bool:
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    return set(_TABLES) <= tables


def _read_only(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=BUSY_SECONDS)


def _copy(source: sqlite3.Connection, target: sqlite3.Connection) -> None:
    """Row by row, because `Connection.backup` waits without end for a file that stays locked."""
    for table in _TABLES:
        rows = source.execute(f"SELECT * FROM {table}").fetchall()
        if rows:
            target.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(rows[0]))})", rows)
    target.commit()


def _is_damaged(path: Path) -> bool:
    try:
        with _opened(path) as connection:
            for table in _TABLES:
                connection.execute(f"SELECT count(*), max(lab) FROM {table}").fetchall()
            return connection.execute("PRAGMA quick_check").fetchone() != ("ok",)
    except sqlite3.DatabaseError as error:
        return any(sign in str(error) for sign in _DAMAGED)


def _move_aside(path: Path) -> Path:
    number = 1
    while (target := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    path.rename(target)
    journal = path.with_name(f"{path.name}-journal")
    if journal.exists():  # it belongs to the damaged file; beside a new one it would be rolled back into it
        journal.rename(target.with_name(f"{target.name}-journal"))
    return target


@contextlib.contextmanager
def _only_one(path: Path):
    """One kernel at a time moves the file; a lock left by a killed one is taken over after ten seconds."""
    lock = path.with_name(f"{path.name}.moving")
    deadline = time.monotonic() + 10
    while True:
        try:
            os.close(os.open(lock, os.O_CREAT | os.O_EXCL))
            break
        except FileExistsError:
            if time.monotonic() > deadline:
                lock.unlink(missing_ok=True)
            time.sleep(0.05)
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)
