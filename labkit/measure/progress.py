"""A progress bar where somebody watches, and nothing at all in a log, a test or a pipe."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any


def progress(items: Iterable[Any], description: str, total: int | None = None) -> Any:
    """`items` under a bar that vanishes when done. `TQDM_DISABLE=1` silences it everywhere, as tqdm documents."""
    from tqdm.auto import tqdm

    watched = "ipykernel" in sys.modules or sys.stderr.isatty()
    return tqdm(items, desc=description, total=total, leave=False, **({} if watched else {"disable": True}))
