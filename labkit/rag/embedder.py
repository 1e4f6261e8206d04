"""What turns texts into vectors: the course's own encoder, or any model of sentence-transformers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from jaxtyping import Float
from torch import nn

from labkit.data import card, shipped
from labkit.measure.progress import progress
from labkit.training.embedding.encoder import TextEncoder
from labkit.training.embedding.saving import load_encoder

COURSE = "course-embed"
GROUP = 256
"""Texts between two moves of the progress bar."""


class Embedder(Protocol):
    """`name` tells apart embedders whose vectors must not be mixed; `nbytes` of weights. Vectors have length one."""

    name: str
    width: int
    nbytes: int

    def encode(self, texts: Sequence[str]) -> Float[np.ndarray, "texts width"]: ...


class CourseEmbedder:
    """An encoder that the course trained. Encoding many texts shows progress; it takes no gradients."""

    def __init__(self, encoder: TextEncoder, name: str) -> None:
        self.encoder, self.name, self.width = encoder.eval(), name, encoder.width
        self.nbytes = _weight_bytes(encoder)

    def encode(self, texts: Sequence[str]) -> Float[np.ndarray, "texts width"]:
        """Raises `ValueError` for a text without any token."""
        groups = [texts[n : n + GROUP] for n in range(0, len(texts), GROUP)]
        watched = progress(groups, "Encoding") if len(groups) > 1 else groups  # one group takes no time to speak of
        with torch.inference_mode():
            rows = [self.encoder(group).float().cpu().numpy() for group in watched]
        return np.concatenate(rows) if rows else np.empty((0, self.width), np.float32)


class SentenceTransformersEmbedder:
    """Any folder or hub name that sentence-transformers loads."""

    def __init__(self, name: str) -> None:
        try:
            from sentence_transformers import SentenceTransformer
        except ImportError:
            raise ValueError(f"{name!r} needs the package sentence-transformers: pip install labkit[rag].") from None
        self.model, self.name = SentenceTransformer(name), name
        self.width, self.nbytes = len(self.model.encode("width")), _weight_bytes(self.model)

    def encode(self, texts: Sequence[str]) -> Float[np.ndarray, "texts width"]:
        vectors = self.model.encode(list(texts), normalize_embeddings=True, show_progress_bar=False)
        return np.asarray(vectors, dtype=np.float32).reshape(-1, self.width)


def _weight_bytes(model: nn.Module) -> int:
    return sum(p.nbytes for p in model.parameters())


def load_embedder(name: str = COURSE) -> Embedder:
    """The shipped encoder, after its files have the hashes of their cards, or a model of sentence-transformers.

    Raises `ValueError` where that package is needed and missing.
    """
    if name != COURSE:
        return SentenceTransformersEmbedder(name)
    folder = Path(shipped(f"models/{COURSE}"))
    weights = card(f"models/{COURSE}/0_Transformer/model.safetensors").sha256
    return CourseEmbedder(load_encoder(folder), f"{COURSE}-{weights[:12]}")
