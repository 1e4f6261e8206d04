"""Where a model's folder is: shipped with the course, on this machine, or on a hub.

Not a reader of models. A hub is asked for the config first, so that a model too big is refused before it is fetched,
and only ever for safetensors, JSON and tokenizer files.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from labkit.models.checkpoint import Checkpoint
from labkit.models.errors import LoadError
from labkit.models.hashes import check_hashes
from labkit.models.shipped import shipped_folders, verified_folder

_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
_SMALL = ["*.json", "*.model", "merges.txt"]
_ALL = [*_SMALL, "*.safetensors"]


@dataclass(frozen=True)
class Source:
    """A model's name, the kind of place it comes from and the folder that has its config already."""

    name: str
    kind: str
    folder: Path

    def with_weights(self) -> Path:
        """The folder with weights in it: at once, or after fetching them from the hub."""
        return _from_hub(self.name, _ALL) if self.kind == "hub" else self.folder


def find_source(name_or_path: str | Path) -> Source:
    """Raises `LoadError` for a name that is nowhere, and for a hub that cannot be reached."""
    path, name = Path(name_or_path), str(name_or_path)
    if name in shipped_folders():
        return Source(name, "shipped", verified_folder(name))
    if path.is_dir():
        return Source(path.resolve().name, "local", path.resolve())
    if path.is_file():
        raise LoadError(f"{path} is a file; give the folder that holds config.json and the weights.")
    if isinstance(name_or_path, str) and _HUB_ID.fullmatch(name) and not name.startswith("."):
        return Source(name, "hub", _from_hub(name, _SMALL))
    raise LoadError(f"{name!r} is no folder, no hub id (owner/name) and no shipped model. {_alternative()}")


def open_checkpoint(source: Source) -> Checkpoint:
    """The tensors of a source, fetched if need be and checked against their hashes where it has any."""
    checkpoint = Checkpoint(source.with_weights())
    check_hashes(checkpoint.folder)
    return checkpoint


def _from_hub(name: str, patterns: list[str]) -> Path:
    from huggingface_hub import errors, snapshot_download

    try:
        return Path(snapshot_download(name, allow_patterns=patterns, local_files_only=_offline()))
    except (errors.GatedRepoError, errors.RepositoryNotFoundError):
        raise LoadError(f"{name!r} is not on the hub, or you may not read it (it may need a login).") from None
    except (errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled, errors.HfHubHTTPError, OSError):
        why = "HF_HUB_OFFLINE is set" if _offline() else "the hub cannot be reached"
        raise LoadError(f"{name!r} is not on this machine and {why}. {_alternative()}") from None
    except errors.HFValidationError:
        raise LoadError(f"{name!r} is not a valid hub id (owner/name).") from None
    except Exception as error:  # whatever the transport raises: proxies, certificates, half answers
        raise LoadError(f"{name!r} could not be fetched ({type(error).__name__}). {_alternative()}") from None


def _offline() -> bool:
    """The variable is read now: the hub's own constant keeps what it was when first imported."""
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}


def _alternative() -> str:
    names = list(shipped_folders())
    return f"Without a network these load: {', '.join(names)}." if names else "Without a network a local folder loads."
