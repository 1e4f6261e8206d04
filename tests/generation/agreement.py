"""Is a continuation the one that the model writes without a cache?

One forward over prompt and continuation answers it for every token: the best token after each prefix must be the next
one. A difference passes only where the reference's two best logits lie within `EPSILON`, and is counted.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

EPSILON = 1e-4
ALLOWED = 0.001  # share of tokens


@dataclass
class Agreement:
    tokens: int = 0
    ties: int = 0
    wrong: int = 0

    @property
    def holds(self) -> bool:
        return self.tokens > 0 and self.wrong == 0 and self.ties <= ALLOWED * self.tokens

    @torch.no_grad()
    def add(self, model, prompt, continuation) -> None:
        logits = model(torch.tensor([[*prompt, *continuation]]))[0, len(prompt) - 1 : -1]
        for row, token in zip(logits, continuation, strict=True):
            best = row.topk(2).values
            self.tokens += 1
            if int(row.argmax()) != token:
                tie = row[token] == best[1] and best[0] - best[1] < EPSILON
                self.ties += bool(tie)
                self.wrong += not tie


def agreement(model, prompts, continuations) -> Agreement:
    found = Agreement()
    for prompt, continuation in zip(prompts, continuations, strict=True):
        found.add(model, prompt, continuation)
    return found
