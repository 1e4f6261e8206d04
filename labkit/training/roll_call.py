"""Exercises in which only the name decides: one passage says the same of several, and each is asked for.

`labkit.world.readings` mostly tells different things of different people, so a model can do well for long by finding
any value of the right kind. Here that is worth nothing, and whom a sentence speaks of is all there is to learn.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from labkit.world import Ask, Passage, Reading, ask, fresh_shires, state
from labkit.world.dates import CUTOFF, Date, draw_date
from labkit.world.fact import Fact

MOST = 6
"""Names in one passage."""


def roll_calls(seed: int) -> Iterator[Reading]:
    """Two to six strangers, one relation, without end."""
    rng = random.Random(f"labkit.training.roll_call/{seed}")
    for shire in fresh_shires(seed):
        by_relation: dict[str, list[Fact]] = {}
        for fact in shire.before:
            by_relation.setdefault(fact.relation, []).append(fact)
        groups = [facts for facts in by_relation.values() if len(facts) > 1]
        for facts in rng.sample(groups, len(groups)):
            told = rng.sample(facts, rng.randint(2, min(MOST, len(facts))))
            text = " ".join(state(f, rng.randrange(1000)) for f in told)
            date = draw_date(rng, Date(CUTOFF.year - 1, 1, 1), CUTOFF)
            asks = tuple(Ask(ask(f, rng.randrange(1000)), f.answer, 0) for f in rng.sample(told, len(told)))
            yield Reading((Passage(date.iso(), text),), asks)
