"""A corpus that everybody has: the documentation of the packages installed on this machine.

Docstrings are read from source files and nothing is imported or run. Never committed and never shipped; a figure
measured on it names the versions, because another installation has another text.
"""

from __future__ import annotations

import ast
import importlib.metadata
import importlib.util
import inspect
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from labkit.measure.progress import progress
from labkit.rag.document import Document

PACKAGES = ("torch", "transformers", "numpy", "safetensors", "tokenizers")
SHORTEST = 20
"""Words that a docstring needs to be a document."""
SKIPPED = frozenset({"test", "tests", "testing", "_vendor", "_inductor", "_internal"})
"""Folders whose docstrings speak to the package's own authors."""
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass(frozen=True)
class KnownItem:
    """A question with exactly one document to find."""

    query: str
    document: str


def package_documents(packages: Sequence[str] = PACKAGES) -> list[Document]:
    """A document for each public class and function with a docstring, under its full name and with its signature.

    A docstring that was copied is a document once, under the first name that has it. Raises `ValueError` naming a
    package that is not installed.
    """
    files = [(name, folder, file) for name in packages for folder in [_folder(name)] for file in _sources(folder)]
    found: dict[str, Document] = {}
    for name, folder, file in progress(files, "Reading docstrings"):
        module = ".".join((name, *file.relative_to(folder).with_suffix("").parts)).removesuffix(".__init__")
        for document in _documented(module, file):
            found.setdefault(document.text, document)
    return list({document.id: document for document in found.values()}.values())


def versions(packages: Sequence[str] = PACKAGES) -> dict[str, str]:
    """The installed version of each package, to stand beside what was measured on its documentation."""
    return {name: importlib.metadata.version(name) for name in packages}


def known_items(documents: Sequence[Document], count: int, seed: int = 0) -> tuple[list[KnownItem], list[Document]]:
    """The first sentence of some docstrings as queries, and the corpus with these sentences taken out.

    So a query shares with its document what both say of the same thing, and not its own words. Sentences that open
    several docstrings, or hold fewer than five words, are no queries. Raises `ValueError` if there are too few.
    """
    opening = {d.id: _first_sentence(d.text) for d in documents}
    times: dict[str, int] = {}
    for sentence in opening.values():
        times[sentence] = times.get(sentence, 0) + 1
    usable = [d for d in documents if times[opening[d.id]] == 1 and _is_query(opening[d.id], d)]
    if len(usable) < count:
        raise ValueError(f"Only {len(usable)} docstrings can be asked for; {count} were wanted.")
    chosen = {d.id for d in random.Random(f"labkit.rag.packages/{seed}").sample(usable, count)}
    items = [KnownItem(opening[d.id], d.id) for d in documents if d.id in chosen]
    rest = [_without(d, opening[d.id]) if d.id in chosen else d for d in documents]
    return items, rest


def _folder(package: str) -> Path:
    found = importlib.util.find_spec(package) if package.isidentifier() else None
    if found is None or not found.submodule_search_locations:
        raise ValueError(f"The package {package!r} is not installed, or is a single file.")
    return Path(next(iter(found.submodule_search_locations)))


def _sources(folder: Path) -> list[Path]:
    """Python files and type stubs, which document compiled modules."""
    paths = (p for pattern in ("*.py", "*.pyi") for p in folder.rglob(pattern))
    return sorted(p for p in paths if not SKIPPED.intersection(p.relative_to(folder).parts))


def _documented(module: str, file: Path) -> Iterator[Document]:
    try:
        tree = ast.parse(file.read_bytes())
    except SyntaxError:
        return  # a template or a file for another Python: nothing that can be read here
    if not any(part.startswith("_") for part in module.split(".")):
        yield from _inside(module, tree)


def _inside(place: str, node: ast.Module | ast.ClassDef) -> Iterator[Document]:
    for child in node.body:
        if isinstance(child, Definition) and not child.name.startswith("_"):
            name = f"{place}.{child.name}"
            if len((ast.get_docstring(child) or "").split()) >= SHORTEST:
                yield Document(name, f"{ast.get_docstring(child)}", heading=f"{name}{_signature(child)}")
            if isinstance(child, ast.ClassDef):
                yield from _inside(name, child)


def _signature(node: Definition) -> str:
    return "" if isinstance(node, ast.ClassDef) else f"({ast.unparse(node.args)})"


def _first_sentence(text: str) -> str:
    """The first paragraph up to its first full stop, on one line."""
    paragraph = " ".join(inspect.cleandoc(text).split("\n\n")[0].split())
    return paragraph.split(". ")[0].rstrip(".")


def _is_query(sentence: str, document: Document) -> bool:
    rest = _without(document, sentence).text
    return len(sentence.split()) >= 5 and len(rest.split()) >= SHORTEST and rest != document.text


def _without(document: Document, sentence: str) -> Document:
    """The document without its first sentence, which may stand on several lines there."""
    text, place = document.text, 0
    for word in sentence.split():
        place = text.find(word, place)
        if place < 0:
            return document
        place += len(word)
    return Document(document.id, text[place:].lstrip(". \n"), document.heading)
