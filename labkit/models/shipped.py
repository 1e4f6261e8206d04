"""The models that come with the course: their names and folders."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from labkit.measure.report import Report, Table, si
from labkit.models.checkpoint import read_json
from labkit.models.families import read_config

_PACKAGE = Path(__file__).parents[1]
_PLACES = (_PACKAGE / "_shipped" / "data" / "models", _PACKAGE.parent / "data" / "models")


def shipped_folders() -> dict[str, Path]:
    """Folder of each shipped model by name."""
    root = next((place for place in _PLACES if place.is_dir()), None)
    found = [] if root is None else sorted(root.iterdir())
    return {folder.name: folder for folder in found if (folder / "config.json").is_file()}


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
