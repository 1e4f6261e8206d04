"""Ceilings written by hand, so that limits can be worked out on paper."""

from labkit.measure.ceiling_report import BandwidthPoint, Capacity, Ceilings, Peak

MB = 10**6
CACHE, MEMORY = 100e9, 10e9  # B/s of one thread; two threads have twice that
PEAK = {"float32": 50e9, "bfloat16": 200e9, "int8": 400e9}  # FLOP/s of one thread


def handmade_ceilings(name: str = "paper machine", scale: float = 1.0, device: str = "cpu") -> Ceilings:
    """An L2 of 1 MB and an L3 of 8 MB (100 and 50 GB/s on one thread), memory behind at 10 GB/s."""
    counts = (1, 2) if device == "cpu" else (1,)
    rates = ((MB // 2, CACHE), (4 * MB, CACHE / 2), (100 * MB, MEMORY))
    points = tuple(BandwidthPoint(t, size, *[r * t * scale] * 4) for t in counts for size, r in rates)
    peaks = tuple(Peak(d, t, f * t * scale, (64, 64, 64), "aten::mm") for t in counts for d, f in PEAK.items())
    levels = (("L2", MB, MB // 2), ("L3", 8 * MB, 4 * MB), ("memory", 1 << 40, 100 * MB))
    capacities = tuple(Capacity(t, n, size, probe) for t in counts for n, size, probe in levels)
    return Ceilings(device, name, "by hand", counts[-1], points, peaks, capacities, True, "The machine was quiet.")
