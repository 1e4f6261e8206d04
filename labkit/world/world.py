"""The world: shires, entities and dated facts of two editions, all from one seed.

Not the corpus and not the questions (`labkit.world.corpus`, `labkit.world.questions`), which the methods here only
reach for.
"""

from __future__ import annotations

import functools
import random
from collections.abc import Iterator
from functools import cached_property

from labkit.world.corpus import after_documents, before_documents
from labkit.world.document import Document
from labkit.world.entity import Entity, Mention
from labkit.world.fact import Fact
from labkit.world.names import REGIONS
from labkit.world.question import Book, Edition, Evidence, Question, QuestionKind
from labkit.world.questions import evidence_of, questions_of
from labkit.world.relation import Split
from labkit.world.shire import SHIRES, SHIRES_PER_REGION, Shire, build_shire, split_of_shire

EDITIONS: tuple[Edition, ...] = ("before", "after")


class World:
    """Everything that is true, when, and since when.

    The same seed gives the same world on every platform and Python version.
    """

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed
        taken: set[str] = set()
        unique: set[str] = set()
        self.shires: tuple[Shire, ...] = tuple(
            build_shire(
                number,
                REGIONS[number // SHIRES_PER_REGION],
                random.Random(f"labkit.world/{seed}/{number}"),
                taken,
                unique,
            )
            for number in range(SHIRES)
        )
        self.words = frozenset(taken)
        self.phrases = frozenset(unique)

    @cached_property
    def entities(self) -> tuple[Entity, ...]:
        """Every entity, those that arrive after the cutoff included."""
        return tuple(e for shire in self.shires for e in shire.entities)

    def facts(self, edition: Edition = "before") -> tuple[Fact, ...]:
        """Every recorded fact that holds on the last day of the edition."""
        return tuple(f for shire in self.shires for f in shire.facts(edition))

    def changes(self) -> tuple[tuple[Fact, Fact], ...]:
        """Pairs of a fact at the cutoff and the one that replaced it."""
        old = {f.id: f for f in self.facts("before")}
        return tuple((old[f.replaces], f) for f in self.facts("after") if f.replaces)

    def unrecorded(self) -> tuple[tuple[Entity, str], ...]:
        """Entity and relation of each fact that no document of any edition states."""
        return tuple(pair for shire in self.shires for pair in shire.unrecorded)

    def documents(self, edition: Edition = "before") -> tuple[Document, ...]:
        """The corpus of the edition."""
        return self._corpus[EDITIONS.index(edition)]

    @cached_property
    def _corpus(self) -> tuple[tuple[Document, ...], tuple[Document, ...]]:
        before: list[Document] = []
        after: list[Document] = []
        for shire in self.shires:
            rng = random.Random(f"labkit.world.corpus/{self.seed}/{shire.number}")
            papers = before_documents(shire, rng)
            before += papers
            after += after_documents(shire, papers, rng)
        return tuple(before), tuple(after)

    def questions(
        self,
        kind: QuestionKind,
        split: Split = "test",
        edition: Edition = "before",
        book: Book = "open",
        mention: Mention | None = None,
    ) -> tuple[Question, ...]:
        """Every question of a kind, split and book, as asked on the last day of the edition.

        Open-book questions call their subject by name, alias or description, or always by `mention` where it is given;
        closed-book ones by name.
        Raises ValueError for an unknown kind, and for kind "changed" in the edition "before".
        """
        return questions_of(self, kind, split, edition, book, mention)

    def evidence(self, edition: Edition = "before") -> dict[str, tuple[Evidence, ...]]:
        """For each fact of the edition, every place of the corpus that states it."""
        return self._evidence[EDITIONS.index(edition)]

    @cached_property
    def _evidence(self) -> tuple[dict[str, tuple[Evidence, ...]], ...]:
        return tuple(evidence_of(self, edition) for edition in EDITIONS)

    def taken(self) -> tuple[set[str], set[str]]:
        """Copies of every word and every phrase that names somebody, to draw strangers from what is left."""
        return set(self.words), set(self.phrases)

    def split(self, entity: Entity) -> Split:
        """The open-book split of an entity; every link of the entity stays in it."""
        return split_of_shire(entity.shire)


def fresh_shires(seed: int) -> Iterator[Shire]:
    """Shires without end, none of whose names is in the world of `World()`: material for open-book training.

    One region after another, and the first by the seed: whoever takes few shires of many seeds meets all regions too.
    """
    words, phrases = _course_names()
    first = random.Random(f"labkit.world.fresh/{seed}").randrange(len(REGIONS))
    number = 0
    while True:
        rng = random.Random(f"labkit.world.fresh/{seed}/{number}")
        region = REGIONS[(first + number) % len(REGIONS)]
        yield build_shire(number % 100, region, rng, set(words), set(phrases))
        number += 1


@functools.cache
def _course_names() -> tuple[set[str], set[str]]:
    """Words and phrases of the course world, drawn once: it takes half a second."""
    return World().taken()
