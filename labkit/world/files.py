"""The world as files: what ships in `data/world`, the cards beside it, and readers for both.

The "after" corpus is written as its difference from the "before" one, the form in which an index would be told of it.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import random
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from labkit.world.arithmetic import problems
from labkit.world.document import Document
from labkit.world.extraction import extractions
from labkit.world.question import Question
from labkit.world.world import EDITIONS, World

MAKE = "python -m labkit.world --out data"
LICENCE = "CC BY 4.0"
SOURCE = "made by the course's own generator, labkit.world (seed 0); no text of others"
SHIPPED_QUESTIONS = (
    ("open", "before", ("one-hop", "two-hop", "comparison", "unanswerable")),
    ("open", "after", ("one-hop", "changed")),
    ("closed", "before", ("one-hop", "two-hop")),
    ("closed", "after", ("changed",)),
)
SHIPPED = {"validation": 200, "test": 600}
"""Questions, problems and extractions a file holds of each split and kind; the generator gives all of them."""


def write_files(out: Path, seed: int = 0) -> list[Path]:
    """Writes every file of the world and its card below `out`; returns the files in order."""
    world = World(seed)
    written = []
    for name, (summary, rows) in contents(world).items():
        path = out / "world" / name
        payload = "".join(json.dumps(r, ensure_ascii=False, separators=(",", ":")) + "\n" for r in rows).encode()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(payload)
        _write_card(out, f"world/{name}", summary, payload)
        written.append(path)
    return written


def contents(world: World) -> dict[str, tuple[str, Iterable[dict[str, Any]]]]:
    """Summary and rows of each file by name."""
    return {
        "entities.jsonl": (
            "every town, site, instrument, firm and person, with alias and description",
            _entities(world),
        ),
        "facts.jsonl": ("every dated fact and the editions in which it holds", _facts(world)),
        "documents.before.jsonl": ("the corpus at the cutoff", (d.to_dict() for d in world.documents("before"))),
        "documents.after.jsonl": ("what changed in the corpus two years after the cutoff", _difference(world)),
        "questions.jsonl": ("validation and test questions with answers, evidence and spans", _questions(world)),
        "arithmetic.jsonl": ("validation and test problems of arithmetic and units", _drawn(problems, world.seed)),
        "extraction.jsonl": ("validation and test documents with schema and JSON", _drawn(extractions, world.seed)),
    }


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a JSONL file; ValueError names the line that is none."""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            yield json.loads(line)
        except json.JSONDecodeError as error:
            raise ValueError(f"Line {number} of {path} is not JSON: {error}") from None


def read_documents(before: Path, after: Path | None = None) -> tuple[Document, ...]:
    """The corpus from its files: at the cutoff, or with the changes of `after` carried out."""
    corpus = {row["id"]: Document.from_dict(row) for row in read_rows(before)}
    for row in read_rows(after) if after else ():
        if row.get("withdrawn"):
            del corpus[row["id"]]
        else:
            corpus[row["id"]] = Document.from_dict(row)
    return tuple(corpus.values())


def read_questions(path: Path) -> tuple[Question, ...]:
    """The shipped questions."""
    return tuple(Question.from_dict(row) for row in read_rows(path))


def _entities(world: World) -> Iterator[dict[str, Any]]:
    for entity in world.entities:
        fields = ("id", "kind", "noun", "name", "alias", "description", "region", "shire", "arrives")
        yield {f: getattr(entity, f) for f in fields} | {"split": world.split(entity)}


def _facts(world: World) -> Iterator[dict[str, Any]]:
    editions = {e: {f.id: f for f in world.facts(e)} for e in EDITIONS}
    for fact in ({**editions["before"], **editions["after"]}).values():
        since = fact.since.iso() if fact.since else None
        row = {"id": fact.id, "subject": fact.subject.id, "relation": fact.relation, "object": fact.answer}
        yield row | {"since": since, "editions": [e for e in EDITIONS if fact.id in editions[e]]}


def _difference(world: World) -> Iterator[dict[str, Any]]:
    before = {d.id: d for d in world.documents("before")}
    after = {d.id: d for d in world.documents("after")}
    yield from ({"id": name, "withdrawn": True} for name in before if name not in after)
    yield from (d.to_dict() for name, d in after.items() if before.get(name) != d)


def _questions(world: World) -> Iterator[dict[str, Any]]:
    for book, edition, kinds in SHIPPED_QUESTIONS:
        for kind, (split, count) in itertools.product(kinds, SHIPPED.items()):
            everything = world.questions(kind, split, edition, book)
            rng = random.Random(f"labkit.world.files/{world.seed}/{kind}/{split}/{edition}/{book}")
            chosen = rng.sample(everything, min(count, len(everything)))
            yield from (q.to_dict() for q in sorted(chosen, key=lambda q: q.id))


def _drawn(draw, seed: int) -> Iterator[dict[str, Any]]:
    for split, count in SHIPPED.items():
        for item in itertools.islice(draw(seed, split), count):
            yield {"split": split, **vars(item)}


def _write_card(out: Path, name: str, summary: str, payload: bytes) -> None:
    """The card that `labkit.data` reads; written here because the two rooms share a floor."""
    card = {
        "name": name,
        "summary": summary,
        "source": SOURCE,
        "licence": LICENCE,
        "bytes": len(payload),
        "sha256": hashlib.sha256(payload).hexdigest(),
        "make": MAKE,
    }
    path = out / "cards" / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes((json.dumps(card, indent=1, ensure_ascii=False) + "\n").encode())
