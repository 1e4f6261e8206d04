"""The processor on macOS, from sysctl. Written from Apple's documentation of the names; untested on a Mac."""

from __future__ import annotations

import subprocess

from labkit.measure.processors import MACOS, Cache, Processor


def read() -> Processor:
    """The processor of this Mac; what sysctl does not tell stays empty."""
    try:
        done = subprocess.run(["/usr/sbin/sysctl", "-a"], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return Processor()
    return parse_sysctl(done.stdout)


def parse_sysctl(text: str) -> Processor:
    """The processor from the output of `sysctl -a`.

    Apple's chips name their caches by performance level (`hw.perflevel0` is the fast cores). Their system-level cache
    is not told and so not given.

    >>> parse_sysctl("machdep.cpu.brand_string: Example\\nhw.optional.neon: 1\\n")
    Processor(name='Example', caches=(), instruction_sets=('NEON',))
    """
    values = dict(line.split(": ", 1) for line in text.splitlines() if ": " in line)
    flags = {key for key, value in values.items() if key.startswith("hw.optional.") and value.strip() == "1"}
    cores = _number(values, "hw.perflevel0.physicalcpu") or _number(values, "hw.physicalcpu") or 1
    caches = []
    for name, key, sharers in (
        ("L1d", "l1dcachesize", 1),
        ("L2", "l2cachesize", _number(values, "hw.perflevel0.cpusperl2") or 1),
        ("L3", "l3cachesize", cores),
    ):
        size = _number(values, f"hw.perflevel0.{key}") or _number(values, f"hw.{key}")
        if size:
            caches.append(Cache(name, size, size * max(1, cores // sharers)))
    return Processor(values.get("machdep.cpu.brand_string", "").strip() or None, tuple(caches), MACOS.found_in(flags))


def _number(values: dict[str, str], key: str) -> int | None:
    text = values.get(key, "").strip()
    return int(text) if text.isdigit() else None
