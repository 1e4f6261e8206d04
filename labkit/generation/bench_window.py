"""A cache that forgets beside one that keeps all: bytes and time of a step, and what is lost with what left the window.

Time is that of one row at the end of a long text. The loss is told by a text that comes twice: only who still holds the
first time can copy it, so the second time tells what forgetting costs, and the first what a short view costs.
"""

from __future__ import annotations

import itertools
import json
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from labkit.data import shipped
from labkit.generation.costs import decode_pass
from labkit.generation.feeding import FilledCache
from labkit.generation.window_cache import WindowCache
from labkit.measure.comparison import compare
from labkit.measure.progress import progress
from labkit.models import Decoder

CONTEXT, ROUNDS = 4095, 9
WINDOWS, SINKS = (1024, 256, 64), (0, 4)
TEXT, CHUNK = 500, 50
"""Tokens of the text that comes twice, and how many of them go in at once."""


@torch.inference_mode()
def windows(model: Decoder) -> list[dict[str, Any]]:
    """One row a window and number of sinks, one thread: bytes and speed of a step against a cache of `CONTEXT`."""
    whole = model.new_cache(1, CONTEXT + 1)
    whole.keys.normal_()
    whole.values.normal_()
    whole.lengths = [CONTEXT]
    token = torch.zeros(1, 1, dtype=torch.long)

    def keeping() -> Tensor:
        logits = model(token, whole)
        whole.rewind(1)
        return logits

    rows = []
    for window, sinks in progress(list(itertools.product(WINDOWS, SINKS)), "windows"):
        cache = WindowCache(model.config, 1, window, sinks)
        model(torch.zeros(1, window + sinks, dtype=torch.long), cache, last_only=True)
        found = compare(keeping, lambda c=cache: model(token, c), check=None, rounds=ROUNDS, names=("whole", "window"))
        least = [decode_pass(model.config, 1, seen).bytes for seen in (CONTEXT + 1, window + sinks)]
        row = {"window": window, "sinks": sinks, "bytes": cache.nbytes / whole.nbytes, "foretold": least[0] / least[1]}
        rows.append(row | {"speed-up": found.ratio, "interval": [found.low, found.high]})
    return rows


@torch.inference_mode()
def forgetting(model: Decoder, tokenizer: PreTrainedTokenizerBase) -> list[dict[str, Any]]:
    """Nats a token of one text read twice, with everything kept (the first row) and through each window."""
    with (shipped("world") / "documents.before.jsonl").open(encoding="utf-8") as lines:
        documents = [json.loads(line)["text"] for line in itertools.islice(lines, 40)]
    text = torch.tensor([tokenizer("\n\n".join(documents), verbose=False)["input_ids"][:TEXT]])
    rows = [{"window": None, "sinks": 0} | nats_twice(model, text, model.new_cache(1, 2 * text.shape[1]))]
    for window, sinks in itertools.product(WINDOWS, SINKS):
        found = nats_twice(model, text, WindowCache(model.config, 1, window, sinks))
        rows.append({"window": window, "sinks": sinks} | found)
    return rows


def nats_twice(model: Decoder, text: Tensor, cache: FilledCache) -> dict[str, float]:
    """Cross-entropy of the text (1, seq) the first time it is read, and the second."""
    tokens = torch.cat([text, text], dim=1)
    logits = torch.cat([model(some, cache) for some in tokens[:, :-1].split(CHUNK, dim=1)], dim=1)[0]
    losses = torch.nn.functional.cross_entropy(logits, tokens[0, 1:], reduction="none")
    first, again = losses[: text.shape[1] - 1], losses[text.shape[1] - 1 :]
    return {"nats, first time": first.mean().item(), "nats, again": again.mean().item()}
