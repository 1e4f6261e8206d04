"""Sparse layers on disk: the packed tensors and nothing else, in a safetensors file, read back into the same layers.

2:4 weights are stored in the interchange format (`labkit.kernels.sparse_24`), so that a file does not depend on the
order in which one kernel likes to read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from labkit.kernels.csr_linear import Csr
from labkit.kernels.sparse_24 import Packed24
from labkit.sparsity.layers import CsrLinear, Sparse24Linear

FORMATS = {"csr": Csr, "2:4": Packed24}


def save_layers(path: str | Path, layers: Mapping[str, CsrLinear | Sparse24Linear]) -> Path:
    """Write every layer under its name; returns the path."""
    tensors, formats = {}, {}
    for name, layer in layers.items():
        kind = "csr" if isinstance(layer, CsrLinear) else "2:4"
        formats[name] = {"format": kind, "in": layer.in_features}
        tensors |= {f"{name}.{field}": t.contiguous() for field, t in layer.packed._asdict().items()}
        if layer.bias is not None:
            tensors[f"{name}.bias"] = layer.bias
    save_file(tensors, path, metadata={"format": "pt", "sparse": json.dumps(formats)})
    return Path(path)


def load_layers(path: str | Path) -> dict[str, CsrLinear | Sparse24Linear]:
    """The layers of a file by name, as they were saved.

    Raises `ValueError` naming the file if it is damaged, or holds no sparse layers.
    """
    try:
        with safe_open(path, framework="pt") as file:
            formats = json.loads((file.metadata() or {}).get("sparse", "{}"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dictionary
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path} is damaged or no safetensors file ({error}).") from None
    if not formats:
        raise ValueError(f"{path} holds no sparse layers.")
    try:
        return {name: _layer(tensors, name, told) for name, told in formats.items()}
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is damaged: {error}") from None


def _layer(tensors: Mapping[str, Tensor], name: str, told: Mapping[str, Any]) -> CsrLinear | Sparse24Linear:
    kind = FORMATS[told["format"]]
    packed, bias = kind(*(tensors[f"{name}.{field}"] for field in kind._fields)), tensors.get(f"{name}.bias")
    return CsrLinear(packed, told["in"], bias) if kind is Csr else Sparse24Linear(packed, bias)
