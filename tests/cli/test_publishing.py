"""Decks and labs as pages: what is vendored is what was pinned, and a page asks nothing of the network."""

import hashlib
import io
import json
import tarfile
from base64 import b64encode
from pathlib import Path

import pytest

from labkit.cli.publishing import chromium, poster, site, slides, vendoring

ROOT = Path(__file__).parents[2]


def _archive(files):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(f"package/{name}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return packed.getvalue()


def test_every_package_is_pinned_to_a_version_and_a_hash():
    pins = json.loads(vendoring.PINS.read_text(encoding="utf-8"))
    for pin in pins.values():
        assert pin["version"][0].isdigit()
        assert len(pin["sha512"]) == 88
    assert "://" not in vendoring.PINS.read_text(encoding="utf-8")


@pytest.fixture
def npm(tmp_path, monkeypatch):
    """A stand-in for npm that packs one small package, and a cache of its own."""
    content = _archive({"LICENSE": b"do as you like", "dist/a.js": b"1", "test/b.js": b"2"})
    (tmp_path / "packed.tgz").write_bytes(content)
    program = tmp_path / "npm"
    program.write_text(f"#!/bin/sh\ncp {tmp_path}/packed.tgz thing-1.0.0.tgz\n")
    program.chmod(0o755)
    pins = tmp_path / "pins.json"
    digest = b64encode(hashlib.sha512(content).digest()).decode()
    pin = {"package": "thing", "version": "1.0.0", "sha512": digest, "keep": ["LICENSE", "dist/*"]}
    pins.write_text(json.dumps({"thing": pin}))
    monkeypatch.setattr(vendoring, "PINS", pins)
    monkeypatch.setattr(vendoring, "_cache", lambda: tmp_path / "cache" / "pins")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    return program


def test_only_what_is_kept_is_unpacked_and_the_second_time_npm_is_not_asked(npm, tmp_path):
    vendoring.vendor(tmp_path / "one")
    npm.unlink()
    vendoring.vendor(tmp_path / "two")
    for folder in ("one", "two"):
        files = sorted(
            p.relative_to(tmp_path / folder).as_posix() for p in (tmp_path / folder).rglob("*") if p.is_file()
        )
        assert files == ["thing/LICENSE", "thing/dist/a.js"]


def test_another_package_under_the_same_name_is_refused(npm, tmp_path):
    (tmp_path / "packed.tgz").write_bytes(_archive({"LICENSE": b"mine"}))
    with pytest.raises(RuntimeError, match="not what was pinned"):
        vendoring.vendor(tmp_path / "one")
    assert not (tmp_path / "cache" / "pins").exists()


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    return slides.build(slides.decks(["00"])[0], tmp_path_factory.mktemp("slides"), "vendor").read_text(
        encoding="utf-8"
    )


def test_a_deck_links_to_no_other_machine(page):
    scripts = [line for line in page.splitlines() if "src=" in line or "href=" in line or "import " in line]
    assert not [line[:200] for line in scripts if "http" in line and "data:image" not in line]


def test_a_deck_shows_figures_and_notes_but_neither_code_nor_progress_bars(page):
    assert page.count("<aside") == len(page.split("</aside>")) - 1 >= 10
    assert page.count("data:image/png") >= 4
    assert "import labkit" not in page
    assert "?it/s" not in page


def test_an_unknown_deck_is_told():
    with pytest.raises(ValueError, match="no deck for lab 98; there are 00"):
        slides.decks(["98"])


def test_the_index_says_what_a_lab_is():
    lab = site.entry(next(path for path in slides.decks(["00"])[0].parents[1].glob("notebooks/00_*.ipynb")))
    assert lab.title == "00 · Your machine and its ceilings"
    row = next(line for line in (ROOT / "README.md").read_text().splitlines() if line.startswith("| 00 |"))
    assert row.endswith(f"| {lab.minutes} |")
    assert len(lab.opening.split()) > 20


@pytest.mark.slow
@pytest.mark.skipif(chromium.found() is None, reason="blocked: no Chromium on this machine")
def test_a_deck_opens_with_the_network_off_and_nothing_sticks_out(tmp_path):
    try:
        vendoring.vendor(tmp_path / "vendor")
    except RuntimeError as error:
        pytest.skip(f"blocked: {error}")
    deck = slides.build(slides.decks(["00"])[0], tmp_path, "vendor")
    with chromium.browser() as opened:
        assert chromium.photograph(opened, deck, tmp_path / "pictures") == []
        assert chromium.print_pdf(opened, deck, tmp_path / "deck.pdf") == []
    assert len(list((tmp_path / "pictures").glob("*.png"))) >= 10
    assert (tmp_path / "deck.pdf").stat().st_size > 50_000


def _lab_with(tmp_path, *texts):
    outputs = [{"output_type": "display_data", "data": {"text/plain": text}} for text in texts]
    path = tmp_path / "07_topic.ipynb"
    path.write_text(json.dumps({"cells": [{"cell_type": "code", "outputs": outputs}]}), encoding="utf-8")
    return path


def _locked(name, question, guess):
    return f"■ Locked: {name}\n  {question}\n  Now measure; `lab.reveal` tells how far off.\n  you predict: {guess}"


def _revealed(name, guess, measured):
    verdict = "  You were off by 30x (under).\n  Over 1 measured prediction you were off by a median factor of 30.\n"
    return f"› {name}\n{verdict}  you predicted: {guess}\n  measured: {measured}"


def test_the_poster_draws_the_factors_that_were_guessed_and_measured_and_nothing_else(tmp_path):
    lab = _lab_with(
        tmp_path,
        _locked("price", "How many times dearer?", "100 x"),
        _revealed("price", "100 x", "3,007 x"),
        _locked("speed", "How many times faster?", "2 x"),
        _revealed("speed", "2 x", "0.5 x"),
        _locked("share", "Which share?", "50 %"),
        _revealed("share", "50 %", "82 %"),
        _locked("never measured", "How many times longer?", "9 x"),
    )
    price, speed = poster.guesses_of(lab)
    assert price == poster.Guess("07", "How many times dearer?", 100.0, 3007.0)
    assert (speed.question, speed.off) == ("How many times faster?", 4.0)
    assert len(poster.draw([lab]).png()) < 40_000


def test_the_labs_as_they_were_executed_give_rows_for_the_poster():
    labs = sorted((slides.decks(["00"])[0].parents[1] / "notebooks").glob("[0-9][0-9]_*.ipynb"))
    rows = [row for lab in labs for row in poster.guesses_of(lab)]
    assert len(rows) >= 8
    assert all(row.question.endswith("?") and row.off >= 1 for row in rows)


def test_without_a_measured_factor_there_is_no_poster(tmp_path):
    with pytest.raises(ValueError, match="No executed lab"):
        poster.draw([_lab_with(tmp_path, _locked("price", "How many times dearer?", "100 x"))])
