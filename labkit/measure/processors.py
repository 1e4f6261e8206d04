"""The processor as the operating system describes it: name, cores, caches, the instruction sets that matter here.

One frozen description, three ways to it: Linux is read from /proc and /sys, macOS from sysctl, Windows from the
registry and the Win32 API. What a system does not tell stays None: a guess in a machine card is worse than a gap.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Cache:
    """One cache level for data. `bytes_each` is one instance, shared by some cores; `bytes_total` is all of them."""

    name: str
    bytes_each: int
    bytes_total: int


@dataclass(frozen=True)
class Processor:
    """What is known of the processor; None or empty where the system does not tell."""

    name: str | None = None
    caches: tuple[Cache, ...] = ()
    instruction_sets: tuple[str, ...] = ()


@dataclass(frozen=True)
class FlagNames:
    """How one family of processors spells an instruction set that matters to matrix products, in order of reach."""

    spellings: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def found_in(self, flags: set[str]) -> tuple[str, ...]:
        """The sets all of whose flags are present, in the order of the table."""
        return tuple(name for name, needed in self.spellings.items() if flags.issuperset(needed))


LINUX_X86 = FlagNames(
    {
        "AVX2": ("avx2", "fma"),
        "AVX512": ("avx512f", "avx512bw", "avx512vl", "avx512dq"),
        "AVX-VNNI": ("avx_vnni",),
        "AVX512-VNNI": ("avx512_vnni",),
        "AVX512-bf16": ("avx512_bf16",),
        "AVX512-fp16": ("avx512_fp16",),
        "AMX-int8": ("amx_tile", "amx_int8"),
        "AMX-bf16": ("amx_tile", "amx_bf16"),
    }
)
LINUX_ARM = FlagNames(
    {
        "NEON": ("asimd",),
        "fp16": ("asimdhp",),
        "dot product": ("asimddp",),
        "int8 matrix": ("i8mm",),
        "bf16": ("bf16",),
        "SVE": ("sve",),
        "SVE2": ("sve2",),
        "SME": ("sme",),
    }
)
MACOS = FlagNames(
    {
        "NEON": ("hw.optional.neon",),
        "fp16": ("hw.optional.arm.FEAT_FP16",),
        "dot product": ("hw.optional.arm.FEAT_DotProd",),
        "int8 matrix": ("hw.optional.arm.FEAT_I8MM",),
        "bf16": ("hw.optional.arm.FEAT_BF16",),
        "SME": ("hw.optional.arm.FEAT_SME",),
        "AVX2": ("hw.optional.avx2_0",),
        "AVX512": ("hw.optional.avx512f",),
    }
)


def processor() -> Processor:
    """The processor under this Python; an unknown system gives an empty description, not an error."""
    if sys.platform.startswith("linux"):
        from labkit.measure.processor_linux import read
    elif sys.platform == "darwin":
        from labkit.measure.processor_macos import read
    elif sys.platform == "win32":
        from labkit.measure.processor_windows import read
    else:
        return Processor()
    return read()
