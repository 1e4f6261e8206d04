import sys

import pytest

from labkit.rag.packages import known_items, package_documents, versions

MODULE = '''
def melt(iron, heat=3):
    """Melts iron in the big furnace of the works. {filler}"""

def _hidden():
    """Never shown to anybody outside. {filler}"""

class Bell:
    """A bell cast in one piece by the founder.

    {filler}
    """

    def ring(self, times: int = 1) -> None:
        """Rings the bell so that the whole town hears it. {filler}"""

    def silent(self):
        """Short."""

raise SystemExit("reading a package must never run it")
'''


@pytest.fixture
def foundry(tmp_path, monkeypatch):
    filler = " ".join(f"word{n}" for n in range(25))
    package = tmp_path / "foundry_of_tests"
    (package / "tests").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "works.py").write_text(MODULE.format(filler=filler))
    (package / "works_again.py").write_text(MODULE.format(filler=filler))
    (package / "broken.py").write_text("def (")
    (package / "_private.py").write_text(MODULE.format(filler=filler))
    (package / "tests" / "deep.py").write_text(MODULE.format(filler=filler))
    monkeypatch.syspath_prepend(str(tmp_path))
    return package.name


def test_public_docstrings_are_documents_under_their_full_names_and_nothing_runs(foundry):
    documents = {d.id: d for d in package_documents([foundry])}
    works = f"{foundry}.works"
    assert set(documents) == {f"{works}.melt", f"{works}.Bell", f"{works}.Bell.ring"}
    assert documents[f"{works}.melt"].heading == f"{works}.melt(iron, heat=3)"
    assert documents[f"{works}.Bell"].text.startswith("A bell cast in one piece")
    assert works not in sys.modules


def test_a_known_item_no_longer_holds_its_own_question(foundry):
    items, corpus = known_items(package_documents([foundry]), count=3)
    texts = {d.id: d.text for d in corpus}
    for item in items:
        assert item.query not in " ".join(texts[item.document].split())
        assert texts[item.document].startswith("word0 word1")
    assert {i.query for i in items} >= {"A bell cast in one piece by the founder"}
    with pytest.raises(ValueError, match="Only 3"):
        known_items(package_documents([foundry]), count=4)


def test_a_package_that_is_not_there_is_named():
    with pytest.raises(ValueError, match="'no_such_package'"):
        package_documents(["no_such_package"])


def test_numpy_says_of_itself_what_help_says():
    import numpy

    documents = {d.id: d for d in package_documents(["numpy"])}
    assert len(documents) > 300
    assert not any("._" in name for name in documents)
    assert "numpy.polynomial.polynomial.polyfit" in documents
    shown = " ".join(documents["numpy.polynomial.polynomial.polyfit"].text.split())
    assert shown == " ".join(numpy.polynomial.polynomial.polyfit.__doc__.split())
    assert versions(["numpy"]) == {"numpy": numpy.__version__}
