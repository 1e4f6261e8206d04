"""The scripts that pages need, as files beside them: packed by `npm pack`, each checked against its pinned hash.

Not a bundler: files are kept as their authors published them, licences included. What was fetched once is kept in the
user's cache, so that pages can be built again without a network.
"""

from __future__ import annotations

import base64
import fnmatch
import hashlib
import json
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any

PINS = Path(__file__).with_name("vendored.json")


def vendor(folder: Path) -> Path:
    """Fill `folder` with one folder a package; returns it.

    Raises `RuntimeError` with one sentence when a package cannot be fetched or is not the one that was pinned.
    """
    kept = _cache()
    if not kept.is_dir():
        _fetch_all(kept)
    shutil.copytree(kept, folder, dirs_exist_ok=True)
    return folder


def urls(prefix: str) -> dict[str, str]:
    """What nbconvert calls its links, by the names of its settings, for pages that see the folder as `prefix`."""
    return {
        "mathjax_url": f"{prefix}/mathjax/MathJax.js?config=TeX-AMS_CHTML-full,Safe",
        "require_js_url": f"{prefix}/requirejs/require.js",
        "jquery_url": f"{prefix}/jquery/dist/jquery.min.js",
        "widget_renderer_url": f"{prefix}/html-manager/dist/embed-amd.js",
        "mermaid_js_url": f"{prefix}/no-diagrams-here",
        "mermaid_layout_elk_js_url": "",
    }


def _cache() -> Path:
    from platformdirs import user_cache_path

    return user_cache_path("labkit") / "vendor" / hashlib.sha256(PINS.read_bytes()).hexdigest()[:16]


def _fetch_all(kept: Path) -> None:
    """All of them or none: the folder appears whole."""
    kept.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept.parent) as scratch:
        whole = Path(scratch) / "whole"
        for name, pin in json.loads(PINS.read_text(encoding="utf-8")).items():
            _unpack(_packed(pin, Path(scratch)), pin["keep"], whole / name)
        whole.rename(kept)


def _packed(pin: dict[str, Any], scratch: Path) -> Path:
    wanted = f"{pin['package']}@{pin['version']}"
    npm = shutil.which("npm")
    if npm is None:
        raise RuntimeError(f"npm is needed once, to fetch {wanted}; install Node.js, or build where it is installed.")
    before = set(scratch.glob("*.tgz"))
    done = subprocess.run([npm, "pack", "--silent", wanted], cwd=scratch, capture_output=True, text=True)
    new = sorted(set(scratch.glob("*.tgz")) - before)
    if done.returncode or not new:
        raise RuntimeError(f"npm could not fetch {wanted}: {done.stderr.strip()[-200:] or 'it said nothing'}.")
    check_hash(new[0], pin["sha512"], wanted)
    return new[0]


def check_hash(archive: Path, expected: str, name: str) -> None:
    """Raises `RuntimeError` unless the archive's SHA-512, in base 64, is the one that was pinned."""
    found = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if found != expected:
        raise RuntimeError(f"{name} is not what was pinned: its hash is {found[:12]}..., not {expected[:12]}....")


def _unpack(archive: Path, keep: list[str], target: Path) -> None:
    with tarfile.open(archive) as packed:
        for member in packed:
            inside = member.name.partition("/")[2]
            if member.isfile() and any(fnmatch.fnmatch(inside, pattern) for pattern in keep):
                place = target / inside
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(packed.extractfile(member).read())
