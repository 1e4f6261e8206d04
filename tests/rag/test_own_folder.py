import argparse

import pytest

pytest.importorskip("lancedb")

from labkit.cli import rag as command
from labkit.evaluation.answering import Answer
from labkit.rag import pipeline as room
from labkit.rag import reader as readers
from labkit.rag.own_folder import open_folder, store_folder
from labkit.rag.searching import search
from labkit.rag.store import Ingested


@pytest.fixture
def notes(tmp_path, monkeypatch):
    monkeypatch.setenv("LABKIT_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "my-notes"
    (folder / "deep").mkdir(parents=True)
    (folder / "mill-2024.md").write_text("# The mill\n\nIt was built of oak.\nHesta Norett owns it.\n")
    (folder / "deep" / "tower.txt").write_text("The tower is 31 metres high.\n")
    return folder


def test_only_what_changed_is_read_again_and_what_is_gone_is_forgotten(notes, word_sums):
    def reopened():
        own = open_folder(notes, word_sums())
        return own.ingested, {f.chunk.document for f in search(own.store, "tower mill windmill", 20)}

    assert reopened() == (Ingested(2, 0, 0), {"mill-2024.md", "deep/tower.txt"})
    assert reopened() == (Ingested(0, 2, 0), {"mill-2024.md", "deep/tower.txt"})
    (notes / "deep" / "tower.txt").unlink()
    (notes / "new.md").write_text("A windmill.")
    (notes / "mill-2024.md").write_text("The mill burned down.")
    assert reopened() == (Ingested(2, 0, 1), {"mill-2024.md", "new.md"})


def test_another_embedder_and_another_folder_have_stores_of_their_own(notes, word_sums):
    places = {store_folder(notes, word_sums(name)) for name in ("one", "owner/two")} | {
        store_folder(notes.parent, word_sums("one"))
    }
    assert len(places) == 3
    assert not any(notes in place.parents for place in places), "nothing is written among the learner's files"
    assert open_folder(notes, word_sums("one")).ingested.written == 2
    assert open_folder(notes, word_sums("owner/two", width=32)).ingested.written == 2


@pytest.fixture
def asked(notes, word_sums, reader, monkeypatch, capsys):
    """`asked(says, *flags)`: what the command prints where the model says this."""
    monkeypatch.setattr("labkit.rag.embedder.load_embedder", lambda _: word_sums())
    monkeypatch.setattr("labkit.rag.reader.load_reader", lambda _: (reader, "random"))
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)

    def ask(says, *flags, question="Who owns the mill?"):
        monkeypatch.setattr(room, "answers", lambda *_: [Answer(says, 0.4, True)])
        assert command.run(parser.parse_args([str(notes), question, *flags])) == 0
        return capsys.readouterr()

    return ask


def test_an_answer_names_file_and_line_and_shows_the_line(asked):
    first, second, note = asked("hesta norett").out.splitlines()
    assert first == "hesta norett  [mill-2024.md:4]"
    assert second.strip() == "Hesta Norett owns it."
    assert "files new or changed: 2, gone: 0" in note
    assert "files new or changed: 0" in asked("oak").out


def test_an_invention_is_marked_and_doubt_is_silence(asked):
    assert "do not rely on it" in asked("Dana Norett").out
    assert asked("not known").out.startswith("Not known")
    assert "no document says Stravhuss" in asked("oak", question="Who owns the mill of Stravhuss?").out
    doubted = asked("oak", "--threshold", "0.5").out
    assert doubted.startswith("Not known")
    assert "oak" not in doubted
    assert "prompt tokens read" in asked("oak", "--stages").out


def test_what_cannot_be_read_is_said_beside_the_answer(asked, notes):
    (notes / "photo.txt").write_bytes(b"\x89PNG\0")
    shown = asked("oak")
    assert "photo.txt was left out" in shown.err
    assert "[mill-2024.md:3]" in shown.out


def test_bad_wishes_get_one_sentence(asked, monkeypatch):
    for flags, complaint in [(["--passages", "0"], "at least 1"), (["--budget", "3"], "budget is 3")]:
        with pytest.raises(ValueError, match=complaint):
            asked("oak", *flags)


def test_without_a_shipped_decoder_one_has_to_be_named(monkeypatch):
    monkeypatch.setattr(readers, "READERS", ("not-shipped",))
    with pytest.raises(ValueError, match="not-shipped is shipped"):
        readers.load_reader()


@pytest.mark.slow
def test_the_shipped_models_answer_from_a_folder(notes, capsys):
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    assert command.run(parser.parse_args([str(notes), "How high is the tower?", "--stages"])) == 0
    told = capsys.readouterr().out
    assert "passages read: 2" in told
    said = told.splitlines()[0]
    if "[" in said:
        answer, place = said.rstrip("]").split("  [")
        file, line = place.rsplit(":", 1)
        assert answer.lower() in (notes / file).read_text().splitlines()[int(line) - 1].lower()
    else:
        assert told.startswith("Not known") or "do not rely on it" in told
