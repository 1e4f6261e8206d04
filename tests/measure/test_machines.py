"""Processors as Linux, macOS and Windows describe them, from recorded shapes of their answers."""

from __future__ import annotations

import dataclasses
import json
import struct
from pathlib import Path

import psutil
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import labkit.measure
from labkit.measure import machine
from labkit.measure.machines import Gpu
from labkit.measure.processor_linux import parse_cpuinfo, read_caches
from labkit.measure.processor_macos import parse_sysctl
from labkit.measure.processor_windows import parse_caches
from labkit.measure.processors import Cache

AMX = """processor\t: 0
vendor_id\t: GenuineIntel
model name\t: Intel(R) Xeon(R) Platinum 8480+
flags\t\t: fma avx2 avx512f avx512dq avx512bw avx512vl avx_vnni avx512_bf16 avx512_vnni \
avx512_fp16 amx_bf16 amx_tile amx_int8

processor\t: 1
model name\t: the second processor is not asked
"""
MILAN = """processor\t: 0
vendor_id\t: AuthenticAMD
model name\t: AMD EPYC 7763 64-Core Processor
flags\t\t: fpu sse2 fma avx avx2 sha_ni
"""
GRAVITON = """processor\t: 0
BogoMIPS\t: 2100.00
Features\t: fp asimd aes fphp asimdhp asimddp sve i8mm bf16
CPU implementer\t: 0x41
CPU part\t: 0xd40
"""


@pytest.mark.parametrize(
    ("text", "name", "sets"),
    [
        (
            AMX,
            "Intel(R) Xeon(R) Platinum 8480+",
            ("AVX2", "AVX512", "AVX-VNNI", "AVX512-VNNI", "AVX512-bf16", "AVX512-fp16", "AMX-int8", "AMX-bf16"),
        ),
        (MILAN, "AMD EPYC 7763 64-Core Processor", ("AVX2",)),
        (GRAVITON, "ARM Neoverse V1", ("NEON", "fp16", "dot product", "int8 matrix", "bf16", "SVE")),
        ("Features: asimd\nCPU implementer: 0xff\nCPU part: 0x1", "implementer 0xff part 0x001", ("NEON",)),
        ("Features: asimd\n", None, ("NEON",)),
        ("", None, ()),
    ],
)
def test_cpuinfo(text, name, sets):
    assert parse_cpuinfo(text) == (name, sets)


@given(st.text())
def test_any_text_is_read_without_an_error(text):
    parse_cpuinfo(text)
    parse_sysctl(text)


def write_cache(root: Path, cpu: int, index: int, level: int, kind: str, size: str, shared: str) -> None:
    folder = root / f"cpu{cpu}" / "cache" / f"index{index}"
    folder.mkdir(parents=True)
    for name, value in (("level", level), ("type", kind), ("size", size), ("shared_cpu_list", shared)):
        (folder / name).write_text(f"{value}\n", encoding="ascii")


def test_shared_caches_are_counted_once(tmp_path):
    for cpu in range(4):
        pair = "0,2" if cpu in (0, 2) else "1,3"
        write_cache(tmp_path, cpu, 0, 1, "Data", "32K", pair)
        write_cache(tmp_path, cpu, 1, 1, "Instruction", "32K", pair)
        write_cache(tmp_path, cpu, 2, 2, "Unified", "1M", pair)
        write_cache(tmp_path, cpu, 3, 3, "Unified", "33792K", "0-3")
    (tmp_path / "cpu0" / "cache" / "index9").mkdir()  # a folder without its files, as some kernels have
    assert read_caches(tmp_path) == (
        Cache("L1d", 32 << 10, 64 << 10),
        Cache("L2", 1 << 20, 2 << 20),
        Cache("L3", 33792 << 10, 33792 << 10),
    )
    assert read_caches(tmp_path / "missing") == ()


def test_sysctl_of_an_apple_chip():
    told = parse_sysctl(
        "machdep.cpu.brand_string: Apple M2\nhw.physicalcpu: 8\nhw.perflevel0.physicalcpu: 4\n"
        "hw.perflevel0.l1dcachesize: 131072\nhw.perflevel0.l2cachesize: 16777216\nhw.perflevel0.cpusperl2: 4\n"
        "hw.optional.neon: 1\nhw.optional.arm.FEAT_BF16: 1\nhw.optional.arm.FEAT_SME: 0\n"
    )
    assert told.name == "Apple M2"
    assert told.caches == (Cache("L1d", 128 << 10, 512 << 10), Cache("L2", 16 << 20, 16 << 20))
    assert told.instruction_sets == ("NEON", "bf16")


def test_windows_cache_records():
    def record(level, size, kind, relation=2, length=52):
        return struct.pack("<IIBBHII", relation, length, level, 8, 64, size, kind).ljust(length, b"\0")

    data, instruction, unified = 2, 1, 0
    records = b"".join(
        [
            *[record(1, 32 << 10, data), record(1, 32 << 10, instruction)] * 2,
            *[record(2, 1 << 20, unified)] * 2,
            record(0, 7, 0, relation=0),
            record(3, 16 << 20, unified),
        ]
    )
    assert parse_caches(records) == (
        Cache("L1d", 32 << 10, 64 << 10),
        Cache("L2", 1 << 20, 2 << 20),
        Cache("L3", 16 << 20, 16 << 20),
    )
    assert parse_caches(b"") == parse_caches(records[:7]) == parse_caches(bytes(64)) == ()


def test_the_card_agrees_with_psutil_and_torch():
    card = machine()
    assert card.logical_cores == psutil.cpu_count()
    assert card.memory_bytes <= psutil.virtual_memory().total
    assert card.usable_cores <= card.logical_cores
    assert (card.gpu is not None) == torch.cuda.is_available()
    assert card.versions["torch"] == torch.__version__
    assert ("AVX2" in card.instruction_sets) == (torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512"))


def test_the_fingerprint_tells_machines_and_versions_apart_but_not_our_own_release():
    card = machine()
    same = dataclasses.replace(card, versions=card.versions | {"labkit": "999"}, memory_bytes=card.memory_bytes)
    assert same.fingerprint == card.fingerprint
    for change in (
        {"processor": "other"},
        {"usable_cores": card.usable_cores + 1},
        {"versions": card.versions | {"torch": "0"}},
        {"gpu": Gpu("other", 1, None, "9.0", 1)},
    ):
        assert dataclasses.replace(card, **change).fingerprint != card.fingerprint


def test_what_is_not_told_reads_as_not_available():
    bare = dataclasses.replace(machine(), processor=None, cores=None, caches=(), instruction_sets=())
    assert dict(bare.table().rows)["processor"] is None
    assert "n/a" in str(bare)
    assert json.loads(bare.to_json())["processor"] is None
    assert bare.last_level_cache_bytes is None
    assert bare.cache("L2") is None


def test_no_module_of_the_room_shadows_a_public_function():
    modules = {path.stem for path in Path(labkit.measure.__file__).parent.iterdir()}
    assert not modules & set(labkit.measure.__all__)
