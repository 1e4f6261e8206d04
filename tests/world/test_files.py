"""What ships is what the generator makes, byte for byte."""

import os
import subprocess
import sys

import pytest

import labkit.data
from labkit.world.files import read_documents, read_questions, read_rows, write_files


@pytest.mark.slow
def test_regenerating_gives_the_shipped_bytes(tmp_path):
    made = write_files(tmp_path)
    assert made
    for path in [p for p in tmp_path.rglob("*") if p.is_file()]:
        assert path.read_bytes() == (labkit.data.root() / path.relative_to(tmp_path)).read_bytes(), path.name
    assert sum(p.stat().st_size for p in made) < 12_000_000


@pytest.mark.slow
@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_order_of_hashes_changes_nothing(tmp_path, hash_seed):
    command = [sys.executable, "-m", "labkit.world", "--out", str(tmp_path)]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONHASHSEED": hash_seed}, capture_output=True)
    for card in labkit.data.cards("world"):
        assert labkit.data.card(card.name).sha256 == _sha256(tmp_path / card.name)


def test_documents_and_questions_are_read_back(world):
    before = labkit.data.shipped("world/documents.before.jsonl")
    after = labkit.data.shipped("world/documents.after.jsonl")
    assert read_documents(before) == world.documents("before")
    assert {d.id: d for d in read_documents(before, after)} == {d.id: d for d in world.documents("after")}
    shipped = read_questions(labkit.data.shipped("world/questions.jsonl"))
    assert set(shipped) <= {
        q
        for kind, split, edition, book in {(q.kind, q.split, q.edition, q.book) for q in shipped}
        for q in world.questions(kind, split, edition, book)
    }


def test_a_damaged_line_is_named(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"a": 1}\n{"a": \n')
    with pytest.raises(ValueError, match=r"Line 2 of .*rows\.jsonl is not JSON"):
        list(read_rows(path))


def _sha256(path):
    import hashlib

    return hashlib.sha256(path.read_bytes()).hexdigest()
