"""Limits of a container as Linux writes them."""

from __future__ import annotations

import pytest

from labkit.measure.quota import memory_limit, processor_limit


def write(root, files):
    for name, text in files.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(f"{text}\n", encoding="ascii")


@pytest.mark.parametrize(
    ("files", "processors", "memory"),
    [
        ({"cpu.max": "150000 100000", "memory.max": "2147483648"}, 2, 2 << 30),
        ({"cpu.max": "max 100000", "memory.max": "max"}, None, None),
        ({"cpu.max": "1000 100000"}, 1, None),
        ({"cpu/cpu.cfs_quota_us": "200000", "cpu/cpu.cfs_period_us": "100000"}, 2, None),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None, None),
        ({"memory/memory.limit_in_bytes": "1073741824"}, None, 1 << 30),
        ({"memory/memory.limit_in_bytes": "9223372036854771712"}, None, None),
        ({"cpu.max": "", "memory.max": "nonsense"}, None, None),
        ({"cpu.max": "1 0"}, None, None),
        ({}, None, None),
    ],
)
def test_limits(tmp_path, files, processors, memory):
    write(tmp_path, files)
    assert processor_limit(tmp_path) == processors
    assert memory_limit(tmp_path) == memory
