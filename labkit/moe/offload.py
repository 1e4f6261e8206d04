"""Experts that live on disk or in host memory and come when they are called: memory bought with time.

A token needs few experts, so few need be near. What is read is copied whole, not mapped: a map would look small and
hold everything.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from labkit.kernels.expert_dispatch import expert_dispatch_loop, swiglu_expert
from labkit.models.decoder import MoE, StackedExperts
from labkit.moe.expert_cache import ExpertCache, Weights


class DiskExperts:
    """The experts of one layer in one file, one after another; `file` is written anew."""

    def __init__(self, experts: StackedExperts, file: Path) -> None:
        self.file, self.dtype, self.device = file, experts.down.dtype, experts.down.device
        self.shapes = experts.gate_up.shape[1:], experts.down.shape[1:]
        with file.open("wb") as out:
            for gate_up, down in zip(experts.gate_up.detach().cpu(), experts.down.detach().cpu(), strict=True):
                for matrix in (gate_up, down):
                    out.write(matrix.contiguous().view(torch.uint8).numpy().tobytes())
        self.bytes_each = file.stat().st_size // len(experts.down)

    def read(self, expert: int) -> Weights:
        """One expert's matrices, copied from the file to the device the layer was on."""
        raw = np.fromfile(self.file, np.uint8, self.bytes_each, offset=expert * self.bytes_each)
        flat = torch.from_numpy(raw).view(self.dtype)
        gate_up, down = flat.split([shape.numel() for shape in self.shapes])
        return gate_up.view(self.shapes[0]).to(self.device), down.view(self.shapes[1]).to(self.device)

    def forget(self) -> bool:
        """Ask the operating system to drop its own copy, so that the next read comes from the disk; False if it cannot.

        Without it a file just written or read is still in memory, and a disk looks as fast as memory is.
        """
        if not hasattr(os, "posix_fadvise"):
            return False
        with self.file.open("rb") as opened:
            os.fsync(opened.fileno())
            os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        return True


class HostExperts:
    """The experts of one layer in host memory, pinned where there is a GPU to copy to."""

    def __init__(self, experts: StackedExperts) -> None:
        self.device = experts.down.device
        near = (experts.gate_up.detach().cpu(), experts.down.detach().cpu())
        self.gate_up, self.down = (w.pin_memory() if self.device.type == "cuda" else w for w in near)

    def read(self, expert: int) -> Weights:
        """A copy of one expert's matrices on the device the layer was on."""
        return tuple(w[expert].to(self.device, non_blocking=True, copy=True) for w in (self.gate_up, self.down))


class OffloadedExperts(nn.Module):
    """Takes the place of a layer's experts, for inference: it has no parameters and gives no gradient to any."""

    def __init__(self, source: DiskExperts | HostExperts, held: int) -> None:
        super().__init__()
        self.source, self.cache = source, ExpertCache(source.read, held)

    def forward(self, x: Tensor, indices: Tensor, weights: Tensor) -> Float[Tensor, "tokens hidden"]:
        return expert_dispatch_loop(x, indices, weights, lambda e, rows: swiglu_expert(rows, *self.cache.get(e)))


def offload(model: nn.Module, held: int, folder: Path | None = None) -> list[OffloadedExperts]:
    """Moves the experts of every layer out, in place, to files in `folder` or to host memory; `held` stay near a layer.

    Raises `ValueError` for a model without experts as one tensor each (dense, or quantized expert by expert).
    """
    layers = [m for m in model.modules() if isinstance(m, MoE) and isinstance(m.experts, StackedExperts)]
    if not layers:
        raise ValueError("No layer of this model has stacked experts, so there is nothing to move out.")
    for n, layer in enumerate(layers):
        source = HostExperts(layer.experts) if folder is None else DiskExperts(layer.experts, folder / f"experts-{n}")
        layer.experts = OffloadedExperts(source, held)
    return [layer.experts for layer in layers]
