"""Decoding speed in units of transformers' fp32 `generate` on the same weights: CPU time on one thread, wall on all.

Every variant writes 48 tokens after a prompt of 64, in turns; of the times of single steps the tenth percentile is
taken, which other work on the machine hardly reaches. Choosing the token is part of a step, for all alike.
Other engines take part where they are installed (`peers`), each in a process of its own; CPU time is there the whole
process's, here that of the thread that computes. Whose logits are far from fp32's is not timed.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch

from labkit.generation.decoding import stream
from labkit.generation.lean_decoding import lean
from labkit.generation.peers.catalogue import kinds, versions
from labkit.generation.peers.engine import Blocked, Clock
from labkit.generation.peers.process import EngineProcess, running
from labkit.measure.progress import progress
from labkit.measure.threads import all_threads, torch_threads
from labkit.models import Decoder, load
from labkit.models.placement import bf16_is_fast
from labkit.models.sources import find_source

PROMPT, STEPS, ROUNDS = 64, 48, 5
BATCHES = (1, 16)
RUNS = ((1, "1 thread, CPU time", time.thread_time), (None, "all threads, wall time", time.perf_counter))
UNIT, QUALITY = "transformers fp32", "quality against transformers fp32"
LEAST_COSINE = 0.9  # 4 bits by blocks keep more, even on random weights; a broken export keeps nothing
Writer = Callable[[torch.Tensor, Clock], list[float]]
"""Writes `STEPS` tokens and more after some prompts; gives the seconds of each step by a clock."""
Logits = Callable[[torch.Tensor], torch.Tensor]
"""Those after the last token of a prompt, fed on its own, so that it is the decode step that is judged."""


def beside_transformers(model: str | Path, variants: dict[str, Decoder] | None = None) -> dict[str, Any]:
    """Quality of each variant's logits, then its speed at batch 1 and 16; by default of what is not quantized.

    Other engines are compared in the same kind of numbers: in few bits if `variants` are given, else in plain ones.
    """
    ours, theirs = (load(model, dtype="float32", device="cpu", backend=b).model for b in ("labkit", "transformers"))
    plain = {"labkit fp32": ours, "lean fp32": lean(ours), "lean bf16": lean(ours, torch.bfloat16)}
    engines = kinds(few_bits=variants is not None)
    variants = plain if variants is None else variants
    writers: dict[str, Writer] = {UNIT: their_writer(theirs)} | {n: _our_writer(v) for n, v in variants.items()}
    judged = {name: partial(_decoded, variant) for name, variant in variants.items()}
    found: dict[str, Any] = {QUALITY: quality(theirs, judged, ours.config.vocab_size)}
    if bf16_is_fast():
        half = load(model, dtype="bfloat16", device="cpu", backend="transformers").model
        writers["transformers bf16"] = their_writer(half)
    else:
        found["transformers bf16"] = {"blocked": "this processor has no instructions for bf16"}
    found["engines"] = versions()
    room = {"folder": find_source(model).with_weights(), "rows": BATCHES[-1], "length": PROMPT + STEPS + 2}
    with tempfile.TemporaryDirectory() as scratch:
        for threads, name, clock in RUNS:
            with running(engines, scratch=Path(scratch), threads=threads or all_threads(), **room) as (
                started,
                blocked,
            ):
                if threads == 1:
                    found[QUALITY] |= quality(theirs, _judged(started), ours.config.vocab_size)
                entrants = writers | _sound(started, found[QUALITY], blocked)
                for batch in BATCHES:
                    times = race(entrants, _prompt(batch, ours.config.vocab_size), threads, clock)
                    found[f"batch {batch}, {name}"] = times | {n: {"blocked": why} for n, why in blocked.items()}
    return found


def _judged(engines: dict[str, EngineProcess]) -> dict[str, Logits]:
    return {name: lambda row, e=engine: e.last_logits(row[0].tolist())[None] for name, engine in engines.items()}


def _sound(engines: dict[str, EngineProcess], judged: dict[str, Any], blocked: dict[str, str]) -> dict[str, Writer]:
    """The engines whose logits are those of these weights; why the others are not timed goes to `blocked`."""
    sound: dict[str, Writer] = {}
    for name, engine in engines.items():
        cosine = judged[name].get("cosine", 0.0) if name in judged else 0.0
        if cosine >= LEAST_COSINE:
            sound[name] = lambda prompt, clock, e=engine: e.write(prompt, STEPS, clock)
        else:
            blocked[name] = judged.get(name, {}).get(
                "blocked", f"not timed: its logits' cosine with fp32's is {cosine:.3f}"
            )
    return sound


def _prompt(batch: int, vocab: int) -> torch.Tensor:
    return torch.randint(3, vocab, (batch, PROMPT), generator=torch.Generator().manual_seed(0))


@torch.no_grad()
def quality(theirs: Any, judged: dict[str, Logits], vocab: int, prompts: int = 20) -> dict[str, dict[str, Any]]:
    """Cosine and KL (nats) of the last token's logits, mean over random prompts, and first choices that flip."""
    tokens = torch.randint(3, vocab, (prompts, PROMPT), generator=torch.Generator().manual_seed(1))
    expected = theirs(tokens).logits[:, -1].double()
    found: dict[str, dict[str, Any]] = {}
    for name, last_logits in judged.items():
        try:
            logits = torch.cat([last_logits(row[None]) for row in tokens]).double()
        except Blocked as why:
            found[name] = {"blocked": str(why)}
            continue
        log_p, log_q = expected.log_softmax(-1), logits.log_softmax(-1)
        found[name] = {
            "cosine": torch.cosine_similarity(expected, logits).mean().item(),
            "KL": (log_p.exp() * (log_p - log_q)).sum(-1).mean().item(),
            "flips": (expected.argmax(-1) != logits.argmax(-1)).double().mean().item(),
        }
    return found


