"""A quantized weight in the order in which a processor can eat it: 16 outputs side by side, read from end to end.

The same bytes as `PackedWeight`, in another order. A panel is group after group: the 16 scales of the group (and its 16
zeros, if the format has them), then its codes, 32 inputs after 32 inputs. Of 4-bit codes 32 bytes are four inputs, the
low halves of outputs 0 to 7 and the high halves of outputs 8 to 15; of 8-bit codes 32 bytes are two inputs of all 16,
less 128 each, so that they are signed. `native/quantized_panels.h` says why.

What fills up the last panel and a row that is no multiple of 32 are the only bytes more.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import UInt8
from torch import Tensor
from torch.nn.functional import pad

from labkit.kernels.packed_linear import PANEL
from labkit.kernels.packed_weight import PackedWeight, pack, unpack
from labkit.kernels.quantized_weight import QuantizedWeight
from labkit.kernels.rounded_activations import BLOCK
from labkit.kernels.weight_format import WeightFormat

_SCALE_TYPES = (torch.float16, torch.bfloat16, torch.float32)


class PanelLayout(NamedTuple):
    """What the bytes of a panel weight mean, as whole numbers: an operator and C code take them as they are.

    `group_size` is 0 for a whole row, `zeros` 1 where there are any.
    """

    out_features: int
    in_features: int
    bits: int
    group_size: int
    zeros: int
    scale_type: int

    @classmethod
    def of(cls, fmt: WeightFormat, out_features: int, in_features: int) -> PanelLayout:
        """Raises `ValueError` for a format that has no panels (see `fits_panels`) or does not divide the row."""
        if not fits_panels(fmt):
            raise ValueError(
                f"There are no panels for {fmt}: only for integers of 4 or 8 bits in groups of 32, 64, ..."
            )
        fmt.groups(in_features)
        types = int(not fmt.symmetric), _SCALE_TYPES.index(fmt.scale_dtype)
        return cls(out_features, in_features, fmt.bits, fmt.group_size or 0, *types)

    @property
    def format(self) -> WeightFormat:
        """The format it was packed from."""
        scale_dtype = _SCALE_TYPES[self.scale_type]
        return WeightFormat(self.bits, self.group_size or None, not self.zeros, "integer", scale_dtype)

    @property
    def groups(self) -> int:
        return self.in_features // self.group_size if self.group_size else 1

    @property
    def blocks_in_group(self) -> int:
        return -(-self.in_features // self.groups // BLOCK)

    @property
    def header_bytes(self) -> int:
        """Of the scales and zeros of a group of a panel."""
        return PANEL * _SCALE_TYPES[self.scale_type].itemsize * (1 + self.zeros)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Panels, groups, and bytes of a group of a panel."""
        codes = self.blocks_in_group * BLOCK * PANEL * self.bits // 8
        return -(-self.out_features // PANEL), self.groups, self.header_bytes + codes


class PanelWeight(NamedTuple):
    """The bytes and what they mean."""

    panels: UInt8[Tensor, "panels groups group_bytes"]
    layout: PanelLayout


def fits_panels(format: WeightFormat) -> bool:  # noqa: A002  the noun of `weight_format`
    """Whether there is an order in panels for it: integers of 4 or 8 bits, in whole rows or groups of 32, 64, ...

    >>> fits_panels(WeightFormat(4, 64)), fits_panels(WeightFormat(4, 16)), fits_panels(WeightFormat(3, 64))
    (True, False, False)
    """
    return format.code == "integer" and format.bits in (4, 8) and (format.group_size or BLOCK) % BLOCK == 0


def to_panels(weight: PackedWeight) -> PanelWeight:
    """The same weight in panels. Raises `ValueError` for a format that has none; see `fits_panels`."""
    layout = PanelLayout.of(weight.format, *weight.shape)
    headers = [_bytes_by_panel(t) for t in (weight.scales, weight.zeros) if t is not None]
    return PanelWeight(torch.cat([*headers, _codes_by_panel(unpack(weight).codes, layout)], dim=-1), layout)


def from_panels(weight: PanelWeight) -> PackedWeight:
    """What `to_panels` was given."""
    panels, layout = weight
    sizes = [layout.header_bytes // (1 + layout.zeros)] * (1 + layout.zeros)
    *headers, codes = panels.split([*sizes, panels.shape[-1] - sum(sizes)], dim=-1)
    numbers = [_rows_of_bytes(h, layout) for h in headers]
    scales, zeros = numbers if layout.zeros else (numbers[0], None)
    return pack(QuantizedWeight(_rows_of_codes(codes, layout), scales, zeros, layout.format))


def _bytes_by_panel(numbers: Tensor) -> UInt8[Tensor, "panels groups bytes"]:
    padded = pad(numbers, (0, 0, 0, -len(numbers) % PANEL))
    return padded.unflatten(0, (-1, PANEL)).transpose(1, 2).contiguous().view(torch.uint8)


def _rows_of_bytes(header: Tensor, layout: PanelLayout) -> Tensor:
    numbers = header.contiguous().view(_SCALE_TYPES[layout.scale_type])
    return numbers.transpose(1, 2).flatten(0, 1)[: layout.out_features].contiguous()


def _codes_by_panel(codes: Tensor, layout: PanelLayout) -> UInt8[Tensor, "panels groups bytes"]:
    grouped = codes.unflatten(1, (layout.groups, -1))
    size = layout.blocks_in_group * BLOCK
    padded = pad(grouped, (0, size - grouped.shape[-1], 0, 0, 0, -len(codes) % PANEL))
    if layout.bits == 8:  # panel, output, group, step, input of two
        return (padded.view(-1, PANEL, layout.groups, size // 2, 2).permute(0, 2, 3, 1, 4) ^ 128).flatten(2)
    # panel, half, output of eight, group, step, input of four
    low, high = padded.view(-1, 2, 8, layout.groups, size // 4, 4).permute(1, 0, 3, 4, 2, 5)
    return (low | high << 4).flatten(2)


def _rows_of_codes(held: Tensor, layout: PanelLayout) -> UInt8[Tensor, "out in"]:
    panels, groups, _ = layout.shape
    if layout.bits == 8:
        rows = (held.view(panels, groups, -1, PANEL, 2) ^ 128).permute(0, 3, 1, 2, 4)
    else:
        both = held.view(panels, groups, -1, 8, 4)
        rows = torch.stack((both & 15, both >> 4), dim=1).permute(0, 1, 4, 2, 3, 5).flatten(1, 2)
    rows = rows.flatten(3).flatten(0, 1)
    return rows[: layout.out_features, :, : layout.in_features // groups].flatten(1).contiguous()
