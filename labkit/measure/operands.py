"""Operand sets that a cache cannot hold, so that a small layer is timed as it runs inside a large model.

A 16 MB weight timed alone lives in the last-level cache; in a model it comes from memory at every step.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch

MARGIN = 2  # times the last-level cache: replacement is not strictly oldest-first, so once over it is not enough
SMALL = 16  # an operand under 1/16 of the largest is no weight, and stays in a cache in real use as well
UNKNOWN_CACHE = 64 << 20  # bytes, where the system does not tell


def tensors_in(value: Any) -> Iterator[torch.Tensor]:
    """Every tensor in nested tuples, lists and dictionaries, and the parameters and buffers of modules."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, torch.nn.Module):
        yield from value.parameters()
        yield from value.buffers()
    elif isinstance(value, dict):
        yield from tensors_in(list(value.values()))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from tensors_in(item)


def sets_needed(operands: tuple, cache_bytes: int | None) -> int:
    """How many sets like this one overflow a cache twice over.

    Counted by the smallest large operand: of a float32 weight and its 4-bit copy in one tuple a function may touch
    only the copy. Raises `ValueError` where no operand is a tensor with bytes.

    >>> sets_needed((torch.zeros(1024, 1024), torch.zeros(8, 1024)), 32 << 20)
    16
    """
    sizes = [t.numel() * t.element_size() for t in tensors_in(operands)]
    if not sizes or max(sizes) == 0:
        raise ValueError("rotate(i) must return a tuple of operands with at least one tensor that holds bytes.")
    smallest = min(s for s in sizes if s * SMALL >= max(sizes))
    return max(2, math.ceil(MARGIN * (cache_bytes or UNKNOWN_CACHE) / smallest))


def rotated(first: tuple, make: Callable[[int], tuple], cache_bytes: int | None, memory_bytes: int) -> list[tuple]:
    """`first`, which is `make(0)`, then `make(1)`, ... until they overflow `cache_bytes`.

    Raises `ValueError` if they would not fit into `memory_bytes`.
    """
    count = sets_needed(first, cache_bytes)
    total = count * sum(t.numel() * t.element_size() for t in tensors_in(first))
    if total > memory_bytes:
        raise ValueError(
            f"{count} operand sets of {total // count:,} bytes do not fit into {memory_bytes:,} bytes of memory; "
            "make the operands of one kind, or leave rotate out and say that the cache was warm."
        )
    return [first, *(make(i) for i in range(1, count))]


def cloned(value: Any) -> Any:
    """The same structure with every tensor copied: what runs for a check must not change what is timed later."""
    if isinstance(value, torch.Tensor):
        return value.clone()
    if isinstance(value, dict):
        return {key: cloned(item) for key, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(cloned(item) for item in value)
    return value
