"""Opens JupyterLab on the learner's workspace."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path


def jupyterlab(port: int | None = None, browser: bool = True) -> int:
    """Write what is missing in the workspace, then run JupyterLab on it until it is stopped."""
    from labkit.course.workspace import start, workspace

    for line in start():
        print(line)
    arguments = command(workspace(), _port(port), browser and not os.environ.get("NO_BROWSER"))
    return subprocess.call(arguments, env={**os.environ, **settings()})


def command(folder: Path, port: int | None, browser: bool) -> list[str]:
    """JupyterLab's own command line. It is told not to look for updates: a room may have no network."""
    first = min((path.name for path in folder.glob("[0-9]*.ipynb")), default="")
    flags = [
        f"--ServerApp.root_dir={folder}",
        f"--LabApp.default_url=/lab/tree/{first}" if first else "--LabApp.default_url=/lab",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]
    if port is not None:
        flags += [f"--ServerApp.port={port}", "--ServerApp.port_retries=0"]
    if not browser:
        flags.append("--no-browser")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        flags.append("--allow-root")  # containers of JupyterHub and repo2docker often know no other user
    return [sys.executable, "-m", "jupyterlab", *flags]


def settings() -> dict[str, str]:
    """Variables that add the course's settings to the user's own: no question about news at the first start."""
    ours = str(Path(__file__).parent / "jupyter")
    return {"JUPYTER_CONFIG_PATH": os.pathsep.join(filter(None, [ours, os.environ.get("JUPYTER_CONFIG_PATH")]))}


def _port(given: int | None) -> int | None:
    text = os.environ.get("PORT")
    if given is None and text:
        if not text.isdecimal() or not 0 < int(text) < 65536:
            raise ValueError(f"PORT must be a number from 1 to 65535; it is {text!r}.")
        given = int(text)
    if given is not None and not _is_free(given):
        raise ValueError(f"Port {given} is taken by another program; choose one with PORT=...")
    return given


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        if os.name == "posix":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
