"""Which documents a shire leaves behind in each edition, and which facts each of them states.

The "after" edition is the corpus as it stands two years later: registry entries and tables are revised under their old
id, part of the older papers that state what no longer holds is withdrawn and part lies about (stale), and new papers
tell what changed and who arrived.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence

from labkit.world.dates import CUTOFF, EDITION_END, Date, draw_date
from labkit.world.document import Document, triples_of
from labkit.world.documents import WRITERS
from labkit.world.documents.scribe import Scribe
from labkit.world.entity import Entity
from labkit.world.fact import Fact
from labkit.world.grammar import Marked
from labkit.world.relations import relations_of
from labkit.world.shire import Shire

PAPERS = {"news": 42, "letter": 40, "minutes": 26, "log": 30}
"""Documents a shire that are neither registry entries nor tables."""
TABLES = 8
NEW_PAPERS = {"news": 14, "letter": 8, "minutes": 6, "log": 4}
IN_REGISTRY = 0.3
"""Share of the facts of an entity that its registry entry tells; the others stand elsewhere."""
WITHDRAWN = 0.5
WEIGHTS = {
    "registry": (1, 0, 0),
    "news": (8, 1, 1),
    "letter": (6, 2, 2),
    "minutes": (8, 1, 1),
    "log": (7, 2, 1),
    "table": (9, 1, 0),
}
"""How often each kind of document calls an entity by name, alias and description."""


def before_documents(shire: Shire, rng: random.Random) -> list[Document]:
    """The corpus of a shire at the cutoff."""
    archive = _Archive(shire, rng, "before")
    for entity in shire.entities:
        if entity.arrives == "before":
            archive.register(entity)
    for _ in range(TABLES):
        archive.tabulate()
    archive.publish(PAPERS)
    return archive.documents


def after_documents(shire: Shire, before: Sequence[Document], rng: random.Random) -> list[Document]:
    """The same corpus two years later."""
    archive = _Archive(shire, rng, "after")
    current = {f.id for f in shire.after}
    for document in before:
        stale = any(t.fact not in current for t in document.triples)
        if not stale:
            archive.documents.append(document)
        elif document.kind in ("registry", "table"):
            archive.revise(document)
        elif rng.random() >= WITHDRAWN:
            archive.documents.append(document)
    for entity in shire.entities:
        if entity.arrives == "after":
            archive.register(entity)
    archive.publish(NEW_PAPERS, first=[f for f in shire.after if f.replaces or f.subject.arrives == "after"])
    return archive.documents


class _Archive:
    """The documents of one shire while they are written."""

    def __init__(self, shire: Shire, rng: random.Random, edition: str) -> None:
        self.shire, self.rng, self.edition = shire, rng, edition
        self.documents: list[Document] = []
        self.facts = {f.id: f for f in shire.facts(edition)}
        self.numbers: dict[str, int] = {}

    def register(self, entity: Entity) -> None:
        own = self._about(entity)
        kept = [f for f in own if self.rng.random() < IN_REGISTRY] or own[:1]
        self.rng.shuffle(kept)
        self._add("registry", kept, lambda scribe: WRITERS["registry"](scribe, entity, kept))

    def tabulate(self) -> None:
        kind = self.rng.choice(("town", "site", "site", "instrument", "firm", "person", "person"))
        names = self.rng.sample([r.name for r in relations_of(kind)], 2 if kind != "town" else 1)
        rows = [[f for f in self._about(e) if f.relation in names] for e in self.shire.entities if e.kind == kind]
        full = [sorted(row, key=lambda f: names.index(f.relation)) for row in rows if len(row) == len(names)]
        chosen = self.rng.sample(full, min(len(full), self.rng.randint(3, 5)))
        if chosen:
            self._add("table", [f for row in chosen for f in row], lambda scribe: WRITERS["table"](scribe, chosen))

    def publish(self, counts: dict[str, int], first: Sequence[Fact] = ()) -> None:
        """Papers of every kind: facts nobody has stated yet come first, then `first`, then any."""
        kinds = [kind for kind, count in counts.items() for _ in range(count)]
        self.rng.shuffle(kinds)
        stated = {t.fact for d in self.documents for t in d.triples}
        urgent = [f for f in self.facts.values() if f.id not in stated]
        self.rng.shuffle(urgent)
        waiting = [*urgent, *self.rng.sample(list(first), len(first))]
        while kinds or waiting:
            kind = kinds.pop() if kinds else self.rng.choice(list(counts))
            chosen = self._choose(waiting)
            self._add(kind, chosen, lambda scribe, kind=kind, chosen=chosen: WRITERS[kind](scribe, chosen))

    def revise(self, document: Document) -> None:
        """The same document with today's facts, under the same id."""
        now = {(f.subject.id, f.relation): f for f in self.facts.values()}
        facts = [now[t.subject, t.relation] for t in document.triples]
        if document.kind == "registry":
            entity = facts[0].subject
            self._add("registry", facts, lambda scribe: WRITERS["registry"](scribe, entity, facts), document)
        else:
            rows = list({f.subject.id: [g for g in facts if g.subject == f.subject] for f in facts}.values())
            self._add("table", facts, lambda scribe: WRITERS["table"](scribe, rows), document)

    def _about(self, entity: Entity) -> list[Fact]:
        return [f for f in self.facts.values() if f.subject == entity]

    def _choose(self, waiting: list[Fact]) -> list[Fact]:
        """One to three facts of one entity, and now and then one of another."""
        main = (waiting or self.rng.sample(list(self.facts.values()), 1))[0]
        own = [f for f in self._about(main.subject) if f != main]
        wanted = [f for f in own if f in waiting]
        others = [f for f in own if f not in waiting]
        self.rng.shuffle(others)
        chosen = [main, *(wanted + others)[: self.rng.randint(0, 2)]]
        chosen += self._elsewhere(chosen, self.rng.choice((0, 1, 1, 2)))
        for fact in chosen:
            if fact in waiting:
                waiting.remove(fact)
        return chosen

    def _elsewhere(self, chosen: Sequence[Fact], count: int) -> Iterable[Fact]:
        """Facts of other entities, none twice and none of a subject already in the text."""
        found: dict[str, Fact] = {}
        for fact in self.rng.sample(list(self.facts.values()), 12):
            if fact.subject != chosen[0].subject and len(found) < count:
                found.setdefault(fact.subject.id, fact)
        return found.values()

    def _add(self, kind: str, facts: Sequence[Fact], write, revised: Document | None = None) -> None:
        date = self._date(facts, new=self.edition == "after")
        marked: Marked = write(Scribe(self.rng, self.shire, date, facts, WEIGHTS[kind]))
        name, revision = (revised.id, revised.revision + 1) if revised else (self._name(kind), 1)
        self.documents.append(Document(name, kind, date.iso(), marked.text, triples_of(marked), revision))

    def _name(self, kind: str) -> str:
        number = self.numbers[kind] = self.numbers.get(kind, 0) + 1
        mark = "n" if self.edition == "after" else ""
        return f"{kind}-{self.shire.number:02d}{mark}{number:03d}"

    def _date(self, facts: Sequence[Fact], new: bool) -> Date:
        first = Date(CUTOFF.year + 1, 1, 1) if new else Date(424, 1, 1)
        return draw_date(self.rng, max([first, *(f.since for f in facts if f.since)]), EDITION_END[self.edition])
