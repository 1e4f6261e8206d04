"""`roofline()`: a trace under this machine's own roofs.

Left, operators that multiply nothing: they have no place on a logarithmic axis of FLOP/s, but most of a small model's
time. Right, the roofline of Williams, Waterman and Patterson (CACM 2009): one roof a cache level and one a dtype, the
ridge where memory and arithmetic balance, recorded machines behind in grey.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes

from labkit.measure.ceiling_report import Ceilings
from labkit.measure.figure import LINES, MARKERS, PALETTE, Figure, plot
from labkit.measure.recorded import recorded_machines
from labkit.measure.report import si
from labkit.measure.roofpoints import Bound, Point, bound, points

if TYPE_CHECKING:
    from labkit.measure.traced import Trace

_NAMED = 5  # kinds of operators named in the legend; the rest share one entry
_STRIP = 12  # operators without FLOPs that get a place in the strip
_GREY = "#999999"
_FAR_BELOW = 0.2  # a code that reaches less than a fifth of its roof is held by something else


def roofline(trace: Trace, ceilings: Ceilings | None = None, references: Sequence[Path] | None = None) -> Figure:
    """The operators of `trace` (area: time) under the roofs of `ceilings`, by default this machine's.

    `references` are JSON files of recorded machines (by default those the course ships, possibly none). Raises
    `ValueError` if nothing in the trace was timed, or a file does not read.
    """
    found = points(trace)
    if not found:
        raise ValueError(
            "This trace holds no operator with a known cost and a time, so a roofline has nothing to show."
        )
    roofs = ceilings or trace.roofs()
    others = [c for c in recorded_machines(references) if c.device == roofs.device]
    shares = bound(trace, roofs)
    longest = found[0].seconds
    styles = _styles(found)
    with plot(width=8.2, height=4.4, columns=2) as (figure, (strip, main)):
        strip.get_gridspec().set_width_ratios([1, 3.4])
        _draw_strip(strip, [p for p in found if not p.flops], longest, styles, roofs, trace.threads)
        multiplying = [p for p in found if p.flops]
        reach = _draw_roofs(main, multiplying, roofs, trace, others)
        for point in multiplying:
            main.scatter(point.intensity, point.performance, **_marker(point, longest, styles))
        main.set(xlim=reach, xlabel="arithmetic intensity (FLOP/B)", ylabel="performance (FLOP/s)")
        handles = [
            main.scatter([], [], label=name, s=30, c=color, marker=marker) for name, (color, marker) in styles.items()
        ]
        figure.legend(handles=handles, loc="outside lower right", ncols=3, fontsize=7.5)
        figure.suptitle(finding(shares), x=0.01, ha="left", fontsize=11)
    return Figure(figure, alt=_alt(found, shares, roofs))


def _draw_strip(axes: Axes, found: list[Point], longest: float, styles: dict, roofs: Ceilings, threads: int) -> None:
    """The longest operators without FLOPs by the bytes they move a second, under the bandwidth of each level."""
    shown = found[:_STRIP]
    axes.set(yscale="log", xlabel=f"no FLOPs ({len(shown)} longest)", ylabel="bytes moved (B/s)", xticks=[])
    axes.set_xlim(-0.7, max(len(shown), 1) - 0.3)
    for rank, point in enumerate(shown):
        axes.scatter(rank, point.throughput, **_marker(point, longest, styles))
    for i, (level, line) in enumerate(zip(roofs.levels_at(threads), LINES, strict=False)):
        axes.axhline(level.bandwidth, color="black", linewidth=1, linestyle=line)
        where = (0.02 + 0.3 * i, level.bandwidth)
        axes.annotate(level.name, where, xycoords=("axes fraction", "data"), fontsize=7, va="bottom")


def _draw_roofs(
    axes: Axes, found: list[Point], roofs: Ceilings, trace: Trace, others: list[Ceilings]
) -> tuple[float, float]:
    """Draws all roofs and ridges; returns the range of intensities shown."""
    used = {op.dtype for op in trace.ops if op.flops}
    peaks = {p.dtype: roofs.peak(p.dtype, trace.threads) for p in roofs.peaks}
    peaks = {dtype: peak for dtype, peak in peaks.items() if peak and dtype in used} or peaks
    levels = roofs.levels_at(trace.threads)
    ridges = {dtype: peak / levels[-1].bandwidth for dtype, peak in peaks.items()}
    seen = [*ridges.values(), *(p.intensity for p in found)]
    reach = min(seen) / 8, max(seen) * 8
    x = np.geomspace(*reach, 200)
    axes.set(xscale="log", yscale="log")
    for other in others:
        top = max((other.peak(dtype) or 0) for dtype in peaks)
        roof = np.minimum(x * other.levels[-1].bandwidth, top or np.inf)
        axes.plot(x, roof, color=_GREY, linewidth=0.7, zorder=0)
        axes.annotate(other.name, (x[-1], roof[-1]), fontsize=6, color=_GREY, ha="right", va="bottom")
    top = max(peaks.values())
    for level, line in zip(levels, LINES, strict=False):
        axes.plot(x, np.minimum(x * level.bandwidth, top), color="black", linewidth=1, linestyle=line)
        axes.annotate(level.name, (x[8], x[8] * level.bandwidth), fontsize=7, va="bottom", ha="right")
    for dtype, peak in peaks.items():
        axes.plot(x, np.where(x * levels[0].bandwidth >= peak, peak, np.nan), color="black", linewidth=1)
        axes.annotate(f"{dtype} {si(peak, 'FLOP/s')}", (reach[1], peak), fontsize=7, ha="right", va="bottom")
        axes.plot(ridges[dtype], peak, marker="v", color="black", markersize=6, linestyle="")
        label = f"ridge {ridges[dtype]:.3g}"
        axes.annotate(label, (ridges[dtype], peak), xytext=(0, 6), textcoords="offset points", fontsize=7, ha="center")
    return reach


def _styles(found: list[Point]) -> dict[str, tuple[str, str]]:
    """Colour and marker of the operators that take longest; "others" for the rest."""
    names = list(dict.fromkeys(p.name for p in found))
    shown = names if len(names) <= _NAMED else [*names[:_NAMED], "others"]
    return {_short(name): style for name, style in zip(shown, zip(PALETTE, MARKERS, strict=True), strict=False)}


def _marker(point: Point, longest: float, styles: dict[str, tuple[str, str]]) -> dict:
    color, marker = styles.get(_short(point.name)) or styles["others"]
    area = 12 + 300 * point.seconds / longest
    return {"s": area, "c": color, "marker": marker, "alpha": 0.75, "edgecolors": "black", "linewidths": 0.5}


def _short(name: str) -> str:
    return name.removeprefix("aten::").partition(".")[0].strip("_")


def finding(shares: Bound) -> str:
    """The title: which roof holds most of the time, or that the time is far below both.

    >>> finding(Bound(memory=0.78, compute=0.22, of_roofline=0.61))
    '78 % of the time is below the ridge: memory-bound, at 61 % of the roofline'
    >>> finding(Bound(memory=0.78, compute=0.22, of_roofline=0.05))
    '78 % of the time is below the ridge, but at 5 % of the roofline: overhead-bound'
    """
    beyond = shares.compute > shares.memory
    side = "beyond the ridge" if beyond else "below the ridge"
    share, of_roofline = 100 * max(shares.compute, shares.memory), 100 * shares.of_roofline
    if shares.of_roofline < _FAR_BELOW:
        return f"{share:.0f} % of the time is {side}, but at {of_roofline:.0f} % of the roofline: overhead-bound"
    bound_by = "compute-bound" if beyond else "memory-bound"
    return f"{share:.0f} % of the time is {side}: {bound_by}, at {of_roofline:.0f} % of the roofline"


def _alt(found: list[Point], shares: Bound, roofs: Ceilings) -> str:
    longest = ", ".join(dict.fromkeys(_short(p.name) for p in found[:3]))
    without = sum(p.seconds for p in found if not p.flops) / sum(p.seconds for p in found)
    return (
        f"Roofline of {roofs.name}: {finding(shares)}. The longest operators are {longest}; "
        f"{100 * without:.0f} % of the time goes to operators without FLOPs, shown in a strip of their own."
    )
