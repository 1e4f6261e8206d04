"""The tokenizer beside a model, and the proof that it belongs to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from labkit.models.checkpoint import read_json
from labkit.models.errors import LoadError

_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json", "spiece.model")


def load_tokenizer(folder: Path, vocab_size: int) -> Any | None:
    """The tokenizer of a model folder, None if the folder has none.

    Raises `LoadError` if it cannot be read, wants to run code of its own, or gives ids the model has no embedding for.
    """
    present = [name for name in _FILES if (folder / name).is_file()]
    if not present:
        return None
    settings = folder / "tokenizer_config.json"
    if settings.is_file() and read_json(settings).get("auto_map"):
        raise LoadError(f"{settings}: auto_map asks to run code from the checkpoint, which labkit never does.")
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(str(folder), trust_remote_code=False, local_files_only=True)
    except Exception as error:  # tokenizers raises plain Exception for a damaged file
        reason = str(error).strip().split("\n")[0][:200]
        raise LoadError(f"{folder / present[0]}: the tokenizer cannot be read ({reason}).") from None
    check_ids(tokenizer, vocab_size, folder)
    return tokenizer


def check_ids(tokenizer: Any, vocab_size: int, folder: Path) -> None:
    """Raises `LoadError` naming the first token whose id lies beyond the embedding table."""
    token, highest = max(tokenizer.get_vocab().items(), key=lambda item: item[1], default=("", -1))
    if highest >= vocab_size:
        raise LoadError(
            f"{folder}: the tokenizer gives the id {highest} to {token!r}, but config.json says vocab_size "
            f"{vocab_size}. It belongs to another model."
        )
