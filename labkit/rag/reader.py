"""The decoder that answers: the best one shipped, or any that a name or folder loads."""

from __future__ import annotations

from labkit.models import load
from labkit.models.shipped import shipped_folders
from labkit.rag.likelihoods import Reader

READERS = ("course-dense", "course-seed")
"""Shipped decoders that learned to answer from passages, the better one first."""


def load_reader(name: str | None = None, dtype: str = "auto", device: str = "auto") -> tuple[Reader, str]:
    """A reader and the name it was loaded by.

    Raises `ValueError` where none is shipped or it has no chat template, `LoadError` as `load` does.
    """
    chosen = name or next((reader for reader in READERS if reader in shipped_folders()), None)
    if chosen is None:
        raise ValueError(f"None of {', '.join(READERS)} is shipped here; name another decoder.")
    model, tokenizer, _ = load(chosen, dtype=dtype, device=device)
    if tokenizer is None or tokenizer.chat_template is None:
        raise ValueError(f"{chosen} cannot be asked: it has no tokenizer with a chat template. Name another decoder.")
    return Reader(model, tokenizer), chosen
