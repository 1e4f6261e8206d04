"""The bandwidth of a machine against the working set: where each cache ends, one sees."""

from __future__ import annotations

from labkit.measure.ceiling_report import KINDS, Ceilings
from labkit.measure.figure import Figure, plot, series_styles
from labkit.measure.report import si


def bandwidth_figure(ceilings: Ceilings, threads: int | None = None) -> Figure:
    """Each pattern's rate by working-set size for one thread or all, with a line where each cache is full."""
    count = ceilings.threads if threads is None else threads
    points = sorted((p for p in ceilings.points if p.threads == count), key=lambda p: p.working_set_bytes)
    if not points:
        raise ValueError(f"Bandwidth was measured on 1 and on {ceilings.threads} threads; got threads={threads}.")
    sizes = [p.working_set_bytes / 1e6 for p in points]
    levels = ceilings.levels_at(count)
    fall = f"from {si(levels[0].bandwidth, 'B/s')} to {si(levels[-1].bandwidth, 'B/s')}"
    with plot() as (figure, axes):
        for kind, style in zip(KINDS, series_styles(len(KINDS)), strict=True):
            axes.plot(sizes, [p.rate(kind) / 1e9 for p in points], label=kind, **style)
        for level in levels[:-1]:
            axes.axvline(level.capacity_bytes / 1e6, color="black", linewidth=0.8, linestyle=":")
            axes.annotate(f" {level.name} full", (level.capacity_bytes / 1e6, axes.get_ylim()[1]), va="top")
        where = "on the GPU" if ceilings.device == "cuda" else f"on {count} thread{'s' if count > 1 else ''}"
        axes.set(
            title=f"Bandwidth falls {fall} {where}",
            xlabel="working set (MB)",
            ylabel="bandwidth (GB/s)",
            xscale="log",
            yscale="log",
        )
        for ticks in (axes.xaxis, axes.yaxis):
            ticks.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter(lambda y, _: f"{y:g}" if str(y)[0] in "235" else "")
        axes.legend()
    return Figure(
        figure, alt=f"Bandwidth of {ceilings.name} {where} falls {fall} as the working set outgrows each cache."
    )
