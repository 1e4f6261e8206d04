"""Every question of a kind that a split allows.

Open-book splits part the entities (a question of a split speaks of entities of that split only) and use the training
phrasings; closed-book splits ask about the training entities, by name, and part the phrasings.
"""

from __future__ import annotations

import dataclasses
import itertools
import random
from collections.abc import Iterator
from typing import TYPE_CHECKING

from labkit.world.entity import KINDS, Entity, Mention
from labkit.world.fact import Fact
from labkit.world.grammar import fill
from labkit.world.names import REGIONS
from labkit.world.question import NOT_KNOWN, QUESTION_KINDS, Book, Edition, Evidence, Question, QuestionKind
from labkit.world.relation import Split
from labkit.world.relations import RELATIONS, relations_of
from labkit.world.shire import Shire, build_shire, split_of_shire
from labkit.world.statement import ask_about, noun_phrase, questions

if TYPE_CHECKING:
    from labkit.world.world import World

MENTION_WEIGHTS: dict[Mention, int] = {"name": 1, "alias": 1, "description": 1}
"""How often an open-book question calls its subject by each of its words."""
PHRASINGS = {"changed": 4, "unanswerable": 4}
"""In how many phrasings a fact is asked for, where it is not one."""
PAIRS = 16
"""Comparisons a shire for each relation and kind of entity."""


def questions_of(
    world: World, kind: QuestionKind, split: Split, edition: Edition, book: Book, mention: Mention | None = None
) -> tuple[Question, ...]:
    """All questions of a kind, numbered; see `World.questions`."""
    if kind not in QUESTION_KINDS:
        raise ValueError(f"No questions of kind {kind!r}; the kinds are {', '.join(QUESTION_KINDS)}")
    if kind == "changed" and edition == "before":
        raise ValueError('Questions of kind "changed" exist in the edition "after" only')
    asker = _Asker(world, kind, split, edition, book, mention)
    drafts = {q.text: q for shire in asker.shires for q in asker.draft(shire)}
    return tuple(asker.finish(q, number) for number, q in enumerate(drafts.values()))


