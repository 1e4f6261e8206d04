"""The tensors of a checkpoint folder: safetensors only, every damage named by its file.

Not a loader of models: it knows files and names, not what the tensors mean. Pickle files can run code when opened, so
they are refused unread.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from labkit.models.errors import LoadError

INDEX = "model.safetensors.index.json"
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file. Raises `LoadError` naming the file."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise LoadError(f"{path.parent} holds no {path.name}, so it is not a model folder.") from None
    except (OSError, ValueError) as error:
        raise LoadError(f"{path} cannot be read as JSON: {error}.") from None
    if not isinstance(value, dict):
        raise LoadError(f"{path} must hold a JSON object, but holds a {type(value).__name__}.")
    return value


class Checkpoint:
    """Tensors by name over all files of a folder. Opening reads the headers only."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._files = {}
        for path in _weight_files(folder):
            try:
                handle = safe_open(path, framework="pt")
            except (SafetensorError, OSError) as error:
                raise LoadError(f"{path} is damaged or cut short and cannot be read ({error}).") from None
            for name in handle.keys():  # noqa: SIM118 - not a dictionary
                self._files[name] = (path, handle)

    def names(self) -> set[str]:
        return set(self._files)

    def where(self, name: str) -> str:
        """The file that holds `name`, for messages."""
        return str(self._files[name][0])

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape as the file's header says. Raises `LoadError` if no file holds `name`."""
        if name not in self._files:
            raise LoadError(f"{self.folder}: the weights lack the tensor {name}.")
        return tuple(self._files[name][1].get_slice(name).get_shape())

    def read(self, name: str) -> Tensor:
        """The tensor on the CPU in the dtype of the file. Raises `LoadError` for infinite or missing numbers."""
        path, handle = self._files[name]
        try:
            tensor = handle.get_tensor(name)
        except (SafetensorError, OSError, RuntimeError) as error:
            raise LoadError(f"{path} is damaged at the tensor {name} ({error}).") from None
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise LoadError(f"{path} is damaged: the tensor {name} holds infinities or NaN.")
        return tensor


def _weight_files(folder: Path) -> list[Path]:
    index = folder / INDEX
    if index.exists():
        shards = read_json(index).get("weight_map")
        if not isinstance(shards, dict) or not shards:
            raise LoadError(f"{index} lacks its weight_map.")
        files = [folder / name for name in sorted(set(shards.values()))]
        gone = [f.name for f in files if not f.is_file() or f.parent != folder]
        if gone:
            raise LoadError(f"{folder}: {INDEX} names the weight file {gone[0]}, which is not there.")
        return files
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        _refuse_pickles(folder)
        raise LoadError(f"{folder} holds no weights that labkit reads (*.safetensors).")
    return files


def _refuse_pickles(folder: Path) -> None:
    pickles = sorted(p.name for pattern in _PICKLES for p in folder.glob(pattern))
    if pickles:
        raise LoadError(
            f"{folder} holds its weights as pickle ({pickles[0]}), which can run code when opened. "
            "labkit reads safetensors only; ask the publisher for them or convert in a place you trust."
        )
