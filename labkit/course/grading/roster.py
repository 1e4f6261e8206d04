"""The list of a class, as Canvas, Moodle or nbgrader export it or as typed by hand, and who of it handed in what."""

from __future__ import annotations

import csv
import dataclasses
import unicodedata
from collections.abc import Iterable
from pathlib import Path

from labkit.course.grading.identity import Owner

_IDENTIFIERS = ("id", "student_id", "identifier", "sis user id", "sis login id", "login", "username", "email address",
                "email", "id number")  # fmt: skip
_NAMES = ("student", "full name", "name")


@dataclasses.dataclass(frozen=True)
class Student:
    """`row` keeps the roster's own columns, so that an export can carry them back."""

    identifier: str
    name: str
    row: dict[str, str] = dataclasses.field(default_factory=dict)

    def get(self, *columns: str) -> str:
        """The first of the columns that the roster has, in any case of letters; "" when it has none."""
        lowered = {key.strip().lower(): value for key, value in self.row.items()}
        return next((lowered[column.lower()] for column in columns if lowered.get(column.lower())), "")


def read_roster(path: Path) -> list[Student]:
    """`ValueError` when no column names or identifies anybody."""
    text = path.read_text(encoding="utf-8-sig")
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    students = [student for row in csv.DictReader(text.splitlines(), delimiter=delimiter) if (student := _student(row))]
    if not students:
        wanted = ", ".join((*_IDENTIFIERS[:3], *_NAMES))
        raise ValueError(f"{path} names no student; it needs a first line with columns such as {wanted}.")
    return students


def match(owners: Iterable[Owner], roster: list[Student]) -> dict[Owner, Student]:
    """The student of each owner; one who is not on the roster is a student of their own."""
    known: dict[str, Student] = {}
    for student in roster:
        for text in _texts(student):
            known.setdefault(text, student)
    found = {}
    for owner in owners:
        ways = (_plain(owner.identifier), _plain(owner.name), _squeezed(owner.name))
        found[owner] = next((known[way] for way in ways if way in known), Student(owner.identifier, owner.name))
    return found


def _student(row: dict) -> Student | None:
    cells = {key.strip(): (value or "").strip() for key, value in row.items() if key and not isinstance(value, list)}
    probe = Student("", "", cells)
    name = probe.get(*_NAMES) or " ".join(filter(None, (probe.get("first_name", "first name"),
                                                        probe.get("last_name", "last name", "surname"))))  # fmt: skip
    identifier = probe.get(*_IDENTIFIERS) or name
    if not identifier or name.startswith("    Points Possible") or name.strip() == "Points Possible":
        return None
    return Student(identifier, name or identifier, cells)


def _texts(student: Student) -> list[str]:
    """What an owner may be known by: identifiers, Moodle's participant number, the name in either order."""
    found = [student.get(column) for column in _IDENTIFIERS]
    found += [text.rpartition(" ")[2] for text in found if text.lower().startswith(("participant ", "teilnehmer"))]
    found += [text.partition("@")[0] for text in found if "@" in text]
    last, comma, first = student.name.partition(",")
    names = [student.name, f"{first.strip()} {last.strip()}"] if comma else [student.name]
    turned = [" ".join(reversed(name.split())) for name in names]
    return [_plain(t) for t in (*found, *names) if t] + [_squeezed(name) for name in (*names, *turned) if name]


def _plain(text: str) -> str:
    return unicodedata.normalize("NFC", text).strip().casefold()


def _squeezed(name: str) -> str:
    """As Canvas writes names in files: letters only, lower case, run together."""
    return "name:" + "".join(c for c in _plain(name) if c.isalnum())
