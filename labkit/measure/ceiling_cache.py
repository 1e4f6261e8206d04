"""Measured ceilings kept between sessions: one JSON file a machine and device, in the user's own cache folder.

The key holds the machine and every version that matters, so a file is never out of date, only unused. A file that does
not read is measured anew, and a folder that cannot be written costs the ten seconds again, nothing else.
"""

from __future__ import annotations

import json
import os
import tempfile
import warnings
from pathlib import Path
from typing import Any

from labkit.measure.ceiling_report import BandwidthPoint, Capacity, Ceilings, Peak

FORMAT = 1


def cache_folder() -> Path:
    """$LABKIT_CACHE where set, else the user's cache folder of this system."""
    from platformdirs import user_cache_dir

    return Path(os.environ.get("LABKIT_CACHE") or user_cache_dir("labkit"))


def cache_file(folder: Path, fingerprint: str, device: str) -> Path:
    return folder / f"ceilings-{device}-{fingerprint}.json"


def load(path: Path) -> Ceilings | None:
    """The ceilings in `path`; None where there is no file, and None with one warning where it does not read."""
    try:
        return _from_plain(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError) as error:
        warnings.warn(f"The ceilings in {path} do not read ({error!r}) and are measured anew.", stacklevel=2)
        return None


def save(path: Path, ceilings: Ceilings) -> None:
    """Write in one step, so that a reader never sees half a file; silent where the folder cannot be written."""
    text = json.dumps({"format": FORMAT} | json.loads(ceilings.to_json()), indent=1)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, suffix=".part", delete=False) as file:
            file.write(text)
        Path(file.name).replace(path)
    except OSError:
        return


def _from_plain(plain: dict[str, Any]) -> Ceilings:
    fields = dict(plain)
    if fields.pop("format", None) != FORMAT:
        raise ValueError(f"not in format {FORMAT}")
    fields["points"] = tuple(BandwidthPoint(**p) for p in fields["points"])
    fields["peaks"] = tuple(Peak(**{**p, "shape": tuple(p["shape"])}) for p in fields["peaks"])
    fields["capacities"] = tuple(Capacity(**c) for c in fields["capacities"])
    fields["blocked"] = tuple(fields["blocked"])
    found = Ceilings(**fields)
    found.table()  # a number that is not one shows itself here, not in somebody's plot
    return found