class _Asker:
    """Drafts the questions of one kind, split, edition and book."""

    def __init__(
        self, world: World, kind: QuestionKind, split: Split, edition: Edition, book: Book, mention: Mention | None
    ) -> None:
        self.world, self.kind, self.split, self.edition, self.book = world, kind, split, edition, book
        self.mention = "name" if book == "closed" else mention
        self.rng = random.Random(f"labkit.world.questions/{world.seed}/{kind}/{split}/{edition}/{book}")
        entities = split if book == "open" else "train"
        self.phrasings: Split = split if book == "closed" else "train"
        self.shires = [s for s in world.shires if split_of_shire(s.number) == entities]
        self.evidence = world.evidence(edition)

    def draft(self, shire: Shire) -> Iterator[Question]:
        return getattr(self, "_" + self.kind.replace("-", "_"))(shire)

    def finish(self, draft: Question, number: int) -> Question:
        """The question with its id and its evidence."""
        words = f".{self.mention}" if self.mention and self.book == "open" else ""
        name = f"{self.kind}.{self.book}.{self.split}.{self.edition}{words}.{number:05d}"
        evidence = tuple(e for fact in draft.facts for e in self.evidence[fact])
        return dataclasses.replace(draft, id=name, evidence=evidence)

    def _one_hop(self, shire: Shire) -> Iterator[Question]:
        for fact in shire.facts(self.edition):
            yield from self._ask(fact)

    def _changed(self, shire: Shire) -> Iterator[Question]:
        old = {f.id: f for f in shire.before}
        for fact in shire.after:
            if fact.replaces:
                for question in self._ask(fact):
                    yield dataclasses.replace(question, stale=old[fact.replaces].answer)

    def _two_hop(self, shire: Shire) -> Iterator[Question]:
        facts = {(f.subject, f.relation): f for f in shire.facts(self.edition)}
        for first in facts.values():
            for relation in relations_of(first.object.kind) if isinstance(first.object, Entity) else ():
                second = facts.get((first.object, relation.name))
                if second and relation is not first.definition and second.object != first.subject:
                    mention = self._mention(described=False)
                    bridge = noun_phrase(first.subject, first.definition, self.rng.randrange(1000), mention)
                    text = ask_about(bridge, relation, self.rng.randrange(1000), self.phrasings)
                    yield self._question(text, second.object, (first, second), mention)

    def _comparison(self, shire: Shire) -> Iterator[Question]:
        for relation, kind in itertools.product(RELATIONS.values(), KINDS):
            facts = [f for f in shire.facts(self.edition) if f.relation == relation.name and f.subject.kind == kind]
            if relation.lesser and facts:
                pairs = [p for p in itertools.permutations(facts, 2) if p[0].number != p[1].number]
                yield from (self._compare(a, b) for a, b in self.rng.sample(pairs, min(PAIRS, len(pairs))))

    def _compare(self, a: Fact, b: Fact) -> Question:
        greater = self.rng.random() < 0.5
        templates = a.definition.greater if greater else a.definition.lesser
        mention = self._mention(described=False)
        slots = {"A": a.subject.mention(mention), "B": b.subject.mention(mention)}
        text = fill(self.rng.choice(templates.patterns(self.phrasings)), slots).capitalized().text
        winner = a if (a.number > b.number) == greater else b
        return self._question(text, winner.subject, (a, b), mention)

    def _unanswerable(self, shire: Shire) -> Iterator[Question]:
        missing = shire.unrecorded
        nobody = build_shire(shire.number, REGIONS[shire.number % len(REGIONS)], self.rng, *self.world.taken())
        strangers = [self.rng.choice(nobody.before) for _ in missing[::2]]
        asked = [(e, r, "unrecorded") for e, r in missing] + [(f.subject, f.relation, "stranger") for f in strangers]
        for entity, relation, reason in asked:
            for text, mention in self._texts(entity, relation):
                draft = self._question(text, NOT_KNOWN, (), mention)
                yield dataclasses.replace(draft, subject=entity.id, relations=(relation,), reason=reason)

    def _ask(self, fact: Fact) -> Iterator[Question]:
        for text, mention in self._texts(fact.subject, fact.relation):
            yield self._question(text, fact.object, (fact,), mention)

    def _texts(self, entity: Entity, relation: str) -> Iterator[tuple[str, Mention]]:
        definition = RELATIONS[relation]
        available = len(questions(definition, self.phrasings))
        for phrasing in self.rng.sample(range(available), min(PHRASINGS.get(self.kind, 1), available)):
            mention = self._mention()
            yield ask_about(entity.mention(mention), definition, phrasing, self.phrasings), mention

    def _mention(self, described: bool = True) -> Mention:
        if self.mention:
            return self.mention
        words = list(MENTION_WEIGHTS)[: None if described else 2]
        return self.rng.choices(words, [MENTION_WEIGHTS[w] for w in words])[0]

    def _question(self, text: str, answer: Entity | str, facts: tuple[Fact, ...], mention: str) -> Question:
        return Question(
            id="",
            kind=self.kind,
            book=self.book,
            split=self.split,
            edition=self.edition,
            text=text,
            answer=answer.name if isinstance(answer, Entity) else answer,
            accepted=accepted_answers(answer),
            subject=facts[0].subject.id if facts else "",
            relations=tuple(f.relation for f in facts),
            mention=mention,
            facts=tuple(f.id for f in facts),
        )


def accepted_answers(answer: Entity | str) -> tuple[str, ...]:
    """Every right way to give an object: any word for an entity, a height with or without its unit.

    >>> accepted_answers("31 metres")
    ('31 metres', '31')
    """
    if isinstance(answer, Entity):
        return answer.mentions
    return (answer, answer.removesuffix(" metres")) if answer.endswith(" metres") else (answer,)


def evidence_of(world: World, edition: Edition) -> dict[str, tuple[Evidence, ...]]:
    """For each fact of the edition, every place of the corpus that states it."""
    found: dict[str, list[Evidence]] = {f.id: [] for f in world.facts(edition)}
    for document in world.documents(edition):
        for triple in document.triples:
            if triple.fact in found:
                found[triple.fact].append(Evidence(triple.fact, document.id, *triple.object_span))
    return {fact: tuple(places) for fact, places in found.items()}
