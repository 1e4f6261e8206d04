"""`labkit bundle`: the course as a wheel with every pinned wheel of this platform, for a room without a network.

pip does the collecting and the installing; this says which files, and proves that none is missing. The folder fits
machines of the same kind as the one that made it: the same system, processor and minor version of Python.
"""

from __future__ import annotations

import argparse
import hashlib
import platform
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

WHEELS = "wheels"
GUIDE = """Large Models, Layer by Layer: for a room without a network

Made for {system} on {machine} with Python {python}. On such a machine, in this folder:

    python3 -m venv course
    {bin}/python -m pip install --no-index --find-links wheels {target}
    {bin}/labkit doctor
    {bin}/labkit lab

SHA256SUMS holds the hash of every wheel: sha256sum --check SHA256SUMS
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument("--out", type=Path, default=Path("build/bundle"), help="folder for the wheels (half a GB)")
    parser.add_argument("--extra", action="append", default=[], help="rag, grading ...; may be repeated")
    parser.add_argument("--check", action="store_true", help="install from it, without an index, into an empty venv")


def run(options: argparse.Namespace) -> int:
    """Collect, write the guide, and say how large it is."""
    wheels = collect(options.out, options.extra)
    print(f"{options.out}: {len(wheels)} wheels, {sum(w.stat().st_size for w in wheels) / 1e9:.2f} GB")
    if options.check:
        print(f"Installed without an index: {install(options.out, options.out / 'tried', options.extra)}")
    return 0


def collect(out: Path, extras: Sequence[str] = ()) -> list[Path]:
    """The course's wheel and all it needs, at the versions of the lock; returns the wheels.

    Raises `RuntimeError` when pip cannot build or find one. A second run fetches only what is missing.
    """
    from labkit.cli.environment import LOCK, SOURCE

    if not (SOURCE / LOCK).is_file():
        raise RuntimeError("A bundle is made in a checkout of the course, which holds the pins; this is a wheel.")
    folder = (out / WHEELS).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("labkit-*.whl"):
        old.unlink()
    _pip("wheel", "--no-deps", "--wheel-dir", str(folder), str(SOURCE))
    course = _target(next(folder.glob("labkit-*.whl")), extras)
    _pip("download", "--only-binary", ":all:", "-c", str(SOURCE / LOCK), "--dest", str(folder), course)
    wheels = sorted(folder.glob("*.whl"))
    _write_guide(out, wheels, extras)
    return wheels


def install(bundle: Path, folder: Path, extras: Sequence[str] = ()) -> str:
    """Install the course from a bundle into a fresh environment, asking no index; returns its `labkit` command.

    Raises `RuntimeError` when a wheel is missing.
    """
    _run([sys.executable, "-m", "venv", "--clear", str(folder)], "The environment could not be made")
    places = folder / ("Scripts" if sys.platform == "win32" else "bin")
    course = _target(next((bundle / WHEELS).glob("labkit-*.whl")), extras)
    offline = ["--no-index", "--find-links", str(bundle / WHEELS), course]
    _run([str(places / "python"), "-m", "pip", "install", "--quiet", *offline], "A wheel is missing in the bundle")
    return str(places / "labkit")


def _target(wheel: Path, extras: Sequence[str]) -> str:
    return f"{wheel}[{','.join(extras)}]" if extras else str(wheel)


def _write_guide(out: Path, wheels: list[Path], extras: Sequence[str]) -> None:
    guide = GUIDE.format(
        system=platform.system(),
        machine=platform.machine(),
        python=".".join(platform.python_version_tuple()[:2]),
        bin="course\\Scripts" if sys.platform == "win32" else "course/bin",
        target=_target(Path("labkit"), extras),
    )
    (out / "README.txt").write_text(guide, encoding="utf-8")
    sums = [f"{hashlib.sha256(w.read_bytes()).hexdigest()}  {WHEELS}/{w.name}\n" for w in wheels]
    (out / "SHA256SUMS").write_text("".join(sums), encoding="utf-8")


def _pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", arguments[0], "--quiet", "--disable-pip-version-check", *arguments[1:]]
    _run(command, "pip could not collect the wheels")


def _run(command: Sequence[str], failure: str) -> None:
    if status := subprocess.call(command):
        raise RuntimeError(f"{failure} (exit status {status}; its own message stands above).")
