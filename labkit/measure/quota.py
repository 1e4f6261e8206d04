"""What a container may use of its machine: on a shared hub the machine's 64 cores and 512 GiB are not the learner's.

Linux control groups, version 2 and 1. Elsewhere, and without a limit, None.
"""

from __future__ import annotations

import math
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")


def memory_limit(root: Path = CGROUP) -> int | None:
    """Bytes this container may hold, or None."""
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        words = _words(root / name)
        if words and words[0].isdigit():  # version 2 writes "max" for none, version 1 a number near 2**63
            return int(words[0]) if int(words[0]) < 1 << 60 else None
    return None


def processor_limit(root: Path = CGROUP) -> int | None:
    """Whole processors this container may keep busy, rounded up, or None."""
    words = _words(root / "cpu.max") or [
        *_words(root / "cpu/cpu.cfs_quota_us"),
        *_words(root / "cpu/cpu.cfs_period_us"),
    ]
    if len(words) != 2 or not all(word.isdigit() for word in words):  # no limit: "max" in version 2, -1 in version 1
        return None
    quota, period = map(int, words)
    return max(1, math.ceil(quota / period)) if period else None


def _words(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="ascii").split()
    except (OSError, UnicodeDecodeError):
        return []
