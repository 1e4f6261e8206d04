"""`machine()`: the card of the machine in front of the learner, beside which every number of the course is read.

It measures nothing (that is `ceilings()`) and asks nothing of the network.
"""

from __future__ import annotations

import hashlib
import json
import platform
import sys
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version

from labkit.measure.processors import Cache, processor
from labkit.measure.quota import memory_limit
from labkit.measure.report import Report, Table, si

PACKAGES = ("torch", "transformers", "bitsandbytes", "numpy", "triton", "labkit")
LARGEST = 1 << 62
_BINARY = ((1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"))


@dataclass(frozen=True)
class Gpu:
    """One CUDA device: its memory in bytes, its second-level cache, its compute capability as "9.0"."""

    name: str
    memory_bytes: int
    l2_bytes: int | None
    compute_capability: str
    multiprocessors: int


@dataclass(frozen=True)
class Machine(Report):
    """What this machine is. None means that the system does not tell; `gpu` None means that torch sees none."""

    processor: str | None
    cores: int | None
    logical_cores: int | None
    usable_cores: int
    caches: tuple[Cache, ...]
    instruction_sets: tuple[str, ...]
    memory_bytes: int
    gpu: Gpu | None
    os: str
    architecture: str
    python: str
    versions: dict[str, str]

    @property
    def fingerprint(self) -> str:
        """What a cached measurement is keyed by: 16 hexadecimal digits of everything above but the course's version.

        The memory goes in as whole GiB, because a kernel update moves the exact number.
        """
        told = asdict(self) | {"memory_bytes": self.memory_bytes >> 30}
        told["versions"] = {name: found for name, found in self.versions.items() if name != "labkit"}
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]

    def cache(self, name: str) -> Cache | None:
        """The cache "L1d", "L2" or "L3", or None where there is none or it is not told."""
        return next((c for c in self.caches if c.name == name), None)

    @property
    def last_level_cache_bytes(self) -> int | None:
        """Bytes of all instances of the last cache before memory."""
        return self.caches[-1].bytes_total if self.caches else None

    def table(self) -> Table:
        rows = [
            ["processor", self.processor],
            [
                "cores",
                f"{self.cores or 'n/a'} physical, {self.logical_cores or 'n/a'} logical, {self.usable_cores} usable",
            ],
            *([f"{c.name} cache", _cache_text(c)] for c in self.caches),
            ["instruction sets", ", ".join(self.instruction_sets) or None],
            ["memory", binary(self.memory_bytes)],
            ["GPU", _gpu_text(self.gpu)],
            ["system", f"{self.os}, {self.architecture}"],
            ["Python", self.python],
            *([name, found] for name, found in self.versions.items()),
        ]
        return Table("This machine", ["part", "value"], rows)


def machine() -> Machine:
    """The card of this machine. Imports torch for the GPU only; a broken torch reads as no GPU.

    >>> card = machine()
    >>> card.fingerprint == machine().fingerprint, card.memory_bytes > 0
    (True, True)
    """
    import psutil

    from labkit.measure.threads import usable_processors

    told = processor()
    return Machine(
        processor=told.name or platform.processor() or None,
        cores=psutil.cpu_count(logical=False),
        logical_cores=psutil.cpu_count(logical=True),
        usable_cores=usable_processors(),
        caches=told.caches,
        instruction_sets=told.instruction_sets,
        memory_bytes=min(psutil.virtual_memory().total, memory_limit() or LARGEST),
        gpu=_gpu(),
        os=_os_name(),
        architecture=platform.machine(),
        python=platform.python_version(),
        versions={name: found for name in PACKAGES if (found := _version(name))},
    )


def binary(count: int) -> str:
    """Bytes in the binary units that caches and memories are sold in.

    >>> binary(32 << 10), binary(1536 << 20), binary(100)
    ('32 KiB', '1.5 GiB', '100 B')
    """
    scale, unit = next(((s, u) for s, u in _BINARY if count >= s), (1, "B"))
    return f"{count / scale:.3g} {unit}"


def _cache_text(cache: Cache) -> str:
    several = cache.bytes_total != cache.bytes_each
    return binary(cache.bytes_each) + (f" each, {binary(cache.bytes_total)} in all" if several else "")


def _gpu_text(gpu: Gpu | None) -> str:
    if gpu is None:
        return "none that torch can use"
    return f"{gpu.name}, {si(gpu.memory_bytes, 'B')}, compute capability {gpu.compute_capability}"


def _gpu() -> Gpu | None:
    try:
        import torch

        if not torch.cuda.is_available():
            return None
        told = torch.cuda.get_device_properties(torch.cuda.current_device())
    except (ImportError, OSError, RuntimeError):
        return None
    l2 = getattr(told, "L2_cache_size", None)
    return Gpu(told.name, told.total_memory, l2, f"{told.major}.{told.minor}", told.multi_processor_count)


def _os_name() -> str:
    if sys.platform.startswith("linux"):
        try:
            return platform.freedesktop_os_release()["PRETTY_NAME"]
        except (OSError, KeyError):
            return f"Linux {platform.release()}"
    if sys.platform == "darwin":
        return f"macOS {platform.mac_ver()[0]}"
    return f"{platform.system()} {platform.release()}"


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
