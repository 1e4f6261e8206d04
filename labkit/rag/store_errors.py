"""What LanceDB says of a disk that is full and of files that are damaged, in one sentence that names the remedy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def writing() -> Iterator[None]:
    """Raises `OSError` where the store cannot be written."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        raise OSError(
            f"The store could not be written ({_reason(error)}). Make room and ingest again: whole documents are "
            "stored, and the rest will follow."
        ) from error


@contextmanager
def reading(place: object) -> Iterator[None]:
    """Raises `OSError` where the store in `place` cannot be read."""
    try:
        yield
    except (OSError, RuntimeError, ValueError) as error:  # a table without a version is a ValueError to LanceDB
        raise OSError(
            f"The store {place} is damaged ({_reason(error)}). Delete it and ingest again: it holds nothing that your "
            "documents do not."
        ) from error


def _reason(error: Exception) -> str:
    """What happened, without the place in LanceDB's source where it was noticed.

    >>> _reason(RuntimeError("lance error: LanceError(IO): File too large (os error 27), /root/lance/writer.rs:191:9"))
    'lance error: LanceError(IO): File too large (os error 27)'
    """
    return str(error).strip().split("\n")[0].split(", /")[0][:200]
