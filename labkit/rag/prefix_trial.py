"""What a prefix cache gives back in prefill: the same prompts, one after another, with it and without."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from labkit.measure.comparison import compare
from labkit.measure.comparison_report import Comparison
from labkit.measure.report import Report, Table, si
from labkit.models.decoder import Decoder
from labkit.rag.prefix import PrefixCache, prefill


@dataclass(frozen=True)
class PrefixTrial(Report):
    """`tokens` of all prompts, of which `read` went through the model with the cache, and the speed of both."""

    prompts: int
    tokens: int
    read: int
    speed: Comparison

    def table(self) -> Table:
        seconds = self.speed.baseline_seconds, self.speed.candidate_seconds
        rows = [["without", self.tokens, si(seconds[0], "s"), "1"]]
        ratio = f"{self.speed.ratio:.3g} ({self.speed.low:.3g} to {self.speed.high:.3g})"
        rows.append(["with", self.read, si(seconds[1], "s"), ratio])
        columns = ["prefix cache", "tokens read", "prefill of all", "speed (95 %)"]
        return Table(f"{self.prompts} prompts of {self.tokens} tokens", columns, rows, self.speed.verdict)


def prefix_trial(model: Decoder, prompts: Sequence[Sequence[int]], rounds: int = 9) -> PrefixTrial:
    """Reads all prompts in turn, each into a fresh cache or behind what it shares with the one before.

    The first is read whole in both. Logits are compared before anything is timed. Raises `ValueError` for no prompts.
    """
    if not prompts:
        raise ValueError("There is no prompt to read.")
    longest = max(map(len, prompts))

    def without() -> Float[Tensor, "prompts vocab"]:
        return torch.stack([prefill(model, PrefixCache(model.new_cache(1, longest)), p) for p in prompts])

    def behind() -> Float[Tensor, "prompts vocab"]:
        prefix = PrefixCache(model.new_cache(1, longest))
        return torch.stack([prefill(model, prefix, p) for p in prompts])

    prefix = PrefixCache(model.new_cache(1, longest))
    read = 0
    for prompt in prompts:
        read += len(prompt) - prefix.keep(prompt)
        prefill(model, prefix, prompt)
    speed = compare(without, behind, check=_close, rounds=rounds, names=("without", "with a prefix cache"))
    return PrefixTrial(len(prompts), sum(map(len, prompts)), read, speed)


def _close(fresh: Tensor, behind: Tensor) -> None:
    torch.testing.assert_close(behind, fresh, atol=1e-3, rtol=1e-3)
