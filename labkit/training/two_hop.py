"""Exercises in two steps: one passage names somebody, another tells of them, a third is there to mislead.

`labkit.world.readings` asks one step only; the same question in the course world is `labkit.world.readings_of`.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from labkit.world import Entity, Passage, fresh_shires, state
from labkit.world.dates import CUTOFF, Date, draw_date
from labkit.world.fact import Fact
from labkit.world.shire import Shire
from labkit.world.statement import ask_about, noun_phrase

FACTS = 3
"""Facts a passage states of its entity at most."""


def two_hops(seed: int) -> Iterator[tuple[tuple[Passage, ...], str, str]]:
    """Passages, question and answer without end, about strangers."""
    rng = random.Random(f"labkit.training.two_hop/{seed}")
    for shire in fresh_shires(seed):
        chains = list(_chains(shire))
        for first, second in rng.sample(chains, len(chains)):
            bridge = noun_phrase(first.subject, first.definition, rng.randrange(1000))
            question = ask_about(bridge, second.definition, rng.randrange(1000))
            others = [f for f in shire.before if f.subject not in (first.subject, second.subject)]
            shown = [_passage(rng, shire, fact) for fact in (first, second, rng.choice(others))]
            yield tuple(rng.sample(shown, len(shown))), question, second.answer


def _chains(shire: Shire) -> Iterator[tuple[Fact, Fact]]:
    """Pairs of facts of which the second tells of what the first names, and neither leads back."""
    for first in shire.before:
        for second in shire.before if isinstance(first.object, Entity) else ():
            onward = second.subject == first.object and second.object != first.subject
            if onward and second.relation != first.relation:
                yield first, second


def _passage(rng: random.Random, shire: Shire, fact: Fact) -> Passage:
    """Plain sentences about the fact's subject, the fact among them."""
    own = [f for f in shire.before if f.subject == fact.subject and f != fact]
    told = [fact, *rng.sample(own, min(len(own), FACTS - 1))]
    since = [f.since for f in told if f.since]
    date = draw_date(rng, max([*since, Date(CUTOFF.year - 1, 1, 1)]), CUTOFF)
    sentences = [state(f, rng.randrange(1000)) for f in rng.sample(told, len(told))]
    return Passage(date.iso(), " ".join(sentences))
