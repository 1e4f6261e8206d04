import hashlib
import json

import pytest

from labkit.data import ShippedFileError, card, cards, root, shipped, verify, write_card


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("LABKIT_DATA", str(tmp_path))
    (tmp_path / "poems").mkdir()
    (tmp_path / "poems" / "one.txt").write_bytes(b"tower\n")
    write_card("poems/one.txt", summary="a poem", source="made here", make="python -m poems")
    return tmp_path


def test_a_card_says_size_and_hash_and_the_file_is_handed_out(folder):
    assert shipped("poems/one.txt").read_bytes() == b"tower\n"
    made = card("poems/one.txt")
    assert (made.bytes, made.sha256) == (6, hashlib.sha256(b"tower\n").hexdigest())
    assert made.licence == "CC BY 4.0"
    assert shipped("poems") == folder / "poems"
    assert verify() == []


@pytest.mark.parametrize("damage", [b"tewer\n", b"tower"])
def test_a_damaged_file_is_named_with_what_to_type(folder, damage):
    (folder / "poems" / "one.txt").write_bytes(damage)
    for call in (lambda: shipped("poems/one.txt"), lambda: shipped("poems")):
        with pytest.raises(ShippedFileError, match=r"one\.txt .*python -m poems"):
            call()
    assert len(verify()) == 1


def test_a_missing_file_is_named_with_what_to_type(folder):
    (folder / "poems" / "one.txt").unlink()
    with pytest.raises(ShippedFileError, match=r"one\.txt is missing; .*python -m poems"):
        shipped("poems/one.txt")
    assert len(verify()) == 1


def test_a_file_without_a_card_is_refused(folder):
    (folder / "poems" / "two.txt").write_bytes(b"sea")
    with pytest.raises(ShippedFileError, match=r"'poems/two\.txt'.*poems/one.txt"):
        shipped("poems/two.txt")
    with pytest.raises(ShippedFileError, match="has no card"):
        shipped("poems")
    with pytest.raises(ShippedFileError, match="Write the file first"):
        write_card("poems/three.txt", summary="", source="", make="")


def test_a_broken_card_is_named(folder):
    path = folder / "cards" / "poems" / "one.txt.json"
    path.write_text(json.dumps({"name": "poems/one.txt"}))
    with pytest.raises(ShippedFileError, match=r"one\.txt\.json cannot be read"):
        shipped("poems/one.txt")
    assert len(verify()) == 1


def test_a_missing_folder_says_what_to_set(monkeypatch, tmp_path):
    monkeypatch.setenv("LABKIT_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(ShippedFileError, match=r"nowhere.*LABKIT_DATA"):
        root()
    assert len(verify()) == 1


def test_an_installed_package_finds_its_own_folder(monkeypatch, tmp_path):
    package = tmp_path / "site" / "labkit"
    (package / "_shipped" / "data").mkdir(parents=True)
    (tmp_path / "site" / "data").mkdir()  # somebody else's
    monkeypatch.delenv("LABKIT_DATA", raising=False)
    monkeypatch.setattr("labkit.data.place._PACKAGE", package)
    assert root() == package / "_shipped" / "data"


def test_everything_that_ships_has_the_hash_of_its_card(monkeypatch):
    monkeypatch.delenv("LABKIT_DATA", raising=False)
    assert cards()
    assert verify() == []
    assert all(c.licence == "CC BY 4.0" and c.source and c.make for c in cards())
