import ast
import hashlib
import platform

import pytest

from labkit.data import ShippedFileError, standard_library


@pytest.fixture(scope="module")
def library():
    return standard_library()


def test_it_names_the_version_and_holds_what_python_holds(library):
    assert library.version == platform.python_version()
    assert {"json/decoder.py", "random.py", "asyncio/events.py"} <= set(library.files)
    assert not any("site-packages" in f or "/test/" in f for f in library.files)
    ast.parse(library.text("json/decoder.py"))


def test_splits_part_the_files(library):
    parts = [set(library.split(s)) for s in ("train", "validation", "test")]
    assert set.union(*parts) == set(library.files)
    assert sum(map(len, parts)) == len(library.files)
    assert all(parts)


def test_digest_follows_names_and_contents(tmp_path):
    (tmp_path / "b.py").write_bytes(b"x = 1\n")
    (tmp_path / "a.py").write_bytes(b"")
    (tmp_path / "test").mkdir()
    (tmp_path / "test" / "c.py").write_bytes(b"")
    hashes = [hashlib.sha256(content).hexdigest() for content in (b"", b"x = 1\n")]
    expected = hashlib.sha256(f"a.py {hashes[0]}\nb.py {hashes[1]}\n".encode()).hexdigest()
    assert standard_library(tmp_path).digest == expected
    (tmp_path / "b.py").write_bytes(b"x = 2\n")
    assert standard_library(tmp_path).digest != expected


def test_a_library_without_files_is_refused(tmp_path):
    with pytest.raises(ShippedFileError, match="not in plain files"):
        standard_library(tmp_path)
