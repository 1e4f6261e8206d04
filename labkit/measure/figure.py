"""Figures that a reader can use without seeing them, in a dark room, or on a grey printer.

A `Figure` refuses to exist without alt text, a title that states something, and a unit on each axis. Series are told
apart by marker and line style as well as by colour (the palette of Okabe and Ito, which colour-blind readers can tell
apart), on an opaque white ground that reads in both themes.
"""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle, islice

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure as _MplFigure

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
LINES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)))

STYLE = {
    "figure.dpi": 100,
    "figure.facecolor": "white",
    "axes.facecolor": "white",
    "axes.grid": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "axes.prop_cycle": mpl.cycler(color=PALETTE),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "font.size": 9.5,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "lines.markersize": 5,
    "svg.fonttype": "none",
}


def series_styles(count: int) -> list[dict]:
    """`count` keyword sets for `Axes.plot`, no two alike in colour, marker or line for the first seven."""
    styles = ({"color": c, "marker": m, "linestyle": s} for c, m, s in zip(PALETTE, MARKERS, LINES, strict=True))
    return list(islice(cycle(list(styles)), count))


class Figure:
    """A finished figure: shows itself in a notebook with its alt text, saves itself as PNG.

    Raises `ValueError` if the alt text, the title or the unit of an axis is missing. A unit stands in brackets at the
    end of a label, "bandwidth (GB/s)"; a count or a ratio says so: "share of peak (ratio)", "layer (index)".
    """

    def __init__(self, figure: _MplFigure, alt: str) -> None:
        if len(alt.split()) < 4:
            raise ValueError(f"Alt text must tell what the figure shows, in a sentence; got {alt!r}.")
        for axes in figure.axes:
            if axes.get_label() == "<colorbar>" or not axes.axison:
                continue
            for name, label in (("x", axes.get_xlabel()), ("y", axes.get_ylabel())):
                if label and not label.rstrip().endswith(")"):
                    raise ValueError(
                        f"The {name} axis needs its unit in brackets, for instance 'time (ms)'; got {label!r}."
                    )
        labelled = [a for a in figure.axes if a.get_xlabel() and a.get_ylabel()]
        titled = figure.get_suptitle() or any(a.get_title(loc) for a in figure.axes for loc in ("left", "center"))
        if not labelled or not titled:
            raise ValueError("A figure needs a title that states the finding and a label with a unit on each axis.")
        self.figure, self.alt = figure, " ".join(alt.split())

    def png(self, dpi: int = 100) -> bytes:
        """The figure as PNG, under 40 kB for the plots of the course (a limited palette keeps it small)."""
        from PIL import Image

        buffer = io.BytesIO()
        self.figure.savefig(buffer, format="png", dpi=dpi, bbox_inches="tight")
        image = Image.open(buffer).convert("RGB").quantize(colors=128)
        packed = io.BytesIO()
        image.save(packed, format="PNG", optimize=True)
        return packed.getvalue()

    def _repr_html_(self) -> str:
        data = base64.b64encode(self.png()).decode()
        return f'<img alt="{html.escape(self.alt, quote=True)}" src="data:image/png;base64,{data}">'

    def __repr__(self) -> str:
        return f"Figure: {self.alt}"


@contextmanager
def plot(width: float = 6.4, height: float = 3.8, columns: int = 1) -> Iterator[tuple[_MplFigure, Axes | list[Axes]]]:
    """A figure and its axes in the course's style, without pyplot: nothing is shown twice and nothing leaks.

    >>> with plot() as (fig, ax):
    ...     _ = ax.plot([1, 2], [1, 4], **series_styles(1)[0])
    ...     _ = ax.set(title="Work grows with the square", xlabel="size (elements)", ylabel="time (ms)")
    >>> Figure(fig, alt="Time against size, growing with the square of the size.")
    Figure: Time against size, growing with the square of the size.
    """
    with mpl.rc_context(STYLE):
        figure = _MplFigure(figsize=(width, height), layout="constrained")
        axes = figure.subplots(1, columns)
        yield figure, axes if columns == 1 else list(axes)
