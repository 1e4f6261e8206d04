"""What sparsity saves in bytes, and from there in time: the formulas that say where each format loses.

A decode step waits for weights, so its time is their bytes over the bandwidth, plus what is paid for each call. That
last part, and rows that need different weights, are where the savings go.
"""

from __future__ import annotations

import math

INDEX_BYTES = 4
"""Of a place in CSR."""


def active_share(density: float, rows: int) -> float:
    """The share of inputs that at least one of `rows` tokens needs, if each needs `density` of them independently.

    >>> active_share(0.5, rows=1), active_share(0.5, rows=3)
    (0.5, 0.875)
    """
    return 1 - (1 - density) ** rows


def dense_bytes(inner: int, out: int, itemsize: int = 2) -> int:
    """Of a dense weight."""
    return inner * out * itemsize


def sparse_24_bytes(inner: int, out: int, itemsize: int = 2) -> int:
    """Of a 2:4 weight: half of the values, and 4 bits for each group of four inputs.

    >>> sparse_24_bytes(64, 64) / dense_bytes(64, 64)  # 9/16
    0.5625
    """
    return inner * out * itemsize // 2 + inner * out // 8


def csr_bytes(inner: int, out: int, density: float, itemsize: int = 4) -> int:
    """Of a weight in compressed rows: a value and a place for each weight, a start for each row.

    >>> csr_bytes(100, 100, density=0.1), dense_bytes(100, 100, itemsize=4)
    (8404, 40000)
    """
    nonzero = round(inner * out * density)
    return nonzero * (itemsize + INDEX_BYTES) + INDEX_BYTES * (out + 1)


def csr_break_even_density(inner: int, itemsize: int = 4, dense_itemsize: int | None = None) -> float:
    """The density at which CSR takes as many bytes as the dense weight of `dense_itemsize`; below it, fewer.

    >>> round(csr_break_even_density(4096), 3), round(csr_break_even_density(4096, dense_itemsize=2), 3)
    (0.5, 0.25)
    """
    saved = (dense_itemsize or itemsize) * inner - INDEX_BYTES
    return saved / (inner * (itemsize + INDEX_BYTES))


def row_skipping_seconds(
    inner: int, out: int, density: float, rows: int, bandwidth: float, call_seconds: float, itemsize: int = 2
) -> float:
    """The least time of a layer that skips inactive inputs: the call, and the weights that any row needs.

    >>> row_skipping_seconds(1000, 1000, density=0.5, rows=1, bandwidth=1e9, call_seconds=0.5)
    0.501
    """
    return call_seconds + active_share(density, rows) * dense_bytes(inner, out, itemsize) / bandwidth


def row_skipping_speedup(
    inner: int, out: int, density: float, rows: int, bandwidth: float, call_seconds: float, itemsize: int = 2
) -> float:
    """How many times faster than the dense layer, itself one call that reads every weight; below 1 it loses.

    `call_seconds` is what finding the active inputs and a second kernel add. It loses for certain where the bytes saved
    take less time than that: small layers, many rows, densities near 1.

    >>> round(row_skipping_speedup(4096, 4096, density=0.25, rows=1, bandwidth=20e9, call_seconds=20e-6), 2)
    3.82
    """
    dense = dense_bytes(inner, out, itemsize) / bandwidth
    return dense / row_skipping_seconds(inner, out, density, rows, bandwidth, call_seconds, itemsize)


def most_rows(inner: int, out: int, density: float, bandwidth: float, call_seconds: float, itemsize: int = 2) -> int:
    """The largest number of rows at which skipping still wins; 0 where it loses even with one.

    It wins while the share of inputs that no row needs, (1 - density)^rows, saves more time than the call costs. Raises
    `ValueError` where that has no end: no active input, or calls that cost nothing.

    >>> most_rows(4096, 4096, density=0.25, bandwidth=20e9, call_seconds=20e-6)
    15
    >>> most_rows(64, 64, density=0.25, bandwidth=20e9, call_seconds=20e-6)
    0
    """
    if density <= 0 or call_seconds <= 0:
        raise ValueError(f"It wins at any number of rows at density {density} and {call_seconds} s a call.")
    needed = call_seconds * bandwidth / dense_bytes(inner, out, itemsize)
    if density >= 1 or needed >= 1:
        return 0
    return math.ceil(math.log(needed) / math.log(1 - density)) - 1
