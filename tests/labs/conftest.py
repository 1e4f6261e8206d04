"""A browser and a JupyterLab for the tests that look at a lab as a learner does."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import time
import urllib.request

import pytest

CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")  # while Playwright runs, an event loop runs in this thread, and no other can
def browser():
    """Debian's Chromium through Playwright. Without one these tests are blocked: loudly on CI, by name elsewhere."""
    names = ("chromium", "chromium-browser", "google-chrome")
    path = os.environ.get("CHROMIUM") or next((found for name in names if (found := shutil.which(name))), None)
    if path is None:
        blocked = "blocked: no Chromium on this machine, so no lab was looked at in a browser"
        pytest.fail(blocked) if os.environ.get("CI") else pytest.skip(blocked)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=CHROMIUM_FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def jupyterlab(tmp_path):
    """Start JupyterLab on a fresh learner workspace in a theme; gives its address with a token."""
    from labkit.cli.launch import command, settings
    from labkit.course.workspace import start

    with contextlib.ExitStack() as stack:

        def run(theme: str) -> str:
            folder, port = tmp_path / theme / "work", _free_port()
            start(to=folder)
            private = {**_private_jupyter(tmp_path / theme, theme), "LABKIT_STATE": str(tmp_path / theme)}
            flags = ["--IdentityProvider.token=test", "--ServerApp.log_level=ERROR"]
            server = subprocess.Popen(
                [*command(folder, port, browser=False), *flags], env={**os.environ, **settings(), **private}
            )
            stack.callback(_stop, server)
            _wait_for(f"http://127.0.0.1:{port}/api?token=test", server)
            return f"http://127.0.0.1:{port}/lab/tree/{{}}?token=test&reset"

        yield run


def _private_jupyter(folder, theme):
    """JupyterLab's settings: the theme, and every cell kept in the page, those below the fold too."""
    settings = folder / "settings" / "@jupyterlab"
    for extension, value in (
        ("apputils-extension/themes", {"theme": theme}),
        ("notebook-extension/tracker", {"windowingMode": "none"}),
    ):
        path = settings / f"{extension}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(value), encoding="utf-8")
    return {
        "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_for(address, server):
    for _ in range(240):
        assert server.poll() is None, "JupyterLab ended before it answered"
        with contextlib.suppress(OSError), urllib.request.urlopen(address, timeout=1):
            return
        time.sleep(0.25)
    raise AssertionError("JupyterLab did not answer within a minute")


def _stop(server):
    server.terminate()
    try:
        server.wait(20)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
