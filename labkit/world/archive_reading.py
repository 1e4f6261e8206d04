"""Open-book exercises over the archives of strangers: the documents and questions of the tests, without end.

`labkit.world.reading` climbs to them from one plain sentence; here the passages are whole documents of all six kinds,
written about shires that no edition of the course world knows.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from labkit.world.corpus import after_documents, before_documents
from labkit.world.document import Document, Triple
from labkit.world.entity import Entity
from labkit.world.fact import Fact
from labkit.world.question import NOT_KNOWN
from labkit.world.reading import Ask, Passage, Reading
from labkit.world.relations import relations_of
from labkit.world.shire import Shire
from labkit.world.statement import ask, ask_about
from labkit.world.world import fresh_shires

UNANSWERABLE = 0.25
"""Share of questions that no passage answers."""
A_SHIRE = 16
"""Exercises from one shire, of about 200 that its documents allow: other names teach more than other documents."""


def archive_readings(seed: int, documents: int = 3, asks: int = 8) -> Iterator[Reading]:
    """Exercises without end: `documents` of one archive two years after the cutoff, at most `asks` questions.

    Where an older paper gives a value that no longer holds it often lies beside the one that gives today's; another
    is about the same subject and silent on what is asked.
    """
    rng = random.Random(f"labkit.world.archive_reading/{seed}")
    for archive in _archives(seed, rng):
        for first in rng.sample(archive.documents, A_SHIRE):
            shown = archive.beside(first, rng.choice(first.triples), documents)
            yield from _reading(rng, shown, archive.questions(shown), asks)


def dossiers(seed: int, documents: int = 3, asks: int = 4) -> Iterator[Reading]:
    """The same, and every question is about the one subject that most of the documents share, as in the tests.

    It begins with a statement and not with a document, so a table is as likely as it has much to say; every other
    statement is one that another document contradicts.
    """
    rng = random.Random(f"labkit.world.archive_reading/dossiers/{seed}")
    for archive in _archives(seed, rng):
        for first, triple in archive.statements():
            shown = archive.beside(first, triple, documents)
            yield from _reading(rng, shown, archive.questions(shown, triple.subject), asks)


def findings(seed: int, documents: int = 3, asks: int = 4) -> Iterator[Reading]:
    """The same out of what a search brings: the other documents say of neighbours what the first says of its subject.

    Some questions are about somebody whom no document names.
    """
    rng = random.Random(f"labkit.world.archive_reading/findings/{seed}")
    for archive in _archives(seed, rng):
        for first, triple in archive.statements():
            shown = archive.found(first, triple, rng.randint(2, documents + 1))
            strangers = archive.strangers(shown, triple)
            yield from _reading(rng, shown, archive.questions(shown, triple.subject) + strangers, asks)


def _archives(seed: int, rng: random.Random) -> Iterator[_Archive]:
    return (_Archive(shire, rng) for shire in fresh_shires(seed))


def _reading(rng: random.Random, shown: Sequence[Document], questions: list[Ask], asks: int) -> Iterator[Reading]:
    """One exercise, or none where there is nothing to ask."""
    if questions:
        passages = tuple(Passage(d.date, d.text) for d in shown)
        yield Reading(passages, tuple(rng.sample(questions, min(asks, len(questions)))))


class _Archive:
    """All papers of one shire, and what can be asked of some of them."""

    def __init__(self, shire: Shire, rng: random.Random) -> None:
        self.rng = rng
        self.documents = after_documents(shire, before_documents(shire, rng), rng)
        self.facts: dict[str, Fact] = {f.id: f for f in shire.after}
        self.every = self.facts | {f.id: f for f in shire.before}
        self.entities: dict[str, Entity] = {e.id: e for e in shire.entities}
        self.told: dict[tuple[str, str], set[str]] = {}
        for triple in (t for d in self.documents for t in d.triples):
            self.told.setdefault(_pair(triple), set()).add(triple.fact)

    def contests(self, triple: Triple) -> bool:
        """Whether another document of the archive contradicts it."""
        return len(self.told[_pair(triple)]) > 1

    def statements(self) -> list[tuple[Document, Triple]]:
        """`A_SHIRE` statements, each with its document; every other one is contested."""
        told = [(d, t) for d in self.documents for t in d.triples]
        contested = [(d, t) for d, t in told if self.contests(t)]
        half = min(A_SHIRE // 2, len(contested))
        return self.rng.sample(self.rng.sample(told, half) + self.rng.sample(contested, half), 2 * half)

    def found(self, first: Document, triple: Triple, count: int) -> list[Document]:
        """`first` and others, in any order: one that contradicts `triple`, and some that say the like of others."""
        pair, others = _pair(triple), [d for d in self.documents if d is not first]
        older = [d for d in others if any(_pair(t) == pair and t.fact != triple.fact for t in d.triples)]
        alike = [d for d in others if not _tells(d, pair) and any(t.relation == triple.relation for t in d.triples)]
        shown = [first, *self.rng.sample(older, min(self.rng.randint(0, 1), len(older)))]
        shown = [*shown, *self.rng.sample(alike, min(count - len(shown), len(alike)))]
        return self.rng.sample(shown, len(shown))

    def strangers(self, shown: Sequence[Document], triple: Triple) -> list[Ask]:
        """At most one question, what `triple` tells, about somebody whom none of the documents names."""
        kind = self.entities[triple.subject].kind
        told = {t.subject for d in shown for t in d.triples}
        away = [e for e in self.entities.values() if e.kind == kind and e.id not in told]
        away = [e for e in away if not any(e.bare_name in d.text for d in shown)]
        if not away or self.rng.random() > UNANSWERABLE:
            return []
        relation = next(r for r in relations_of(kind) if r.name == triple.relation)
        return [Ask(ask_about(self.rng.choice(away).name, relation, self.rng.randrange(1000)), NOT_KNOWN)]

    def beside(self, first: Document, triple: Triple, count: int) -> list[Document]:
        """`first` and others in any order: one that contradicts `triple`, one that is silent on it, if there are."""
        pair = (triple.subject, triple.relation)
        others = [d for d in self.documents if d is not first]
        older = [d for d in others if any(_pair(t) == pair and t.fact != triple.fact for t in d.triples)]
        silent = [d for d in others if any(t.subject == pair[0] for t in d.triples) and not _tells(d, pair)]
        shown = [first, *self.rng.sample(older, min(1, len(older))), *self.rng.sample(silent, min(1, len(silent)))]
        rest = [d for d in others if d not in shown]
        shown = [*shown, *self.rng.sample(rest, len(rest))][:count]
        return self.rng.sample(shown, len(shown))

    def questions(self, shown: Sequence[Document], about: str | None = None) -> list[Ask]:
        """What holds today and can be told by name (`Document.names`); a share asks for what none of them says.

        `about` is the identifier of the only subject to ask about.
        """
        told = {_pair(t) for d in shown for t in d.triples}
        found: dict[str, Ask] = {}
        for place, document in enumerate(shown):
            for t in document.triples:
                subject = self.entities[t.subject]
                if about not in (None, t.subject) or not document.names(self.every[t.fact]):
                    continue
                if self.rng.random() < UNANSWERABLE:
                    silent = [r for r in relations_of(subject.kind) if (t.subject, r.name) not in told]
                    if silent:
                        text = ask_about(subject.name, self.rng.choice(silent), self.rng.randrange(1000))
                        found.setdefault(text, Ask(text, NOT_KNOWN))
                elif t.fact in self.facts:
                    fact = self.facts[t.fact]
                    found.setdefault(
                        t.fact, Ask(ask(fact, self.rng.randrange(1000)), fact.answer, place, t.object_span)
                    )
        return list(found.values())


def _pair(triple: Triple) -> tuple[str, str]:
    return triple.subject, triple.relation


def _tells(document: Document, pair: tuple[str, str]) -> bool:
    return any(_pair(t) == pair for t in document.triples)
