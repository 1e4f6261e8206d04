"""The outer room: bubblewrap shows a worker Python, its packages and the inside of the grader, read-only.

Everything is left out that is not named here: homes, the course's notebooks and checks, submissions, results, `/etc`.
Source: bwrap(1); what a bubblewrap room lacks by itself and has to be given: seccomp, limits and sized folders, which
`labkit.course.grading.inside.confine` adds from within.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[2]
SITE = "/opt/labkit"
_ROOMS_LEFT_OUT = {"cli", "course", "_shipped", "__pycache__"}
_FROM_COURSE = (
    "__init__", "capture", "compare", "describe", "exercise", "extract", "judgement", "notebook", "oracle", "probe",
    "timelimit", "wire",
)  # fmt: skip
_ENVIRONMENT = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "HOME": "/tmp", "PATH": "/usr/bin", "LANG": "C.UTF-8"}


def why_not() -> str:
    """Why bubblewrap cannot be started on this machine; "" where it can be tried."""
    if sys.platform != "linux":
        return "the sandbox needs Linux (on Windows, WSL 2 is one)"
    if shutil.which("bwrap") is None:
        return "the program bwrap is not installed (Debian, Ubuntu, Fedora: the package bubblewrap)"
    from labkit.course.grading.inside import seccomp

    if not seccomp.is_known_machine():
        return f"the system calls of {os.uname().machine} are not known to the sandbox"
    return ""


def command(python: Sequence[str]) -> list[str]:
    """The command that runs `python` (the interpreter and its arguments) in the room."""
    room = [shutil.which("bwrap") or "bwrap", "--die-with-parent", "--new-session", "--clearenv", "--unshare-ipc"]
    room += ["--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try", "--cap-drop", "ALL"]
    if os.getuid() == 0:
        room += ["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]  # to become nobody, which drops them
    else:
        room += ["--unshare-user"]
    for name, value in _ENVIRONMENT.items():
        room += ["--setenv", name, value]
    shown = {path: path for path in visible_folders()} | _site()
    for folder in sorted({Path("/etc")} | {folder for path in shown.values() for folder in path.parents}):
        room += ["--perms", "0755", "--dir", str(folder)]  # by default root's own, which nobody could not enter
    for path, seen_as in shown.items():
        room += ["--ro-bind", str(path), str(seen_as)]
    if any(PACKAGE.is_relative_to(path) for path in visible_folders()):
        room += ["--tmpfs", str(PACKAGE)]  # an installed course carries its notebooks and checks
    room += [*_system_links(), "--proc", "/proc", "--dev", "/dev", "--dir", "/tmp", "--chdir", "/"]
    return [*room, "--remount-ro", "/dev", "--remount-ro", "/", "--", *python]


def visible_folders() -> list[Path]:
    """The folders of this machine that the sandbox can read, outermost first."""
    wanted = {Path("/usr"), Path(sys.prefix), Path(sys.base_prefix), Path(sys.executable).resolve().parents[1]}
    wanted = {path.resolve() for path in wanted if path.is_dir()}
    return sorted(path for path in wanted if not any(path != other and path.is_relative_to(other) for other in wanted))


def _system_links() -> list[str]:
    """`/lib` and its kin, which are links into `/usr` nowadays, and the linker's cache."""
    options: list[str] = []
    for path in map(Path, ("/bin", "/lib", "/lib32", "/lib64", "/libx32")):
        if path.is_symlink():
            options += ["--symlink", str(path.readlink()), str(path)]
        elif path.is_dir():
            options += ["--ro-bind", str(path), str(path)]
    for path in ("/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/alternatives"):
        options += ["--ro-bind-try", path, path]
    return options


def _site() -> dict[Path, Path]:
    """The course's package without its checks, its commands and its notebooks; and where the sandbox sees it."""
    shown = [path for path in sorted(PACKAGE.iterdir()) if path.name not in _ROOMS_LEFT_OUT]
    shown += [PACKAGE / "course" / f"{name}.py" for name in _FROM_COURSE]
    here = Path(__file__).resolve().parent
    shown += [here / "__init__.py", here / "inside"]
    return {path: Path(SITE, "labkit", path.relative_to(PACKAGE)) for path in shown}
