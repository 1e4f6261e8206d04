"""C is built once, kept by content, shared safely, and does without where there is no compiler."""

import shutil

import pytest

from labkit.kernels.native import building
from labkit.measure.compilers import COMPILERS

compiler = pytest.mark.skipif(not any(map(shutil.which, COMPILERS)), reason="blocked: no C compiler")
ANSWER = "int answer(void) { return %s; }"


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "answer.c"
    path.write_text(ANSWER % 42, encoding="ascii")
    return path


@compiler
def test_a_source_is_built_once_and_again_when_it_or_a_header_changes(source, tmp_path):
    cache = tmp_path / "cache"
    assert building.build(source, cache).answer() == 42
    (first,) = cache.iterdir()
    before = first.stat().st_mtime_ns
    assert building.build(source, cache).answer() == 42
    assert first.stat().st_mtime_ns == before
    source.write_text(ANSWER % 7, encoding="ascii")
    assert building.build(source, cache).answer() == 7
    (tmp_path / "new.h").write_text("", encoding="ascii")
    building.build(source, cache)
    assert len(list(cache.iterdir())) == 3, "nothing but the three libraries is left"


@compiler
def test_what_does_not_compile_is_told_with_its_reason(source, tmp_path):
    source.write_text("int answer(void) { return nothing; }", encoding="ascii")
    with pytest.raises(building.Unbuilt, match=r"does not build answer\.c: .*"):
        building.build(source, tmp_path / "cache")


def test_without_a_compiler_one_line_says_so_once(monkeypatch, capsys):
    monkeypatch.setenv("CC", "no-such-compiler")
    building.native.cache_clear()
    assert building.native("packed_linear") is None
    assert building.native("packed_linear") is None
    told = capsys.readouterr().err.splitlines()
    assert told == [
        "labkit: `packed_linear` runs as plain torch, which is slower: "
        "no C compiler found (looked for no-such-compiler)."
    ]
    building.native.cache_clear()


@compiler
def test_a_folder_that_cannot_be_written_is_a_reason_too(source, tmp_path):
    (tmp_path / "cache").write_text("in the way", encoding="ascii")
    with pytest.raises(building.Unbuilt, match="does not build"):
        building.build(source, tmp_path / "cache")
