"""The latency-throughput curve as a figure: flat, a knee, and a wall."""

from __future__ import annotations

from labkit.measure.figure import PALETTE, Figure, plot, series_styles
from labkit.throughput.curve import LATENCY, Curve, mean_latency


def curve_figure(curve: Curve) -> Figure:
    """Mean latency with its interval and the 95th percentile where enough was measured, on a logarithmic axis."""
    rates = [point.request_throughput for point in curve.points]
    means = [mean_latency(point) for point in curve.points]
    tails = [point.latency(LATENCY).percentiles["p95"] for point in curve.points]
    knee = curve.knee
    with plot() as (figure, axes):
        mean_style, tail_style = series_styles(2)
        around = [[m.value - m.low for m in means], [m.high - m.value for m in means]]
        axes.errorbar(rates, [m.value for m in means], yerr=around, label="mean, 95 % interval", **mean_style)
        measured = [(rate, tail.value) for rate, tail in zip(rates, tails, strict=True) if tail]
        if measured:
            axes.plot(*zip(*measured, strict=True), label="95th percentile", **tail_style)
        axes.axvspan(knee.low or knee.rate, knee.high or knee.rate, color=PALETTE[4], alpha=0.15)
        axes.axvline(knee.rate, color="black", linewidth=1, linestyle=":", label="knee: most throughput per latency")
        axes.set(
            title=curve.verdict[0].upper() + curve.verdict[1:],
            xlabel="throughput (requests/s)",
            ylabel="end-to-end latency (s)",
            yscale="log",
        )
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter("{x:g}")
        axes.legend()
    alt = f"End-to-end latency against throughput at {len(rates)} loads: {curve.verdict}, beyond it latency climbs."
    return Figure(figure, alt=alt)
