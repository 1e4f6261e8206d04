"""The quantization schemes of bitsandbytes, and the bytes each takes: data only, so that planning is quick."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

BLOCK = 64  # weights that share one scale in the 4-bit schemes
SUPER_BLOCK = 256  # scales that share one scale when scales are quantized too
ROLES = ("q", "k", "v", "o", "gate", "up", "down")  # embedding, router, norms and head keep their precision


def is_quantized_weight(name: str) -> bool:
    """Whether a tensor of ours is quantized when a model is: the weights of attention, MLP and experts."""
    return name.endswith(tuple(f".{role}_proj.weight" for role in ROLES))


@dataclass(frozen=True)
class Scheme:
    """`quant_type` is bitsandbytes' name of a 4-bit code; `double` means that the scales are quantized as well."""

    name: str
    bits: int
    quant_type: str | None = None
    double: bool = False

    def nbytes(self, rows: int, columns: int) -> int:
        """Bytes of a quantized weight with its scales and its own copy of the table of codes.

        >>> SCHEMES["nf4"].nbytes(64, 64)  # 4096 weights at half a byte, 64 scales of 4 bytes, 16 codes of 4 bytes
        2368
        """
        weights = rows * columns
        if self.bits == 8:
            return weights + 4 * rows
        scales = math.ceil(weights / BLOCK)
        plain, double = 4 * scales, scales + 4 * math.ceil(scales / SUPER_BLOCK) + 4 * 256 + 4  # 256 codes, an offset
        return math.ceil(weights / 2) + 4 * 16 + (double if self.double else plain)

    def held_bytes(self, name: str, shape: tuple[int, ...]) -> int | None:
        """Bytes of the tensor `name` (ours) in memory; None for one that is not quantized."""
        return self.nbytes(*shape) if is_quantized_weight(name) else None

    def stored_shapes(self, name: str, shape: tuple[int, ...]) -> dict[str, tuple[int, ...]] | None:
        """Name and shape of what a file holds in place of `name`; None for one that is not quantized."""
        return {name: self.stored_shape(shape)} if is_quantized_weight(name) else None

    def stored_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of the codes in a file: two a byte in one column, or int8 as it is."""
        return shape if self.bits == 8 else ((math.prod(shape) + 1) // 2, 1)

    def to_config(self) -> dict[str, Any]:
        """`quantization_config` as transformers writes it, so that its reader and ours agree."""
        if self.bits == 8:
            return {"quant_method": "bitsandbytes", "load_in_8bit": True, "load_in_4bit": False}
        return {
            "quant_method": "bitsandbytes",
            "load_in_8bit": False,
            "load_in_4bit": True,
            "bnb_4bit_quant_type": self.quant_type,
            "bnb_4bit_use_double_quant": self.double,
        }


SCHEMES = {
    "int8": Scheme("int8", 8),
    "nf4": Scheme("nf4", 4, "nf4"),
    "nf4-double": Scheme("nf4-double", 4, "nf4", double=True),
    "fp4": Scheme("fp4", 4, "fp4"),
}
