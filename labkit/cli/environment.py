"""Makes the course's own virtual environment from a bare Python, with the standard library alone.

Not a package manager: pip installs, this only decides where, with which pins, and whether anything is left to do.
A stamp beside the packages records the lock they came from, so that a second run installs nothing and an interrupted
one goes on.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2]
LOCK = "requirements.lock"
STAMP = "labkit-installed.json"


def ensure(extras: Sequence[str] = (), torch_backend: str | None = None) -> Path:
    """Path of a Python that has the course installed, made if there is none.

    An environment that already carries labkit (conda, a wheel, JupyterHub) is used as it is when nothing more is asked
    for. Raises `RuntimeError` with one sentence when the environment cannot be made.
    """
    if not (SOURCE / "pyproject.toml").is_file() or (not extras and _installed_elsewhere()):
        return Path(sys.executable)
    folder = SOURCE / ".venv"
    python = _python_of(folder)
    wanted = set(extras) | _stamped(folder).get("extras", set())
    if _stamped(folder) == {"lock": _lock_hash(), "extras": wanted} and _works(python):
        return python
    if not _works(python):
        _say(f"Making the environment {folder.name} (about 2 GB) ...")
        _make(folder)
    _say("Installing the pinned packages: some minutes the first time.")
    _install(python, sorted(wanted), torch_backend or os.environ.get("TORCH_BACKEND"))
    stamp = {"lock": _lock_hash(), "extras": sorted(wanted)}
    (folder / STAMP).write_text(json.dumps(stamp), encoding="utf-8")
    return python


def is_current(python: Path) -> bool:
    """Whether this process already runs in the environment of `python` (which may be a link to the same binary)."""
    return Path(sys.prefix).resolve() == python.parent.parent.resolve() or python == Path(sys.executable)


def run_again(python: Path, arguments: Sequence[str]) -> int:
    """The same command once more, in the environment that has the packages."""
    command = [str(python), "-m", "labkit", *arguments]
    if os.name == "posix":
        os.execv(command[0], command)  # one process to interrupt, and none left behind
    return subprocess.call(command)


def install_command(python: Path, extras: Sequence[str], torch_backend: str | None) -> list[str]:
    """The one install command; with `torch_backend`, uv's, which knows where each build of torch is kept."""
    target = f".[{','.join(extras)}]" if extras else "."
    pins = ["-c", LOCK, "-e", target]
    if torch_backend:
        uv = [str(python), "-m", "uv", "pip", "install", "--python", str(python)]
        return [*uv, "--torch-backend", torch_backend, *pins]
    return [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *pins]


def _install(python: Path, extras: Sequence[str], torch_backend: str | None) -> None:
    if torch_backend:
        _call([str(python), "-m", "pip", "install", "--quiet", "-c", LOCK, "uv"], "uv could not be installed")
    _call(install_command(python, extras, torch_backend), "The packages could not be installed")


def _make(folder: Path) -> None:
    try:
        _call([sys.executable, "-m", "venv", "--clear", str(folder)], "The environment could not be made")
    except RuntimeError as error:
        hint = "; on Debian and Ubuntu the package python3-venv is needed" if sys.platform == "linux" else ""
        raise RuntimeError(f"{error}{hint}.") from None


def _call(command: Sequence[str], failure: str) -> None:
    if status := subprocess.call(command, cwd=SOURCE):
        raise RuntimeError(f"{failure} (exit status {status}; its own message stands above)")


def _installed_elsewhere() -> bool:
    """labkit installed in this Python, and that Python is not the checkout's own .venv, whose stamp decides."""
    if Path(sys.prefix).resolve() == (SOURCE / ".venv").resolve():
        return False
    try:
        importlib.metadata.version("labkit")
        importlib.metadata.version("jupyterlab")
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _stamped(folder: Path) -> dict:
    try:
        stamp = json.loads((folder / STAMP).read_text(encoding="utf-8"))
        return {"lock": stamp["lock"], "extras": set(stamp["extras"])}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _lock_hash() -> str:
    parts = [(SOURCE / name).read_bytes() for name in ("pyproject.toml", LOCK)]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def _python_of(folder: Path) -> Path:
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _works(python: Path) -> bool:
    return python.is_file() and subprocess.call([str(python), "-c", "import pip"], stderr=subprocess.DEVNULL) == 0


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)
