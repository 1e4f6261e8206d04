"""Schemes of our own: which layer is held in which format of `labkit.kernels`, by name or as a file says it.

"w4a16" is weights of 4 bits and activations of 16. Attention, MLP and experts take the format of the name; a head that
is not tied to the embedding table takes 8 bits, because its errors go straight to the logits; the rest stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from labkit.kernels.quantized_panels import PanelLayout, fits_panels
from labkit.kernels.weight_format import WeightFormat
from labkit.models.errors import LoadError
from labkit.models.quantized_linear import LayerFormat
from labkit.models.schemes import is_quantized_weight

METHOD = "labkit"
"""`quant_method` of a checkpoint with our packed weights."""


@dataclass(frozen=True)
class PackedScheme:
    """`layer` and `head` are the formats of a named scheme; `own` those of single layers, by path, and then all."""

    name: str
    layer: LayerFormat | None = None
    head: LayerFormat | None = None
    own: Mapping[str, LayerFormat] = field(default_factory=dict)

    def format_of(self, path: str) -> LayerFormat | None:
        """The format of the linear layer at `path` of our decoder; None for one that is not quantized."""
        if self.own:
            return self.own.get(path)
        return self.head if path == "lm_head" else self.layer if is_quantized_weight(f"{path}.weight") else None

    def held_bytes(self, name: str, shape: tuple[int, ...]) -> int | None:
        """Bytes in memory of the tensor `name`; None for one that is not quantized.

        Raises `LoadError` for a matrix whose rows the groups do not divide.
        """
        layer = self.format_of(name.removesuffix(".weight")) if name.endswith(".weight") else None
        if layer is None:
            return None
        try:
            if not fits_panels(layer.weight):
                return layer.weight.nbytes(*shape)
            panels, groups, size = PanelLayout.of(layer.weight, *shape).shape
        except ValueError as error:
            raise LoadError(f"{name} cannot become {self.name}: {error} w8a16 and w8a8 have no groups.") from None
        return panels * groups * size

    def stored_shapes(self, name: str, shape: tuple[int, ...]) -> dict[str, tuple[int, ...]] | None:
        """Name and shape of the tensors that a file holds in place of `name`, None for one that is not quantized."""
        layer = self.format_of(name.removesuffix(".weight")) if name.endswith(".weight") else None
        if layer is None:
            return None
        (out, inner), fmt = shape, layer.weight
        numbers = ("scales",) if fmt.symmetric else ("scales", "zeros")
        stem = name.removesuffix("weight")
        return {stem + "codes": (out, fmt.row_bytes(inner)), **{stem + n: (out, fmt.groups(inner)) for n in numbers}}


_W4, _W8 = WeightFormat(4, group_size=32), WeightFormat(8)

PACKED_SCHEMES = {
    "w4a16": PackedScheme("w4a16", LayerFormat(_W4, 16), LayerFormat(_W8, 16)),
    "w4a8": PackedScheme("w4a8", LayerFormat(_W4, 8), LayerFormat(_W8, 8)),
    "w8a16": PackedScheme("w8a16", LayerFormat(_W8, 16), LayerFormat(_W8, 16)),
    "w8a8": PackedScheme("w8a8", LayerFormat(_W8, 8), LayerFormat(_W8, 8)),
}


def to_config(layers: Mapping[str, LayerFormat]) -> dict[str, Any]:
    """`quantization_config` of a checkpoint: the formats there are, and which of them each layer has."""
    formats = list(dict.fromkeys(layers.values()))
    places = {path: formats.index(layer) for path, layer in layers.items()}
    return {"quant_method": METHOD, "formats": [_plain(layer) for layer in formats], "layers": places}


def from_config(stored: dict[str, Any], where: str) -> PackedScheme:
    """What `to_config` wrote; a scheme of a name where all layers are as it says. Raises `LoadError` for nonsense."""
    try:
        formats = [_layer_format(plain) for plain in stored["formats"]]
        own = {str(path): formats[place] for path, place in stored["layers"].items()}
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise LoadError(f"{where}: quantization_config is damaged ({error!r}).") from None
    if not own:
        raise LoadError(f"{where}: quantization_config names no quantized layers.")
    for scheme in PACKED_SCHEMES.values():
        if all(scheme.format_of(path) == layer for path, layer in own.items()):
            return PackedScheme(scheme.name, own=own)
    return PackedScheme("mixed", own=own)


def _plain(layer: LayerFormat) -> dict[str, Any]:
    fmt = layer.weight
    return {
        "bits": fmt.bits,
        "group_size": fmt.group_size,
        "symmetric": fmt.symmetric,
        "code": fmt.code,
        "scale_dtype": str(fmt.scale_dtype).removeprefix("torch."),
        "activation_bits": layer.activation_bits,
        "per_row": layer.per_row,
    }


def _layer_format(plain: dict[str, Any]) -> LayerFormat:
    plain = dict(plain)
    activation_bits, per_row = plain.pop("activation_bits"), plain.pop("per_row")
    if activation_bits not in (8, 16) or not isinstance(per_row, bool):
        raise ValueError(f"activation_bits {activation_bits!r} or per_row {per_row!r} is unknown")
    dtypes = {"float16": torch.float16, "bfloat16": torch.bfloat16, "float32": torch.float32}
    return LayerFormat(WeightFormat(**plain | {"scale_dtype": dtypes[plain["scale_dtype"]]}), activation_bits, per_row)
