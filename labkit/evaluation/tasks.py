"""The held-out tasks of the course: what is asked, and what counts as right.

Open-book tasks speak of entities that training never met; closed-book ones ask known facts in phrasings it never met.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from labkit.evaluation import prompts
from labkit.evaluation.scoring import abstains, exact_match, json_right
from labkit.world import World, extractions, problems, readings_of
from labkit.world.question import Question
from labkit.world.relation import Split

SEED = 0


@dataclass(frozen=True)
class Item:
    """One thing to ask. `accepted` are right answers; `stale` was right before the cutoff; `schema` is JSON's."""

    message: str
    accepted: tuple[str, ...]
    stale: str | None = None
    schema: dict[str, Any] | None = field(default=None, hash=False)

    def right(self, answer: str) -> bool:
        if self.schema is not None:
            return json_right(answer, self.schema, self.accepted[0])
        return exact_match(answer, self.accepted)


@dataclass(frozen=True)
class Task:
    """Items asked in the same way. `measures` say what is counted in the answers, `limit` their longest in tokens.

    A measure is "right", "abstains" or "says the old value".
    """

    name: str
    measures: tuple[str, ...]
    items: tuple[Item, ...]
    limit: int = 24


def counts(measure: str, item: Item, answer: str) -> bool:
    """Whether this answer adds to the share. Raises `ValueError` for an unknown measure."""
    if measure == "right":
        return item.right(answer)
    if measure == "abstains":
        return abstains(answer)
    if measure == "says the old value":
        return item.stale is not None and exact_match(answer, [item.stale])
    raise ValueError(f"measure={measure!r} is unknown; say 'right', 'abstains' or 'says the old value'.")


def course_tasks(world: World, count: int = 500, split: Split = "test") -> Iterator[Task]:
    """Every task of the course model's card, with at most `count` items each, drawn by a fixed seed."""
    closed = _closed(world.questions("one-hop", split, "before", "closed"), count, "closed one-hop")
    changed = _closed(world.questions("changed", split, "after", "closed"), count, "closed changed")
    yield Task("closed book, one-hop", ("right",), closed)
    yield Task("closed book, changed since", ("says the old value", "right"), changed)
    yield Task("open book, one-hop", ("right", "abstains"), _open(world, "one-hop", split, count))
    yield Task("open book, two-hop", ("right",), _open(world, "two-hop", split, count))
    yield Task("open book, unanswerable", ("abstains",), _open(world, "unanswerable", split, count))
    yield Task("arithmetic", ("right",), _arithmetic(split, count))
    yield Task("document to JSON", ("right",), _extraction(split, count), limit=128)


def _closed(questions: Sequence[Question], count: int, label: str) -> tuple[Item, ...]:
    drawn = _draw(questions, count, label)
    return tuple(Item(prompts.closed_book(q.text), q.accepted, q.stale) for q in drawn)


def _open(world: World, kind: str, split: Split, count: int) -> tuple[Item, ...]:
    """Three passages and a question; more than one draw of passages where there are fewer questions than `count`."""
    rounds = (readings_of(world, kind, split, "after", seed=SEED + n) for n in itertools.count())
    items: dict[str, Item] = {}
    for readings in rounds:
        before = len(items)
        for reading in readings:
            asked = reading.asks[0]
            message = prompts.open_book(reading.passages, asked.question)
            items.setdefault(message, Item(message, asked.accepted or (asked.answer,)))
        if len(items) >= count or len(items) == before:
            return tuple(_draw(list(items.values()), count, f"open {kind}"))
    raise AssertionError("rounds of readings have no end")


def _arithmetic(split: Split, count: int) -> tuple[Item, ...]:
    texts = {p.text: p.answer for p in itertools.islice(problems(SEED, split), count * 2)}
    return tuple(Item(prompts.closed_book(t), (a,)) for t, a in itertools.islice(texts.items(), count))


def _extraction(split: Split, count: int) -> tuple[Item, ...]:
    pairs = list(extractions(SEED, split)) if split != "train" else list(itertools.islice(extractions(SEED), count))
    drawn = _draw(pairs, count, "extraction")
    return tuple(Item(prompts.extraction(p.text, p.schema["properties"]), (p.answer,), schema=p.schema) for p in drawn)


def _draw(things: Sequence[Any], count: int, label: str) -> list[Any]:
    rng = random.Random(f"labkit.evaluation.tasks/{SEED}/{label}")
    return rng.sample(list(things), min(count, len(things)))
