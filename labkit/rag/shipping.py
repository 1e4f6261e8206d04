"""`course-embed` judged and shipped: its recipe stands in `labkit.training.embedding`, what judges it stands here."""

from __future__ import annotations

from pathlib import Path

from labkit.rag.embedder import CourseEmbedder
from labkit.rag.trial import RetrievalTrial, retrieval_trial
from labkit.training.embedding.run import train_embedding
from labkit.training.embedding.saving import load_encoder
from labkit.training.embedding.shipping import ship_encoder


def ship_course_embed(out: str | Path = "bench/training", count: int = 1000) -> tuple[RetrievalTrial, Path]:
    """Asks the encoder trained in `out` test questions and puts it, with its cards, into `data/models`.

    Raises `ValueError` if its training is not finished.
    """
    training = train_embedding(out, minutes=0)
    if not training.finished:
        raise ValueError(f"The training in {out} is at step {training.progress.step}: finish it with `labkit train`.")
    trial = retrieval_trial(CourseEmbedder(load_encoder(training.folder), training.name), count=count)
    return trial, ship_encoder(training, trial)
