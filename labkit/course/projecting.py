"""A lab's figure on the wall of a room: the same drawing with twice the dots, so that it stays sharp when enlarged."""

from __future__ import annotations

import base64
import html

from labkit.measure.figure import Figure

DPI = 200  # a figure of 7 x 3.6 inches fills a slide of 1,280 x 720


class Projected:
    """A finished figure as a deck shows it, alt text and all."""

    def __init__(self, figure: Figure) -> None:
        self.figure = figure

    def _repr_html_(self) -> str:
        data = base64.b64encode(self.figure.png(DPI)).decode()
        return f'<img alt="{html.escape(self.figure.alt, quote=True)}" src="data:image/png;base64,{data}">'

    def __repr__(self) -> str:
        return repr(self.figure)


def projected(figure: Figure) -> Projected:
    """The figure for a slide.

    >>> from labkit.measure.figure import plot
    >>> with plot() as (fig, ax):
    ...     _ = ax.plot([1, 2], [1, 4])
    ...     _ = ax.set(title="Work grows with the square", xlabel="size (elements)", ylabel="time (ms)")
    >>> projected(Figure(fig, alt="Time against size, growing with its square."))
    Figure: Time against size, growing with its square.
    """
    return Projected(figure)
