"""Puts a card where the learner is: a notebook, a terminal, a page made by nbconvert.

The static card is always emitted, alone in its output, so that a notebook opened later without a kernel still reads
well. Buttons come as a second output, and only where somebody can press them: a JupyterLab (or VS Code) whose user
runs the cell. Runs by nbclient, nbval and nbconvert send no cell id with their request; that is how they are told
apart. `LABKIT_STATIC=1` turns buttons off everywhere.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from labkit.course.cards.card import Card

# A saved notebook keeps the output of a widget but not its model, and JupyterLab writes "model not found" in its place.
# The card above has said everything by then, so that message (a widget output without children) is hidden.
_HIDE_STALE = (
    "<style>.jp-OutputArea-child:has(.labkit-card) + .jp-OutputArea-child"
    " .jp-OutputArea-output.jupyter-widgets:not(:has(*)) {display: none}</style>"
)


def show(card: Card, below: Any = None) -> None:
    """Display in IPython, print elsewhere. `below` is a widget for a live front end; see `is_live`."""
    if _shell() is None:
        print(card.text())
        return
    from IPython.display import display

    if below is None:
        display(card)
        return
    display({"text/plain": card.text(), "text/html": card.html() + _HIDE_STALE}, raw=True)
    display(below)


def is_live() -> bool:
    """Is a person at a front end that can show widgets?"""
    if os.environ.get("LABKIT_STATIC", "0") not in ("", "0"):
        return False
    kernel = getattr(_shell(), "kernel", None)
    parent = kernel.get_parent() if kernel is not None and hasattr(kernel, "get_parent") else {}
    return "cellId" in (parent.get("metadata") or {})


def _shell() -> Any:
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython is not None else None
