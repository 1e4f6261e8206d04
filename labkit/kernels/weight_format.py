"""How a matrix of weights is written in few bits: one type that says bits, groups, codes and scales, and counts bytes.

A code is a whole number of `bits` bits. A group of neighbouring codes of one output row shares a scale:

| code      | symmetric | a weight is                         | stored a group |
|-----------|-----------|-------------------------------------|----------------|
| "integer" | True      | scale * (code - 2 ** (bits - 1))    | scale          |
| "integer" | False     | scale * (code - zero)               | scale, zero    |
| "nf4"     | True      | scale * NF4_LEVELS[code]            | scale          |

The middle of the symmetric codes is fixed, so no zeros are stored; it costs range where a group is not centred.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch

BITS = (2, 3, 4, 8)
SCALE_DTYPES = (torch.float16, torch.bfloat16, torch.float32)
Code = Literal["integer", "nf4"]


@dataclass(frozen=True)
class WeightFormat:
    """`group_size` neighbouring inputs share a scale; None is one group for the whole output row.

    Scales, and zeros where there are any, are stored as `scale_dtype`. Raises `ValueError` for bits other than 2, 3, 4
    and 8, a group size below 1, a scale dtype other than fp16, bf16 and fp32, an unknown code, and an NF4 that is not
    symmetric with 4 bits.

    >>> WeightFormat(bits=4, group_size=32).nbytes(1, 64)  # 64 half bytes, two scales of two bytes
    36
    """

    bits: int
    group_size: int | None = None
    symmetric: bool = True
    code: Code = "integer"
    scale_dtype: torch.dtype = torch.float16

    def __post_init__(self) -> None:
        if self.bits not in BITS:
            raise ValueError(f"Weights are stored in 2, 3, 4 or 8 bits, not {self.bits}.")
        if self.group_size is not None and self.group_size < 1:
            raise ValueError(f"A group has at least 1 weight, or is None for a whole row; got {self.group_size}.")
        if self.scale_dtype not in SCALE_DTYPES:
            raise ValueError(f"Scales are stored as float16, bfloat16 or float32, not {self.scale_dtype}.")
        if self.code not in ("integer", "nf4"):
            raise ValueError(f"Codes are 'integer' or 'nf4', not {self.code!r}.")
        if self.code == "nf4" and not (self.bits == 4 and self.symmetric):
            raise ValueError(f"NF4 has 4 bits and no zeros; got {self.bits} bits, symmetric={self.symmetric}.")

    @property
    def levels(self) -> int:
        """How many different codes there are.

        >>> WeightFormat(bits=3).levels
        8
        """
        return 2**self.bits

    @property
    def middle(self) -> int:
        """The symmetric integer code that means 0."""
        return 2 ** (self.bits - 1)

    def groups(self, in_features: int) -> int:
        """Groups a row; raises `ValueError` if the group size does not divide the row.

        >>> WeightFormat(bits=4, group_size=32).groups(128), WeightFormat(bits=4).groups(128)
        (4, 1)
        """
        size = in_features if self.group_size is None else self.group_size
        if in_features < 1 or in_features % size:
            raise ValueError(
                f"Groups of {size} do not divide rows of {in_features}: choose a group size that does, or None."
            )
        return in_features // size

    def row_bytes(self, in_features: int) -> int:
        """Bytes of the packed codes of one row, which begins on a whole byte.

        >>> WeightFormat(bits=3).row_bytes(8), WeightFormat(bits=4).row_bytes(5)
        (3, 3)
        """
        return -(-in_features * self.bits // 8)

    def nbytes(self, out_features: int, in_features: int) -> int:
        """All stored bytes: codes, scales and zeros."""
        numbers = self.groups(in_features) * (1 if self.symmetric else 2)
        return out_features * (self.row_bytes(in_features) + numbers * self.scale_dtype.itemsize)
