"""A service's meters as a live picture in the notebook: three lines that grow while a load runs.

Drawn as SVG text, which costs next to nothing, because the service that is watched may run on the same cores. Where
nobody watches (see `is_live`) nothing is drawn; the figure of the whole run comes afterwards in any case.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from labkit.course.cards.show import is_live
from labkit.throughput.watching import Reading, rates

WIDTH, HEIGHT = 155, 80


def dashboard() -> Callable[[list[Reading]], None]:
    """What `watching` is to show its readings with; displays an empty dashboard where somebody can see it."""
    if not is_live():
        return lambda readings: None
    import ipywidgets
    from IPython.display import display

    view = ipywidgets.HTML("The dashboard fills once the load runs.")
    display(view)

    def show(readings: list[Reading]) -> None:
        view.value = page(readings)

    return show


def page(readings: list[Reading]) -> str:
    """The dashboard as HTML."""
    last, spoken = readings[-1], [rate for _, rate in rates(readings)] or [0.0]
    panels = (
        panel("throughput", f"{spoken[-1]:.0f} tokens/s", spoken),
        panel("running", f"{last.running:.0f} requests", [r.running for r in readings]),
        panel("in line", f"{last.waiting:.0f} requests", [r.waiting for r in readings]),
        panel("cache", f"{last.held:.0f} of {last.blocks:.0f} blocks", [r.held for r in readings], last.blocks),
    )
    return f'<div class="labkit-dashboard" style="display:flex;flex-wrap:wrap;gap:0.6em">{"".join(panels)}</div>'


def panel(name: str, now: str, values: Sequence[float], top: float | None = None) -> str:
    """One line from left to right, with its name and its latest value in words, read by screen readers too.

    >>> "points='0.0,80.0 155.0,0.0'" in panel("in line", "4 requests", [0, 4])
    True
    """
    top = max(top or 0.0, *values, 1.0)
    across = max(len(values) - 1, 1)
    points = " ".join(f"{WIDTH * n / across:.1f},{HEIGHT * (1 - v / top):.1f}" for n, v in enumerate(values))
    return (
        f'<figure style="margin:0"><figcaption><strong>{name}</strong>: {now}</figcaption>'
        f'<svg role="img" aria-label="{name}: {now}, at most {max(values):.0f} so far" width="{WIDTH}" '
        f'height="{HEIGHT}" style="border-left:1px solid currentColor;border-bottom:1px solid currentColor">'
        f"<polyline points='{points}' fill='none' stroke='var(--jp-brand-color1, #1976d2)' stroke-width='2'/>"
        f"</svg></figure>"
    )
