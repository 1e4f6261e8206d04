"""What stands in for an exercise that is not written yet, so that a cell below which needs it says so in one line."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NoReturn


class NotWrittenError(NotImplementedError):
    """A cell needs an exercise above it. Jupyter shows the sentence alone, without a traceback."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


def unwritten(function: Callable[..., Any]) -> Callable[..., NoReturn]:
    """A function of the same name that raises `NotWrittenError` when called."""

    @functools.wraps(function)
    def stand_in(*_: Any, **__: Any) -> NoReturn:
        raise NotWrittenError(
            f"This cell needs your `{function.__name__}`: write the exercise above, then run it again."
        )

    return stand_in
