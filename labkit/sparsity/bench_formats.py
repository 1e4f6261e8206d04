"""2:4 and CSR beside dense layers, and the bytes of a 2:4 layer in memory and on disk."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import torch

from labkit.kernels.csr_linear import csr_linear, pack_csr
from labkit.kernels.sparse_24 import pack_24
from labkit.kernels.sparse_24_linear import in_panels, sparse_24_linear
from labkit.sparsity.bench_beside import beside_dense, ratio, weights_of_shape
from labkit.sparsity.costs import csr_break_even_density, dense_bytes, sparse_24_bytes
from labkit.sparsity.files import save_layers
from labkit.sparsity.layers import Sparse24Linear
from labkit.sparsity.masks import keep_in_layer, keep_n_of_m


@torch.no_grad()
def packed_24(inner: int, out: int, rows: int) -> dict[str, Any]:
    """The 2:4 product beside dense products of the same pruned weight; foretold from the bytes alone."""
    weights = [w * keep_n_of_m(w.float().abs(), 2, 4) for w in weights_of_shape(inner, out)]
    x = torch.randn(rows, inner, generator=torch.Generator().manual_seed(0))
    packed = [partial(sparse_24_linear, x, in_panels(pack_24(w)), out) for w in weights]
    foretold = dense_bytes(inner, out) / sparse_24_bytes(inner, out)
    return {"in": inner, "out": out, "rows": rows, "foretold": foretold} | beside_dense(x, weights, packed)


@torch.no_grad()
def csr(inner: int, out: int, density: float) -> dict[str, Any]:
    """CSR in fp32 at batch 1 beside dense fp32 and bf16, and the density at which bytes are equal."""
    generator = torch.Generator().manual_seed(0)
    chance = torch.rand(out, inner, generator=generator)
    weights = [w.float() * keep_in_layer(chance, density) for w in weights_of_shape(inner, out)]
    x = torch.randn(1, inner, generator=generator)
    sparse = [partial(csr_linear, x, pack_csr(w)) for w in weights]
    row: dict[str, Any] = {"in": inner, "out": out, "density": density}
    for name, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        dense = [partial(torch.nn.functional.linear, x.to(dtype), w.to(dtype)) for w in weights]
        even = csr_break_even_density(inner, dense_itemsize=dtype.itemsize)
        row[name] = ratio(dense, sparse) | {"bytes are equal at density": even}
    return row


def bytes_24(inner: int, out: int, folder: Path) -> dict[str, Any]:
    """Of one 2:4 layer: what lies in memory and on disk, over dense fp16."""
    weight = torch.randn(out, inner, generator=torch.Generator().manual_seed(0))
    layer = Sparse24Linear.from_weight(weight * keep_n_of_m(weight.abs(), 2, 4))
    dense = dense_bytes(inner, out)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        disk = save_layers(Path(scratch) / "layer.safetensors", {"layer": layer}).stat().st_size
    return {"in": inner, "out": out, "in memory": layer.nbytes / dense, "on disk": disk / dense}
