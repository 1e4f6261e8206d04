"""The buttons under a card in a live JupyterLab: the next hint, and the solution behind a second press.

ipywidgets' own buttons, so Tab reaches them, Enter and Space press them, and a screen reader says their names. What
they open appears below them as static HTML.
"""

from __future__ import annotations

from collections.abc import Callable

import ipywidgets

from labkit.course.cards.card import Card


def controls(hints_opened: int, open_hint: Callable[[int], Card], open_solution: Callable[[], Card]) -> ipywidgets.VBox:
    """`open_hint(n)` records hint n as opened and gives its card; `open_solution()` likewise."""
    hint = ipywidgets.Button(layout=ipywidgets.Layout(width="auto"))
    solution = ipywidgets.Button(description="Solution", layout=ipywidgets.Layout(width="auto"))
    opened = ipywidgets.HTML()
    state = {"hint": hints_opened, "asked": False}

    def label_hint() -> None:
        more = state["hint"] < 3
        hint.description = f"Hint {state['hint'] + 1} of 3" if more else "Hints again"
        hint.tooltip = "Opens one more hint; it is noted in your progress"

    def on_hint(_: object) -> None:
        state["hint"] = min(state["hint"] + 1, 3)
        opened.value = open_hint(state["hint"]).html()
        label_hint()

    def on_solution(_: object) -> None:
        if not state["asked"]:
            state["asked"] = True
            solution.description = "Show the solution? It counts as seen"
            return
        opened.value = open_solution().html()

    hint.on_click(on_hint)
    solution.on_click(on_solution)
    label_hint()
    return ipywidgets.VBox([ipywidgets.HBox([hint, solution]), opened])
