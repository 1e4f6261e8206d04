"""Open-book exercises: a few passages, several questions, where each answer stands, and when there is none.

`readings` draws them without end from fresh shires, in levels from one plain sentence upward; `readings_of` makes the
tests, from documents and questions of the course world.
"""

from __future__ import annotations

import dataclasses
import itertools
import random
from collections.abc import Iterator

from labkit.world.dates import CUTOFF, EDITION_END, Date, draw_date
from labkit.world.document import Document, Span
from labkit.world.documents import WRITERS
from labkit.world.documents.scribe import Scribe
from labkit.world.entity import Mention
from labkit.world.fact import Fact
from labkit.world.grammar import Marked, join
from labkit.world.names import REGIONS
from labkit.world.question import NOT_KNOWN, Edition, Question, QuestionKind
from labkit.world.relation import Split
from labkit.world.relations import relations_of
from labkit.world.shire import Shire
from labkit.world.statement import ask, ask_about
from labkit.world.world import World, fresh_shires


@dataclasses.dataclass(frozen=True)
class Level:
    """How hard a reading is.

    `facts` is the number of facts about the entity asked for; `documents` the number of passages, the others being
    about another entity; `styled` writes them as news, letters and so on instead of plain sentences; `stale` is the
    chance that one other passage gives an older value, `unanswerable` the chance that a question has no answer there;
    `asks` the number of questions at most: first about that entity, then about those of the other passages.
    """

    facts: int = 1
    documents: int = 1
    styled: bool = False
    stale: float = 0.0
    unanswerable: float = 0.0
    asks: int = 1
    mention: Mention = "name"


CURRICULUM = (
    Level(),
    Level(facts=2, asks=2),
    Level(facts=4, asks=3),
    Level(documents=3, asks=3),
    Level(facts=4, asks=3, unanswerable=0.2),
    Level(facts=2, documents=3, asks=6, unanswerable=0.1),
    Level(facts=3, documents=3, asks=6, unanswerable=0.2, stale=0.3),
    Level(facts=3, documents=3, asks=6, unanswerable=0.2, stale=0.3, styled=True),
)
"""Levels in the order in which a model can learn them."""


@dataclasses.dataclass(frozen=True)
class Passage:
    """`date` as ISO has it, or another heading."""

    date: str
    text: str


@dataclasses.dataclass(frozen=True)
class Ask:
    """`span` are the characters of `passage` (its index) that hold the answer; both None where nothing answers."""

    question: str
    answer: str
    passage: int | None = None
    span: Span | None = None
    accepted: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Reading:
    passages: tuple[Passage, ...]
    asks: tuple[Ask, ...]


def readings(seed: int, level: Level = CURRICULUM[0]) -> Iterator[Reading]:
    """Exercises without end, none about an entity of the course world."""
    rng = random.Random(f"labkit.world.reading/{seed}/{level}")
    shires = fresh_shires(seed)
    while True:  # six shires at a time, one of each region, so that neighbours in the stream differ
        composers = [_Composer(rng, shire, level) for shire in itertools.islice(shires, len(REGIONS))]
        subjects = [(c, e) for c in composers for e in c.shire.entities if e.arrives == "before"]
        for composer, entity in rng.sample(subjects, len(subjects)):
            yield composer.reading([f for f in composer.shire.before if f.subject == entity])


class _Composer:
    """Composes one reading."""

    def __init__(self, rng: random.Random, shire: Shire, level: Level) -> None:
        self.rng, self.shire, self.level = rng, shire, level
        self.replaced = {f.replaces: f for f in shire.after if f.replaces}

    def reading(self, own: list[Fact]) -> Reading:
        level, rng = self.level, self.rng
        told = rng.sample(own, min(level.facts, len(own)))
        passages: list[tuple[Date, Marked]] = []
        asked: list[tuple[list[Fact], tuple[Date, Marked]]] = []
        changing = [f for f in told if f.id in self.replaced]
        if level.documents > 1 and changing and rng.random() < level.stale:
            old = rng.choice(changing)
            told[told.index(old)] = self.replaced[old.id]
            passages.append(self._passage([old], CUTOFF))
        asked.append((told, self._passage(told, EDITION_END["after"])))
        while len(passages) + len(asked) < level.documents:
            others = self._others(told)
            asked.append((others, self._passage(others, EDITION_END["after"])))
        passages += [passage for _, passage in asked]
        rng.shuffle(passages)
        shown = tuple(Passage(date.iso(), marked.text) for date, marked in passages)
        known = {f.id: (f, passages.index(passage), passage[1]) for facts, passage in reversed(asked) for f in facts}
        first = rng.sample(told, len(told))
        rest = [f for f, *_ in known.values() if f not in told]
        return Reading(shown, tuple(self._asks([*first, *rng.sample(rest, len(rest))][: level.asks], known)))

    def _passage(self, facts: list[Fact], last: Date) -> tuple[Date, Marked]:
        since = [f.since for f in facts if f.since]
        date = draw_date(self.rng, max([*since, Date(last.year - 1, 1, 1)]), last)
        scribe = Scribe(self.rng, self.shire, date, facts)
        if self.level.styled:
            return date, WRITERS[self.rng.choice(("news", "letter", "minutes", "log"))](scribe, facts)
        return date, join([join([scribe.sentence(f), Marked(".")]) for f in facts], " ")

    def _others(self, told: list[Fact]) -> list[Fact]:
        """Facts of another entity, mostly of the same kind and told of in the same respect: the relation alone does
        not decide."""
        subject = told[0].subject
        facts = [f for f in self.shire.before if f.subject != subject]
        peers = [f for f in facts if f.subject.kind == subject.kind]
        first = self.rng.choice(peers if self.rng.random() < 0.7 else facts)
        same = [f for f in facts if f.subject == first.subject]
        chosen = self.rng.sample(same, min(self.level.facts, len(same)))
        alike = [f for f in same if f.relation == told[0].relation and f not in chosen]
        if alike and self.rng.random() < 0.7:
            chosen[0] = alike[0]
        return chosen

    def _asks(self, chosen: list[Fact], known: dict[str, tuple[Fact, int, Marked]]) -> Iterator[Ask]:
        told = {(f.subject, f.relation) for f, *_ in known.values()}
        mention = self.level.mention
        for fact in chosen:
            silent = [r for r in relations_of(fact.subject.kind) if (fact.subject, r.name) not in told]
            if silent and self.rng.random() < self.level.unanswerable:
                relation = self.rng.choice(silent)
                told.add((fact.subject, relation.name))  # nothing is asked twice
                yield Ask(ask_about(fact.subject.mention(mention), relation, self.rng.randrange(1000)), NOT_KNOWN)
            else:
                _, place, marked = known[fact.id]
                span = next((m.start, m.end) for m in marked.marks if m.tag == fact and m.slot == "O")
                yield Ask(ask(fact, self.rng.randrange(1000), mention=mention), fact.answer, place, span)


