"""The processor on Windows, from the registry and kernel32. Written from Microsoft's documentation; untested."""

from __future__ import annotations

import struct
import sys

from labkit.measure.processors import Cache, Processor

RELATION_CACHE = 2
CACHE_INSTRUCTION = 1
# winnt.h: PF_ARM_NEON_INSTRUCTIONS_AVAILABLE, PF_ARM_V82_DP_..., PF_AVX2_..., PF_AVX512F_...
_FEATURES = {19: "NEON", 43: "dot product", 40: "AVX2", 41: "AVX512"}


def read() -> Processor:
    """The processor of this Windows machine; what the system does not tell stays empty."""
    if sys.platform != "win32":
        raise OSError("processor_windows reads the Windows registry and needs Windows.")
    import ctypes
    import winreg

    kernel32 = ctypes.windll.kernel32
    path = r"HARDWARE\DESCRIPTION\System\CentralProcessor\0"
    try:
        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, path) as key:
            name = str(winreg.QueryValueEx(key, "ProcessorNameString")[0]).strip()
    except OSError:
        name = None
    sets = tuple(label for code, label in _FEATURES.items() if kernel32.IsProcessorFeaturePresent(code))
    needed = ctypes.c_ulong(0)
    kernel32.GetLogicalProcessorInformationEx(RELATION_CACHE, None, ctypes.byref(needed))
    buffer = ctypes.create_string_buffer(max(needed.value, 1))
    told = kernel32.GetLogicalProcessorInformationEx(RELATION_CACHE, buffer, ctypes.byref(needed))
    return Processor(name, parse_caches(buffer.raw[: needed.value]) if told else (), sets)


def parse_caches(records: bytes) -> tuple[Cache, ...]:
    """Caches from the records of GetLogicalProcessorInformationEx, one record an instance.

    Each is Relationship and Size (32 bits each), then CACHE_RELATIONSHIP: Level and Associativity (8 bits each),
    LineSize (16), CacheSize (32), Type (32).
    """
    sizes: dict[str, list[int]] = {}
    at = 0
    while at + 20 <= len(records):
        relation, length = struct.unpack_from("<II", records, at)
        level, _, _, size, kind = struct.unpack_from("<BBHII", records, at + 8)
        if relation == RELATION_CACHE and kind != CACHE_INSTRUCTION:
            sizes.setdefault(f"L{level}{'d' if level == 1 else ''}", []).append(size)
        if length < 20:
            break
        at += length
    return tuple(Cache(name, max(found), sum(found)) for name, found in sorted(sizes.items()))
