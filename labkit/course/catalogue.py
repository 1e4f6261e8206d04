"""Finds the labs: their check modules by number, their solved notebooks by file name."""

from __future__ import annotations

import dataclasses
import importlib
import os
import pkgutil
import re
from pathlib import Path

from labkit.course import labs
from labkit.course.exercise import Exercise, Prediction

_MODULE = re.compile(r"lab(\d\d)")
_ROOM = Path(__file__).resolve().parents[1]


@dataclasses.dataclass(frozen=True)
class LabChecks:
    """What the check module of one lab holds."""

    number: str
    title: str
    exercises: dict[str, Exercise]
    predictions: dict[str, Prediction]


def lab_number(given: str | int | None) -> str:
    """Two digits from "0", "00" or 0.

    >>> lab_number(3), lab_number("03")
    ('03', '03')
    """
    text = str(given).strip()
    if not text.isdecimal() or int(text) > 99:
        raise ValueError(f"A lab is named by its number, such as 00 or 12; {given!r} is none.")
    return f"{int(text):02d}"


def lab_numbers() -> list[str]:
    """The labs that have checks, in order."""
    names = (_MODULE.fullmatch(module.name) for module in pkgutil.iter_modules(labs.__path__))
    return sorted(match[1] for match in names if match)


def load_checks(given: str | int) -> LabChecks:
    """The exercises and predictions of one lab; its module is imported when first asked for."""
    number = lab_number(given)
    if number not in lab_numbers():
        raise ValueError(f"There is no lab {number}; there are {', '.join(lab_numbers()) or 'none yet'}.")
    module = importlib.import_module(f"{labs.__name__}.lab{number}")
    return LabChecks(
        number,
        module.TITLE,
        _by_name(number, "exercise", module.EXERCISES),
        _by_name(number, "prediction", module.PREDICTIONS),
    )


def notebooks_dir() -> Path:
    """The solved notebooks: `LABKIT_NOTEBOOKS` if set, the checkout's `notebooks/`, or those inside an installed
    wheel.
    """
    if chosen := os.environ.get("LABKIT_NOTEBOOKS"):
        return Path(chosen).expanduser().resolve()
    root = checkout()
    return root / "notebooks" if root else _ROOM / "_shipped" / "notebooks"


def checkout() -> Path | None:
    """The root of the source checkout this package runs from; None when it was installed as a wheel."""
    root = _ROOM.parent
    return root if (root / "pyproject.toml").is_file() and (root / "notebooks").is_dir() else None


def notebook_path(given: str | int) -> Path:
    """The solved notebook of one lab; `FileNotFoundError` says where it was looked for."""
    number = lab_number(given)
    found = sorted(notebooks_dir().glob(f"{number}_*.ipynb"))
    if not found:
        raise FileNotFoundError(f"There is no notebook of lab {number} in {notebooks_dir()}.")
    return found[0]


def _by_name(number: str, noun: str, items: tuple) -> dict:
    named = {item.name: item for item in items}
    if len(named) != len(items):
        raise ValueError(f"Lab {number} has two {noun}s of one name.")
    return named
