import pytest

from labkit.rag.document import Document
from labkit.rag.folder import folder_documents


def test_text_is_read_and_what_cannot_be_is_said(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / ".hidden").mkdir()
    (tmp_path / "deep" / "Mill.MD").write_bytes("\ufeff# Mill\r\nhöher".encode())
    (tmp_path / "a.txt").write_text("a tower")
    (tmp_path / "latin.txt").write_bytes("h\xf6her".encode("latin-1"))
    (tmp_path / "image.txt").write_bytes(b"\x89PNG\0\0")
    (tmp_path / "nothing.md").write_text(" \n")
    (tmp_path / "code.py").write_text("x = 1")
    (tmp_path / ".hidden" / "b.txt").write_text("secret")
    found = folder_documents(tmp_path)
    assert found.documents == (
        Document("a.txt", "a tower", "a.txt"),
        Document("deep/Mill.MD", "# Mill\nhöher", "deep/Mill.MD"),
    )
    said = " ".join(found.unreadable)
    assert len(found.unreadable) == 3
    for words in ("image.txt was left out: it is binary", "latin.txt was left out: byte 1 is not UTF-8", "it is empty"):
        assert words in said


def test_a_folder_without_text_is_refused_with_the_reason(tmp_path):
    with pytest.raises(ValueError, match="not a folder"):
        folder_documents(tmp_path / "no")
    with pytest.raises(ValueError, match="There is no"):
        folder_documents(tmp_path)
    (tmp_path / "a.txt").write_bytes(b"\0")
    with pytest.raises(ValueError, match="binary"):
        folder_documents(tmp_path)
