"""Linear layers whose weight is held in a sparse format and multiplied in it.

Their buffers are all that they hold: what `nbytes` says is what lies in memory. `dequantize` gives the dense weight
back, by the name under which the walk asks every packed layer for it. Inference only; activations and bias are fp32.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from labkit.kernels.csr_linear import Csr, check_csr, csr_linear, pack_csr, unpack_csr
from labkit.kernels.row_skipping import active_inputs, pack_inputs, row_skipping_linear, unpack_inputs
from labkit.kernels.sparse_24 import Packed24, pack_24, unpack_24
from labkit.kernels.sparse_24_linear import Panels24, from_panels, in_panels, sparse_24_linear
from labkit.models.decoder import Decoder
from labkit.models.walk import Site, replace, weight_of

Bias = Float[Tensor, " out"] | None


class SparseLinear(nn.Module):
    """What the formats have in common: sizes, a bias, and bytes counted where they lie."""

    def __init__(self, inner: int, out: int, bias: Bias) -> None:
        super().__init__()
        self.in_features, self.out_features = inner, out
        self.register_buffer("bias", None if bias is None else bias.detach().float().clone())

    @property
    def nbytes(self) -> int:
        """Bytes of all buffers, indices and padding included."""
        return sum(buffer.untyped_storage().nbytes() for buffer in self.buffers())


class CsrLinear(SparseLinear):
    """Only the weights that are not zero, in fp32: torch's sparse product takes nothing smaller on a CPU.

    Raises `ValueError` for compressed rows that are none.
    """

    def __init__(self, packed: Csr, inner: int, bias: Bias = None) -> None:
        check_csr(packed, inner)
        super().__init__(inner, len(packed.starts) - 1, bias)
        for name, tensor in zip(Csr._fields, packed, strict=True):
            self.register_buffer(name, tensor)

    @classmethod
    def from_weight(cls, weight: Float[Tensor, "out in"], bias: Bias = None) -> CsrLinear:
        return cls(pack_csr(weight.float()), weight.shape[1], bias)

    @property
    def packed(self) -> Csr:
        return Csr(self.starts, self.columns, self.values)

    def dequantize(self) -> Float[Tensor, "out in"]:
        return unpack_csr(self.packed, self.in_features)

    def forward(self, x: Float[Tensor, "*rows in"]) -> Float[Tensor, "*rows out"]:
        return csr_linear(x.float(), self.packed, self.bias).to(x.dtype)


class Sparse24Linear(SparseLinear):
    """A 2:4 weight in the order in which the kernel reads, as bf16 or fp32."""

    def __init__(self, packed: Packed24, bias: Bias = None) -> None:
        super().__init__(2 * packed.values.shape[1], len(packed.values), bias)
        dtype = torch.float32 if packed.values.dtype == torch.float32 else torch.bfloat16
        for name, tensor in zip(Panels24._fields, in_panels(packed, dtype), strict=True):
            self.register_buffer(name, tensor)

    @classmethod
    def from_weight(
        cls, weight: Float[Tensor, "out in"], bias: Bias = None, dtype: torch.dtype = torch.bfloat16
    ) -> Sparse24Linear:
        """Raises `ValueError` for a weight that is not 2:4."""
        return cls(pack_24(weight.to(dtype)), bias)

    @property
    def packed(self) -> Packed24:
        return from_panels(Panels24(self.values, self.places), self.out_features, self.in_features)

    def dequantize(self) -> Float[Tensor, "out in"]:
        return unpack_24(self.packed)

    def forward(self, x: Float[Tensor, "*rows in"]) -> Float[Tensor, "*rows out"]:
        panels = Panels24(self.values, self.places)
        return sparse_24_linear(x.float(), panels, self.out_features, self.bias).to(x.dtype)


class SkippingLinear(SparseLinear):
    """All weights, but those of inputs within `threshold` of zero are not read: such inputs are taken for zero.

    NaN is within nothing: a broken input shows in the output.
    """

    def __init__(
        self,
        weight: Float[Tensor, "out in"],
        threshold: float,
        bias: Bias = None,
        dtype: torch.dtype = torch.bfloat16,
    ) -> None:
        super().__init__(weight.shape[1], weight.shape[0], bias)
        self.threshold = threshold
        self.register_buffer("rows", pack_inputs(weight, dtype))

    def dequantize(self) -> Float[Tensor, "out in"]:
        return unpack_inputs(self.rows, self.out_features)

    def forward(self, x: Float[Tensor, "*rows in"]) -> Float[Tensor, "*rows out"]:
        kept = torch.where(x.abs() <= self.threshold, 0.0, x).float()
        return row_skipping_linear(kept, active_inputs(kept), self.rows, self.out_features, self.bias).to(x.dtype)


def packed_layer(
    model: Decoder, site: Site, kind: type[CsrLinear] | type[Sparse24Linear]
) -> CsrLinear | Sparse24Linear:
    """The layer at `site` in a sparse format; the model is not changed."""
    layer = None if site.expert is not None else model.get_submodule(site.path)
    return kind.from_weight(weight_of(model, site).detach(), bias=getattr(layer, "bias", None))


def place(model: Decoder, layers: dict[str, SparseLinear], sites: list[Site]) -> None:
    """Put each layer where its path says. Raises `KeyError` naming a path that is none of `sites`."""
    known = {site.path: site for site in sites}
    for path, layer in layers.items():
        if path not in known:
            raise KeyError(f"The model has no linear layer {path!r}; it has {', '.join(known)}.")
        replace(model, known[path], layer)
