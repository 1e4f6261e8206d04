"""What LanceDB does with a disk that is full and with files that are damaged: one sentence, and nothing lost.

Measured with LanceDB 0.40: a data file that a full disk cuts short is committed all the same, without an error, and
from then on nothing can be read. So every change is read back, and taken back where that fails.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lancedb.table import Table


@contextmanager
def writing(table: Table | None = None) -> Iterator[None]:
    """A change of a `table`, undone if what it wrote cannot be read. Raises `OSError` where it could not be written."""
    before = table.version if table is not None else None
    try:
        yield
        if table is not None:
            _probe(table)
    except (OSError, RuntimeError) as error:
        if table is not None and table.version != before:
            table.checkout(before)
            table.restore()
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


def _probe(table: Table) -> None:
    """Opens every file that a search would: a scan meets the end of each, where a file cut short fails."""
    from lancedb.query import MatchQuery

    table.search().select(["digest"]).to_arrow()
    table.search(MatchQuery("a", "text"), query_type="fts").limit(1).to_list()


def _reason(error: Exception) -> str:
    """What happened, without the place in LanceDB's source where it was noticed.

    >>> _reason(RuntimeError("lance error: LanceError(IO): File too large (os error 27), /root/lance/writer.rs:191:9"))
    'lance error: LanceError(IO): File too large (os error 27)'
    """
    return str(error).strip().split("\n")[0].split(", /")[0][:200]
