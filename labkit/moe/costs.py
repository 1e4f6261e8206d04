"""What a layer of experts must fetch and calculate: the two formulas behind the batching cliff.

Calculating grows with the tokens; fetching grows with the *experts that are hit*, and a handful of tokens hits most of
them. So between one token and many there is a stretch where a mixture costs far more than the dense layer that does
the same arithmetic.
"""

from __future__ import annotations

from dataclasses import dataclass

from labkit.measure.ceiling_report import Ceilings

FP32 = 4


def experts_hit(experts: int, chosen: int, tokens: int) -> float:
    """How many of `experts` get at least one of `tokens` tokens, expected, if each goes to `chosen` at random.

    An expert is missed by one token with probability 1 - chosen / experts, and tokens miss independently.

    >>> experts_hit(experts=8, chosen=2, tokens=1), experts_hit(experts=8, chosen=2, tokens=2)
    (2.0, 3.5)
    """
    return experts * (1 - (1 - chosen / experts) ** tokens)


@dataclass(frozen=True)
class LayerCost:
    """FLOPs and weight bytes of one layer for some tokens; activations are left out, as their share is small."""

    flops: float
    weight_bytes: float

    def least_seconds(self, ceilings: Ceilings, threads: int | None = None) -> float:
        """What no program can beat on this machine in fp32: the longer of fetching and calculating."""
        fetching = self.weight_bytes / ceilings.bandwidth(int(self.weight_bytes), threads, kind="read")
        return max(fetching, self.flops / ceilings.peak("float32", threads))


def moe_layer(hidden: int, inner: int, experts: int, chosen: int, tokens: int, itemsize: int = FP32) -> LayerCost:
    """A layer of SwiGLU experts: three matrices of hidden x inner each. The router is left out.

    >>> moe_layer(hidden=4, inner=2, experts=8, chosen=2, tokens=2)
    LayerCost(flops=192, weight_bytes=336.0)
    """
    matrices = 3 * hidden * inner
    return LayerCost(2 * matrices * chosen * tokens, itemsize * matrices * experts_hit(experts, chosen, tokens))


def dense_layer(hidden: int, inner: int, tokens: int, itemsize: int = FP32) -> LayerCost:
    """A SwiGLU MLP; with `inner` = chosen x an expert's it calculates as much a token as the mixture."""
    return moe_layer(hidden, inner, 1, 1, tokens, itemsize)