def readings_of(
    world: World,
    kind: QuestionKind = "one-hop",
    split: Split = "test",
    edition: Edition = "after",
    documents: int = 3,
    seed: int = 0,
) -> Iterator[Reading]:
    """One question a reading, over documents of the corpus: every needed one, and stale or off-topic ones.

    Only questions that call their subject by name, with documents that let one tell it by name (`Document.names`). An
    unanswerable question gets documents about its subject that leave out what is asked.
    """
    library = _Library(world, edition)
    rng = random.Random(f"labkit.world.readings_of/{seed}/{kind}/{split}/{edition}")
    for question in world.questions(kind, split, edition, "open", mention="name"):
        if reading := library.reading(question, documents, rng):
            yield reading


class _Library:
    """Documents of one edition by what they state."""

    def __init__(self, world: World, edition: Edition) -> None:
        self.documents = {d.id: d for d in world.documents(edition)}
        self.current = {f.id: f for f in world.facts(edition)}
        self.stating: dict[tuple[str, str], list[Document]] = {}
        self.about: dict[str, list[Document]] = {}
        for document in self.documents.values():
            for triple in document.triples:
                self.stating.setdefault((triple.subject, triple.relation), []).append(document)
                self.about.setdefault(triple.subject, []).append(document)

    def reading(self, question: Question, documents: int, rng: random.Random) -> Reading | None:
        chosen: list[Document] = []
        for fact in question.facts:
            stating = [self.documents[e.document] for e in question.evidence if e.fact == fact]
            named = [d for d in stating if d.names(self.current[fact])]
            if not named:
                return None
            chosen.append(rng.choice(named))
        needed = list(dict.fromkeys(chosen))
        others = self._others(question, needed, documents - len(needed), rng)
        shown = rng.sample(needed + others, len(needed + others))
        return Reading(tuple(Passage(d.date, d.text) for d in shown), (self._ask(question, shown, needed),))

    def _ask(self, question: Question, shown: list[Document], needed: list[Document]) -> Ask:
        if not needed:
            return Ask(question.text, question.answer, accepted=question.accepted)
        triple = needed[-1].states(self.current[question.facts[-1]])
        place = shown.index(needed[-1])
        span = triple.object_span if question.kind != "comparison" else None
        return Ask(question.text, question.answer, place, span, question.accepted)

    def _others(self, question: Question, needed: list[Document], count: int, rng: random.Random) -> list[Document]:
        """A stale document where there is one, then off-topic ones that give no value for what is asked."""
        asked = {(f.subject.id, f.relation) for f in map(self.current.get, question.facts) if f}
        asked.add((question.subject, question.relations[0]))
        stale = [d for pair in asked for d in self.stating.get(pair, ()) if not self._current(d, pair)]
        silent = [d for d in self.about.get(question.subject, ()) if not self._tells(d, asked)]
        pool = list(self.documents.values())
        picked = rng.sample(stale, min(1, len(stale), count))
        picked += rng.sample(silent, min(1, len(silent), count - len(picked)))
        while len(picked) < count:
            drawn = rng.choice(pool)
            if drawn not in picked and drawn not in needed and not self._tells(drawn, asked):
                picked.append(drawn)
        return picked

    def _current(self, document: Document, pair: tuple[str, str]) -> bool:
        return any((t.subject, t.relation) == pair and t.fact in self.current for t in document.triples)

    def _tells(self, document: Document, asked: set[tuple[str, str]]) -> bool:
        return any((t.subject, t.relation) in asked for t in document.triples)