def _decoded(model: Decoder, tokens: torch.Tensor) -> torch.Tensor:
    cache = model.new_cache(1, tokens.shape[1])
    model(tokens[:, :-1], cache, last_only=True)
    return model(tokens[:, -1:], cache)[:, -1]


def race(writers: dict[str, Writer], prompt: torch.Tensor, threads: int | None, clock: Clock) -> dict[str, Any]:
    """Seconds a step of each, and how many times as fast it is as transformers in fp32, which must be among them."""
    steps: dict[str, list[float]] = {name: [] for name in writers}
    found: dict[str, Any] = {}
    with torch_threads(threads):
        for _ in progress(range(ROUNDS), f"decoding, batch {len(prompt)}"):
            for name in list(steps):
                try:
                    steps[name] += writers[name](prompt, clock)[2:]  # the first steps after a prompt find cold caches
                except Blocked as why:
                    found[name] = {"blocked": str(why)}
                    del steps[name]
    best = {name: statistics.quantiles(times, n=10)[0] for name, times in steps.items()}
    return found | {
        name: {"ms a step": 1e3 * t, "tokens/s": len(prompt) / t, "ratio": best[UNIT] / t} for name, t in best.items()
    }


def _our_writer(model: Decoder) -> Writer:
    def write(prompt: torch.Tensor, clock: Clock) -> list[float]:
        steps = stream(model, prompt.tolist(), STEPS + 1, stop=lambda new: False)
        times = [clock() for _ in steps]
        return [b - a for a, b in pairwise(times)]

    return write


def their_writer(model: Any) -> Writer:
    """transformers' `generate`, greedy."""
    from transformers import StoppingCriteria, StoppingCriteriaList

    class Times(StoppingCriteria):
        """Asked once a step; notes the time and never stops."""

        def __init__(self, clock: Clock) -> None:
            self.clock, self.times = clock, []

        def __call__(self, input_ids: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:
            self.times.append(self.clock())
            return torch.zeros(len(input_ids), dtype=torch.bool)

    def write(prompt: torch.Tensor, clock: Clock) -> list[float]:
        noted = Times(clock)
        model.generate(
            prompt,
            attention_mask=torch.ones_like(prompt),
            max_new_tokens=STEPS + 1,
            do_sample=False,
            eos_token_id=None,
            pad_token_id=0,
            stopping_criteria=StoppingCriteriaList([noted]),
        )
        return [b - a for a, b in pairwise(noted.times)]

    return write
