"""The processor on Linux, from /proc/cpuinfo and /sys/devices/system/cpu: plain text, no command to run."""

from __future__ import annotations

from pathlib import Path

from labkit.measure.processors import LINUX_ARM, LINUX_X86, Cache, Processor

CPUINFO = Path("/proc/cpuinfo")
SYSTEM_CPU = Path("/sys/devices/system/cpu")

# ARM's cpuinfo has no name, only numbers of the Main ID Register; these are the cores a learner may meet.
_ARM_IMPLEMENTERS = {0x41: "ARM", 0x46: "Fujitsu", 0x48: "HiSilicon", 0x51: "Qualcomm", 0x61: "Apple", 0xC0: "Ampere"}
_ARM_CORES = {
    0xD03: "Cortex-A53",
    0xD08: "Cortex-A72",
    0xD0B: "Cortex-A76",
    0xD0C: "Neoverse N1",
    0xD40: "Neoverse V1",
    0xD49: "Neoverse N2",
    0xD4F: "Neoverse V2",
}
_UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def read() -> Processor:
    """The processor of this machine; what cannot be read stays empty."""
    try:
        text = CPUINFO.read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    name, instruction_sets = parse_cpuinfo(text)
    return Processor(name, read_caches(SYSTEM_CPU), instruction_sets)


def parse_cpuinfo(text: str) -> tuple[str | None, tuple[str, ...]]:
    """Name and instruction sets from the text of /proc/cpuinfo, x86 or ARM.

    >>> parse_cpuinfo("model name : Example 9000\\nflags : fma avx avx2\\n")
    ('Example 9000', ('AVX2',))
    """
    fields: dict[str, str] = {}
    for line in text.splitlines():
        key, colon, value = line.partition(":")
        if colon:
            fields.setdefault(key.strip(), value.strip())
    if "Features" in fields:
        return fields.get("model name") or _arm_name(fields), LINUX_ARM.found_in(set(fields["Features"].split()))
    return fields.get("model name"), LINUX_X86.found_in(set(fields.get("flags", "").split()))


def _arm_name(fields: dict[str, str]) -> str | None:
    try:
        implementer, part = int(fields["CPU implementer"], 16), int(fields["CPU part"], 16)
    except (KeyError, ValueError):
        return None
    maker = _ARM_IMPLEMENTERS.get(implementer, f"implementer {implementer:#04x}")
    core = _ARM_CORES.get(part) if implementer == 0x41 else None
    return f"{maker} {core or f'part {part:#05x}'}"


def read_caches(root: Path) -> tuple[Cache, ...]:
    """Data and unified caches below `root` (the layout of /sys/devices/system/cpu), L1d first.

    Each cache is listed under every processor that shares it; `shared_cpu_list` tells one instance from the next.
    Where cores differ (big and little) the largest instance is the one given for `bytes_each`.
    """
    instances: dict[tuple[str, str], int] = {}
    for index in sorted(root.glob("cpu[0-9]*/cache/index[0-9]*")):
        try:
            level, kind, size, shared = (
                (index / name).read_text(encoding="ascii").strip()
                for name in ("level", "type", "size", "shared_cpu_list")
            )
            if kind != "Instruction":
                instances[f"L{level}{'d' if kind == 'Data' else ''}", shared] = _bytes(size)
        except (OSError, ValueError):
            continue
    names = sorted({name for name, _ in instances})
    sizes = {n: [s for (name, _), s in instances.items() if name == n] for n in names}
    return tuple(Cache(n, max(sizes[n]), sum(sizes[n])) for n in names)


def _bytes(size: str) -> int:
    unit = _UNITS.get(size[-1:].upper())
    return int(size[:-1]) * unit if unit else int(size)
