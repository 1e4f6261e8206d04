"""How JupyterLab is started."""

import json
import os
import socket
from pathlib import Path

import pytest

from labkit.cli import launch


def test_opens_the_first_lab_of_the_workspace(tmp_path):
    for name in ("02_decoding.ipynb", "00_your_machine.ipynb", "notes.md"):
        (tmp_path / name).touch()
    command = launch.command(tmp_path, 9999, browser=False)
    assert "--LabApp.default_url=/lab/tree/00_your_machine.ipynb" in command
    assert f"--ServerApp.root_dir={tmp_path}" in command
    assert "--ServerApp.port=9999" in command
    assert "--no-browser" in command


def test_an_empty_workspace_opens_all_the_same(tmp_path):
    assert "--LabApp.default_url=/lab" in launch.command(tmp_path, None, browser=True)


def test_asks_nobody_for_news(tmp_path):
    assert "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate" in launch.command(tmp_path, None, True)
    folder = Path(launch.settings()["JUPYTER_CONFIG_PATH"].split(os.pathsep)[0])
    page = json.loads((folder / "labconfig" / "page_config.json").read_text(encoding="utf-8"))
    assert page["disabledExtensions"]["@jupyterlab/apputils-extension:announcements"]


def test_keeps_the_users_own_settings(monkeypatch):
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", "/home/somebody/jupyter")
    assert launch.settings()["JUPYTER_CONFIG_PATH"].endswith(os.pathsep + "/home/somebody/jupyter")


@pytest.mark.parametrize("text", ["abc", "-1", "0", "70000", "80.5"])
def test_nonsense_in_port_is_one_sentence(monkeypatch, text):
    monkeypatch.setenv("PORT", text)
    with pytest.raises(ValueError, match="PORT must be a number"):
        launch._port(None)


def test_a_taken_port_is_told(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("PORT", str(server.getsockname()[1]))
        with pytest.raises(ValueError, match="is taken"):
            launch._port(None)
