"""What speculation buys on the course's own pair, beside what the formula promises for the measured acceptance."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

from labkit.data import shipped
from labkit.generation.drafting import Drafter, DraftModel, PromptLookup
from labkit.generation.generating import Generation, generate
from labkit.generation.lean_decoding import lean
from labkit.generation.verifying import expected_speedup
from labkit.measure.progress import progress
from labkit.measure.threads import torch_threads
from labkit.models import Decoder, load

LENGTHS, NEW, PROMPTS, ROUNDS = (1, 2, 4, 8), 48, 8, 3


def speculation(target: str | Path, draft: str | Path) -> list[dict[str, Any]]:
    """One row for each drafter and draft length: acceptance, speed-up measured and expected; batch 1, one thread."""
    model, tokenizer, _ = load(target, dtype="float32", device="cpu")
    small = load(draft, dtype="float32", device="cpu").model
    with (shipped("world") / "documents.before.jsonl").open(encoding="utf-8") as lines:
        texts = [json.loads(next(lines))["text"] for _ in range(PROMPTS)]
    prompts = [tokenizer(text, add_special_tokens=False)["input_ids"][:64] for text in texts]
    model, small = lean(model), lean(small)
    with torch_threads(1):
        cost = _seconds(small, prompts) / _seconds(model, prompts)
        cases = [(name, k) for name in ("draft model", "prompt look-up") for k in LENGTHS]
        return [_row(model, small, prompts, name, k, cost) for name, k in progress(cases, "speculation")]


def _row(model: Decoder, small: Decoder, prompts: list[list[int]], name: str, k: int, cost: float) -> dict[str, Any]:
    price = cost if name == "draft model" else 0.0
    ratios, runs = [], []
    for _ in range(ROUNDS):
        drafter: Drafter = DraftModel(small) if name == "draft model" else PromptLookup()
        plain, fast = _write(model, prompts), _write(model, prompts, drafter, k)
        ratios.append(_total(plain) / _total(fast))
        runs = fast
    accepted, refused = sum(g.accepted for g in runs), sum(g.refused for g in runs)
    acceptance = accepted / max(accepted + refused, 1)
    return {
        "drafter": name,
        "draft length": k,
        "draft cost": price,
        "acceptance": acceptance,
        "tokens a pass": sum(g.new_tokens for g in runs) / sum(g.steps for g in runs),
        "guesses a pass": sum(g.drafted for g in runs) / sum(g.steps - 1 for g in runs),
        "speed-up": statistics.median(ratios),
        # Look-up guesses nothing where the text does not repeat itself, so the formula for k guesses is not about it.
        "expected": expected_speedup(acceptance, k, price) if name == "draft model" else None,
    }


def _write(
    model: Decoder, prompts: list[list[int]], drafter: Drafter | None = None, length: int = 1
) -> list[Generation]:
    return [generate(model, [p], NEW, stop=lambda new: False, drafter=drafter, draft_length=length) for p in prompts]


def _total(runs: list[Generation]) -> float:
    return sum(g.decode_seconds for g in runs)


def _seconds(model: Decoder, prompts: list[list[int]]) -> float:
    return min(_total(_write(model, prompts[:2])) for _ in range(3))
