"""`labkit doctor`: what of this installation works, and for each problem what to type.

One function a part, each looking at the real thing (import it, ask it, write a byte), never at a list of what should be
there. A part that is only wanted by some labs is *optional*: its absence is told and does not fail the command.
"""

from __future__ import annotations

import dataclasses
import importlib
import importlib.metadata
import json
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

GB = 1e9
SET_UP = "python -m labkit setup"


@dataclasses.dataclass(frozen=True)
class Finding:
    """One part: its state, what was seen, and what to type when it is not right."""

    part: str
    ok: bool
    seen: str
    remedy: str = ""
    required: bool = True


def examine() -> list[Finding]:
    """Every finding, required parts first. A check that breaks is itself a finding, never a traceback."""
    required = [_python, _torch, _packages, _jupyterlab, _memory, _disk, _shipped_files, _workspace]
    optional = [_gpu, _bitsandbytes, _triton, _compiler, _sandbox, _browser]
    return [*(_guarded(check, True) for check in required), *(_guarded(check, False) for check in optional)]


def exit_status(findings: list[Finding]) -> int:
    """1 when a required part fails."""
    return int(any(f.required and not f.ok for f in findings))


def as_json(findings: list[Finding]) -> str:
    report = {"ok": exit_status(findings) == 0, "findings": [dataclasses.asdict(f) for f in findings]}
    return json.dumps(report, indent=2, ensure_ascii=False)


def as_text(findings: list[Finding]) -> str:
    """One line a part, the remedy under each problem, the verdict last."""
    lines = []
    for f in findings:
        word = "ok" if f.ok else ("PROBLEM" if f.required else "not here")
        lines.append(f"{word:9}{f.part:15}{f.seen}")
        if not f.ok and f.remedy:
            lines.append(f"{'':24}-> {f.remedy}")
    verdict = "Everything a lab needs is here." if exit_status(findings) == 0 else "Something a lab needs is missing."
    return "\n".join([*lines, "", verdict])


def _guarded(check: Callable[[], Finding], required: bool) -> Finding:
    try:
        found = check()
    except Exception as error:  # the doctor must outlive every patient
        found = Finding(check.__name__.strip("_").replace("_", " "), False, f"{type(error).__name__}: {error}", SET_UP)
    return dataclasses.replace(found, required=required)


def _python() -> Finding:
    ok = sys.version_info >= (3, 11)
    return Finding("Python", ok, f"{platform.python_version()} on {platform.system()}", "install Python 3.11 or newer")


def _torch() -> Finding:
    torch = importlib.import_module("torch")
    wanted = _base_pins()["torch"]
    seen = f"{torch.__version__}, {torch.get_num_threads()} threads, {torch.backends.cpu.get_cpu_capability()}"
    ok = torch.__version__.split("+")[0] == wanted and torch.ones(2, 2).mm(torch.ones(2, 2)).sum().item() == 8
    return Finding("torch", ok, seen, f"{SET_UP}  (the labs are written for torch {wanted})")


def _packages() -> Finding:
    pins = _base_pins()
    wrong = [f"{name} ({problem})" for name, pin in pins.items() if (problem := _difference(name, pin))]
    seen = f"not as tested: {', '.join(wrong)}" if wrong else f"{len(pins)} base packages installed"
    return Finding("packages", not wrong, seen, SET_UP)


def _jupyterlab() -> Finding:
    version = importlib.metadata.version("jupyterlab")
    importlib.import_module("ipywidgets")
    return Finding("JupyterLab", True, f"{version}, ipywidgets {importlib.metadata.version('ipywidgets')}", SET_UP)


def _memory() -> Finding:
    memory = importlib.import_module("psutil").virtual_memory()
    seen = f"{memory.available / GB:.1f} of {memory.total / GB:.1f} GB free"
    return Finding("memory", memory.available > 3 * GB, seen, "close other programs: a lab may need 3 GB")


def _disk() -> Finding:
    free = shutil.disk_usage(Path.cwd()).free
    return Finding("disk", free > 1 * GB, f"{free / GB:.1f} GB free", "free 1 GB where the course stands")


def _shipped_files() -> Finding:
    data = importlib.import_module("labkit.data")
    problems = data.verify()
    seen = "; ".join(problems) if problems else "every file of data/ has the hash of its card"
    return Finding("shipped files", not problems, seen, "get the files again, or make them: python -m labkit.world")


def _workspace() -> Finding:
    folder = importlib.import_module("labkit.course.workspace").workspace()
    existing = next(parent for parent in [folder, *folder.parents] if parent.is_dir())
    with tempfile.TemporaryFile(dir=existing):
        return Finding("workspace", True, str(folder), "set LABKIT_WORK to a folder you may write to")


def _gpu() -> Finding:
    torch = importlib.import_module("torch")
    if torch.cuda.is_available():
        name, memory = torch.cuda.get_device_name(0), torch.cuda.get_device_properties(0).total_memory
        return Finding("GPU", True, f"{torch.cuda.device_count()} x {name}, {memory / GB:.0f} GB")
    if torch.backends.mps.is_available():
        return Finding("GPU", True, "Apple MPS (the labs run on its CPU: no figure was taken on MPS)")
    return Finding("GPU", False, "none: every lab runs on the CPU")


def _bitsandbytes() -> Finding:
    from contextlib import redirect_stderr, redirect_stdout

    with redirect_stdout(None), redirect_stderr(None):
        importlib.import_module("bitsandbytes")
    return Finding("bitsandbytes", True, importlib.metadata.version("bitsandbytes"), SET_UP)


def _triton() -> Finding:
    try:
        return Finding("triton", True, importlib.metadata.version("triton"))
    except importlib.metadata.PackageNotFoundError:
        return Finding("triton", False, "not installed: the labs use it on a GPU only")


def _compiler() -> Finding:
    found = next((path for name in ("cc", "gcc", "clang", "cl") if (path := shutil.which(name))), None)
    remedy = "install a C compiler (Debian: build-essential; macOS: xcode-select --install; Windows: Build Tools)"
    return Finding("C compiler", bool(found), found or "none: native kernels fall back to torch", remedy)


def _sandbox() -> Finding:
    found = shutil.which("bwrap")
    return Finding("bubblewrap", bool(found), found or "none: needed only to grade", "install bubblewrap (Linux only)")


def _browser() -> Finding:
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    found = os.environ.get("CHROMIUM") or next((path for name in names if (path := shutil.which(name))), None)
    return Finding("Chromium", bool(found), found or "none: needed to make decks and to test", "install chromium")


def _base_pins() -> dict[str, str | None]:
    """The packages every lab needs, each with its exact version where pyproject.toml gives one."""
    requirements = [r.split(";")[0] for r in importlib.metadata.requires("labkit") or [] if "extra ==" not in r]
    return {name.strip(): pin.strip() or None for name, _, pin in (r.partition("==") for r in requirements)}


def _difference(name: str, pin: str | None) -> str:
    try:
        found = importlib.metadata.version(name).split("+")[0]
    except importlib.metadata.PackageNotFoundError:
        return "missing"
    return f"{found}, not {pin}" if pin and found != pin else ""
