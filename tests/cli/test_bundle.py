"""The bundle: a wheel with labs, decks and data, and what a room is told. Collecting needs a network, once."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from labkit.cli import bundle

ROOT = Path(__file__).parents[2]


@pytest.fixture
def collected(tmp_path, monkeypatch):
    """A bundle collected by a stand-in for pip, and what pip was asked."""
    asked = []

    def run(command, failure):
        asked.append(command)
        folder = Path(command[command.index("--wheel-dir" if "wheel" in command else "--dest") + 1])
        name = "labkit-0.1.0-py3-none-any.whl" if "wheel" in command else "numpy-2.0-cp311-linux.whl"
        (folder / name).write_bytes(name.encode())

    monkeypatch.setattr(bundle, "_run", run)
    return bundle.collect(tmp_path / "bundle", ["rag"]), tmp_path / "bundle", asked


def test_the_course_and_its_pinned_wheels_are_collected(collected):
    wheels, _, (build, download) = collected
    assert [w.name.partition("-")[0] for w in wheels] == ["labkit", "numpy"]
    assert "--no-deps" in build
    assert download[download.index("-c") + 1].endswith("requirements.lock")
    assert download[download.index("--only-binary") + 1] == ":all:"
    assert download[-1].endswith("labkit-0.1.0-py3-none-any.whl[rag]")


def test_the_guide_installs_without_an_index_and_the_hashes_fit(collected):
    wheels, folder, _ = collected
    guide = (folder / "README.txt").read_text(encoding="utf-8")
    assert "--no-index --find-links wheels labkit[rag]" in guide
    assert "://" not in guide
    done = subprocess.run(["sha256sum", "--check", "SHA256SUMS"], cwd=folder, capture_output=True, text=True)
    assert done.stdout.count("OK") == len(wheels)


def test_an_older_course_in_the_folder_is_replaced(collected, tmp_path):
    _, folder, _ = collected
    (folder / "wheels" / "labkit-0.0.9-py3-none-any.whl").write_bytes(b"old")
    assert [w.name for w in bundle.collect(folder)][:1] == ["labkit-0.1.0-py3-none-any.whl"]


def test_a_failure_of_pip_is_told():
    with pytest.raises(RuntimeError, match="could not be made"):
        bundle._run([sys.executable, "-c", "raise SystemExit(3)"], "It could not be made")


@pytest.mark.slow
def test_the_wheel_carries_labs_decks_and_data(tmp_path):
    """Built without the isolation that would fetch the build tool: the extra `dev` has it."""
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", tmp_path, ROOT]
    subprocess.run(command, check=True, capture_output=True)
    names = zipfile.ZipFile(next(tmp_path.glob("*.whl"))).namelist()
    for kind in ("notebooks", "slides"):
        for source in (ROOT / kind).glob("[0-9]*.ipynb"):
            assert f"labkit/_shipped/{kind}/{source.name}" in names
    assert "labkit/_shipped/data/models/course-dense/model.safetensors" in names
    for inside in ("publishing/vendored.json", "publishing/templates/deck/index.html.j2", "skeleton/section.md"):
        assert f"labkit/cli/{inside}" in names
