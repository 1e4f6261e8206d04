"""Keeps what a learner's function prints, up to a bound: fifty megabytes of prints become two thousand characters."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Iterator

KEPT_CHARACTERS = 2000


class Printed(io.TextIOBase):
    """A text stream that keeps the first characters and counts the rest."""

    def __init__(self) -> None:
        self._kept = io.StringIO()
        self.length = 0

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        room = KEPT_CHARACTERS - self.length
        if room > 0:
            self._kept.write(text[:room])
        self.length += len(text)
        return len(text)

    def text(self) -> str:
        """What was kept, and one line saying how much was printed when that is not all."""
        rest = f"\n... ({self.length:,} characters were printed)" if self.length > KEPT_CHARACTERS else ""
        return self._kept.getvalue() + rest


@contextlib.contextmanager
def captured() -> Iterator[Printed]:
    """Standard output goes to the yielded `Printed`; warnings and rich displays of the function are dropped."""
    printed = Printed()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(Printed()), _displays_dropped():
        yield printed


@contextlib.contextmanager
def _displays_dropped() -> Iterator[None]:
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    publisher = getattr(shell, "display_pub", None)
    if not hasattr(publisher, "register_hook"):  # only a kernel's publisher has hooks
        yield
        return

    def drop(message: dict) -> None:
        return None

    publisher.register_hook(drop)
    try:
        yield
    finally:
        publisher.unregister_hook(drop)
