"""The models that come with the course: their names and folders."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from labkit.data import ShippedFileError, root, shipped
from labkit.measure.report import Report, Table, si
from labkit.models.checkpoint import read_json
from labkit.models.errors import LoadError
from labkit.models.families import read_config


def shipped_folders() -> dict[str, Path]:
    """Folder of each shipped model by name, not yet verified; empty where the course's data is not at hand."""
    try:
        models = root() / "models"
    except ShippedFileError:
        return {}
    found = sorted(models.iterdir()) if models.is_dir() else []
    return {folder.name: folder for folder in found if (folder / "config.json").is_file()}


def verified_folder(name: str) -> Path:
    """The folder of a shipped model after every file in it has the size and hash of its card.

    Raises `LoadError` naming the file that is missing or damaged.
    """
    try:
        return shipped(f"models/{name}")
    except ShippedFileError as error:
        raise LoadError(str(error)) from None


@dataclass(frozen=True)
class ShippedModels(Report):
    """Name, family, parameters on disk in bytes and context of every model that loads without a network."""

    models: tuple[tuple[str, str, int, int], ...]

    @property
    def names(self) -> list[str]:
        return [name for name, *_ in self.models]

    def table(self) -> Table:
        rows = [[name, family, si(size, "B"), f"{context:,}"] for name, family, size, context in self.models]
        note = 'lk.load(name) loads one; lk.load("folder") a folder of yours; lk.load("owner/name") one from the hub.'
        return Table("Shipped models", ["name", "family", "weights on disk", "context (tokens)"], rows, note)


def list_models() -> ShippedModels:
    """The models that come with the course."""
    return ShippedModels(tuple(_describe(name, folder) for name, folder in shipped_folders().items()))


def _describe(name: str, folder: Path) -> tuple[str, str, int, int]:
    config = read_config(read_json(folder / "config.json"), str(folder / "config.json"))
    size = sum(file.stat().st_size for file in folder.glob("*.safetensors"))
    return name, config.family, size, config.max_position_embeddings
