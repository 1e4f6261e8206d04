"""Where shipped files stand: beside the package in a source checkout, inside it in an installed wheel."""

from __future__ import annotations

import os
from pathlib import Path

_PACKAGE = Path(__file__).parents[1]


class ShippedFileError(Exception):
    """A shipped file is missing, damaged or without a card; the message says which and what to type."""


def root(kind: str = "data") -> Path:
    """The folder `kind` ("data", "notebooks", "slides") of the course.

    `LABKIT_DATA`, or the like for another kind, overrides it. Raises ShippedFileError where there is none.
    """
    variable = f"LABKIT_{kind.upper()}"
    override = os.environ.get(variable)
    places = [Path(override)] if override else [_PACKAGE.parent / kind, _PACKAGE / "_shipped" / kind]
    if not override and not (_PACKAGE.parent / "pyproject.toml").is_file():
        del places[0]  # an installed package: a folder of that name beside it belongs to somebody else
    for place in places:
        if place.is_dir():
            return place
    raise ShippedFileError(
        f"The course's folder {kind!r} is not at {places[-1]}: install the course again, or set {variable} to it."
    )
