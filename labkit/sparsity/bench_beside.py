"""A sparse layer beside two dense bf16 ones: torch's own product, and ours that streams its weights as it does.

Every call takes the next of many weights, so that weights come from memory and not from a cache; outputs are compared
before anything is timed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from labkit.kernels.packed_linear import pack, packed_linear
from labkit.measure.comparison import compare
from labkit.sparsity.costs import dense_bytes

WEIGHT_BYTES = 1 << 27
"""Of bf16 weights that calls walk through."""
ROUNDS = 9

Call = Callable[[], Tensor]


def weights_of_shape(inner: int, out: int) -> list[Tensor]:
    """As many random bf16 weights as take `WEIGHT_BYTES`, at least one."""
    generator = torch.Generator().manual_seed(0)
    count = max(WEIGHT_BYTES // dense_bytes(inner, out), 1)
    return [torch.randn(out, inner, generator=generator).bfloat16() for _ in range(count)]


def beside_dense(x: Tensor, weights: Sequence[Tensor], sparse: Sequence[Call]) -> dict[str, Any]:
    """Ratios above 1 mean that the sparse layer is faster; `sparse[i]` multiplies by `weights[i]`."""
    out, narrow = weights[0].shape[0], x.bfloat16()
    torchs = [partial(torch.nn.functional.linear, narrow, w) for w in weights]
    streamed = [partial(packed_linear, x, pack(w, torch.bfloat16), out) for w in weights]
    return {"torch bf16": ratio(torchs, sparse), "packed bf16": ratio(streamed, sparse)}


def ratio(baseline: Sequence[Call], candidate: Sequence[Call]) -> dict[str, Any]:
    """The measured ratio and its interval; both walk through their weights in the same order."""
    found = compare(_walking(baseline), _walking(candidate), check=_close, rounds=ROUNDS, names=("dense", "sparse"))
    return {"ratio": found.ratio, "interval": [found.low, found.high]}


def _walking(calls: Sequence[Call]) -> Call:
    place = -1

    def following() -> Tensor:
        nonlocal place
        place = (place + 1) % len(calls)
        return calls[place]()

    return following


def _close(theirs: Tensor, ours: Tensor) -> bool:
    """Within what rounding to bf16 explains."""
    return bool((theirs.float() - ours.float()).norm() <= 0.02 * theirs.float().norm())
