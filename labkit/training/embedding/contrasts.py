"""Questions beside the documents of their own communities: what an encoder learns to tell apart.

A community's documents name the same people and towns, so each is a hard negative for the questions of the others
without any mining. Communities are strangers without end and, one in six, a training shire of the course world; no
entity of validation or test is ever seen.
"""

from __future__ import annotations

import functools
import itertools
import random
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool
from torch import Tensor

from labkit.training.sources import course_world
from labkit.world import Document, Entity, Fact, fresh_shires
from labkit.world.corpus import before_documents
from labkit.world.entity import MENTIONS
from labkit.world.shire import Shire, split_of_shire
from labkit.world.statement import ask_about, noun_phrase

STRANGERS = 5
"""Fresh shires in a block, beside one of the course world's."""
TOGETHER = 2
"""Shires whose documents stand in one contrast."""
MENTION_WEIGHTS = (5, 4, 2)
"""How often a question calls its subject by name, alias and description. A description that a document does not use
cannot be matched without knowing whom it means, so it is rarer here than among the test questions."""

Stating = dict[tuple[int, str], set[int]]
"""By the number of a shire and a fact of it, the places of the documents that state it."""


@dataclass(frozen=True)
class Contrast:
    """`answered[q, d]` tells whether document d states a fact that question q needs; every question has such a one."""

    questions: tuple[str, ...]
    documents: tuple[str, ...]
    answered: Bool[Tensor, "questions documents"]


def contrasts(seed: int, documents: int, questions: int, start: int = 0) -> Iterator[Contrast]:
    """Contrasts without end from number `start` on, each of `documents` documents and at most `questions` questions.

    They are made in blocks that depend on seed and number alone, so a stopped run goes on with what it would have seen.
    """
    first, skipped = divmod(start, _in_block(documents))
    blocks = (_block(f"{seed}/{number}", documents, questions) for number in itertools.count(first))
    return itertools.islice(itertools.chain.from_iterable(blocks), skipped, None)


def _in_block(documents: int) -> int:
    """Contrasts that every block is cut to: a shire has at least 150 documents."""
    return (STRANGERS + 1) // TOGETHER * (150 // (documents // TOGETHER))


def _block(label: str, documents: int, questions: int) -> Iterator[Contrast]:
    rng = random.Random(f"labkit.training.embedding/{label}")
    strangers = itertools.islice(fresh_shires(zlib.crc32(label.encode())), STRANGERS)
    shires = [*strangers, rng.choice(_training_shires())]
    rng.shuffle(shires)
    made = (_of_shires(shires[n : n + TOGETHER], documents, questions, rng) for n in range(0, len(shires), TOGETHER))
    return itertools.islice(itertools.chain.from_iterable(made), _in_block(documents))


def _of_shires(shires: Sequence[Shire], documents: int, questions: int, rng: random.Random) -> Iterator[Contrast]:
    """All the documents of these shires, a few of each at a time."""
    share = documents // len(shires)
    corpora = [before_documents(shire, rng) for shire in shires]
    shuffled = [rng.sample(corpus, len(corpus)) for corpus in corpora]
    for n in range(0, 150 // share * share, share):
        shown = [(s, d) for s, corpus in enumerate(shuffled) for d in corpus[n : n + share]]
        yield _contrast(shires, shown, questions, rng)


def _contrast(
    shires: Sequence[Shire], shown: Sequence[tuple[int, Document]], questions: int, rng: random.Random
) -> Contrast:
    stating: Stating = {}
    for place, (s, document) in enumerate(shown):
        for triple in document.triples:
            stating.setdefault((s, triple.fact), set()).add(place)
    asked = list(_one_hop(shires, stating, rng))
    asked += itertools.islice(_two_hop(shires, stating, rng), questions // 4)
    chosen = rng.sample(asked, min(questions, len(asked)))
    answered = torch.zeros(len(chosen), len(shown), dtype=torch.bool)
    for row, (_, places) in enumerate(chosen):
        answered[row, list(places)] = True
    return Contrast(tuple(q for q, _ in chosen), tuple(d.text for _, d in shown), answered)


def _one_hop(shires: Sequence[Shire], stating: Stating, rng: random.Random) -> Iterator[tuple[str, set[int]]]:
    for (s, fact_id), places in stating.items():
        fact = _facts(shires[s])[fact_id]
        subject = fact.subject.mention(rng.choices(MENTIONS, MENTION_WEIGHTS)[0])
        yield ask_about(subject, fact.definition, rng.randrange(10_000)), places


def _two_hop(shires: Sequence[Shire], stating: Stating, rng: random.Random) -> Iterator[tuple[str, set[int]]]:
    """Questions that name somebody by a fact of somebody else; documents with either fact answer them."""
    for s, fact_id in rng.sample(list(stating), len(stating)):
        facts = _facts(shires[s])
        first = facts[fact_id]
        onward = [f for f in facts.values() if _leads_on(first, f)]
        if onward:
            second = rng.choice(onward)
            mention = rng.choice(("name", "alias"))
            bridge = noun_phrase(first.subject, first.definition, rng.randrange(1000), mention)
            text = ask_about(bridge, second.definition, rng.randrange(10_000))
            yield text, stating[s, fact_id] | stating.get((s, second.id), set())


def _leads_on(first: Fact, second: Fact) -> bool:
    if not isinstance(first.object, Entity) or second.subject != first.object:
        return False
    return second.relation != first.relation and second.object != first.subject


@functools.lru_cache(maxsize=2 * TOGETHER)
def _facts(shire: Shire) -> dict[str, Fact]:
    return {f.id: f for f in shire.before}


@functools.cache
def _training_shires() -> tuple[Shire, ...]:
    return tuple(s for s in course_world().shires if split_of_shire(s.number) == "train")
