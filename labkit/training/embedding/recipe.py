"""The shape and the schedule of `course-embed`."""

from __future__ import annotations

from dataclasses import dataclass

from transformers import ModernBertConfig

from labkit.training.embedding.encoder import encoder_config
from labkit.training.stages import Stage


@dataclass(frozen=True)
class EmbeddingRecipe:
    """An encoder to train. A contrast has `documents` documents and at most `questions` questions.

    `schedule` gives the steps and the learning rate; `temperature` divides cosine similarities.
    """

    name: str
    config: ModernBertConfig
    schedule: Stage
    documents: int = 48
    questions: int = 128
    temperature: float = 0.05
    seed: int = 0


EMBEDDING = EmbeddingRecipe(
    "course-embed",
    encoder_config(hidden=128, layers=2),
    Stage("contrasts", {}, steps=400, warmup=40, peak=3e-3),
)
"""Small and short, so that one core makes it in an hour. Beside one another at equal processor time, one run each of
at most 150 steps: 2 layers of 256 were behind 3 of 128, and a temperature of 0.02 was no better than 0.05. Longer would
be better: the loss is still falling at the end."""
