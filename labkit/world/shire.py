"""One community of the world: its entities, what is recorded of them, and what changes after the cutoff.

Every link stays inside the shire, so that shires given to training, validation and test share no entity, not even at
the far end of a two-hop question.
"""

from __future__ import annotations

import dataclasses
import random

from labkit.world.dates import CUTOFF, EDITION_END, Date, draw_date
from labkit.world.entity import Entity, Kind
from labkit.world.fact import Fact
from labkit.world.names import REGIONS, Region
from labkit.world.population import ARRIVALS, COUNTS, Census
from labkit.world.relation import Relation, Split
from labkit.world.relations import relations_of
from labkit.world.values import VOCABULARIES, draw_value

UNRECORDED = 0.09
"""Share of the facts that nobody ever wrote down; asking for one is unanswerable."""
CHANGED = 0.58
"""Share of the facts of changing relations that change between the cutoff and the "after" edition."""
SHIRES_PER_REGION = 4
SHIRES = SHIRES_PER_REGION * len(REGIONS)
FIRST_DAY = Date(416, 1, 1)


@dataclasses.dataclass(frozen=True)
class Shire:
    """`before` and `after` hold the facts of each edition; `unrecorded` what no document states in either."""

    number: int
    entities: tuple[Entity, ...]
    before: tuple[Fact, ...]
    after: tuple[Fact, ...]
    unrecorded: tuple[tuple[Entity, str], ...]

    def facts(self, edition: str) -> tuple[Fact, ...]:
        return self.before if edition == "before" else self.after


def split_of_shire(number: int) -> Split:
    """Thirteen shires for training, three for validation, eight for test; every region has some of the last."""
    region, place = divmod(number, SHIRES_PER_REGION)
    if place == 2:
        return "test"
    if place == 3 and region > 0:
        return "validation" if region <= 3 else "test"
    return "train"


def build_shire(number: int, region: Region, rng: random.Random, taken: set[str], unique: set[str]) -> Shire:
    """A shire whose words and phrases are added to `taken` and `unique`."""
    census = Census(number, region, rng, taken, unique)
    old = [census.draw(kind) for kind, count in COUNTS.items() for _ in range(count)]
    everything = _facts_of(old, _by_kind(old), rng)
    unrecorded = _draw_unrecorded(everything, rng)
    before = [f for f in everything if (f.subject, f.relation) not in unrecorded]

    new = [census.draw(kind, "after") for kind, count in ARRIVALS.items() for _ in range(count)]
    peers = _by_kind(old + new)
    changing = [f for f in before if f.definition.changes]
    chosen = {f.id for f in rng.sample(changing, round(CHANGED * len(changing)))}
    after = [_changed(f, peers, rng) if f.id in chosen else f for f in before]
    after += _facts_of(new, peers, rng)
    return Shire(number, (*old, *new), tuple(before), tuple(after), tuple(unrecorded))


def _by_kind(entities: list[Entity]) -> dict[Kind, list[Entity]]:
    return {kind: [e for e in entities if e.kind == kind] for kind in COUNTS}


def _facts_of(entities: list[Entity], peers: dict[Kind, list[Entity]], rng: random.Random) -> list[Fact]:
    facts = []
    for entity in entities:
        first, last = (FIRST_DAY, CUTOFF) if entity.arrives == "before" else _after_cutoff()
        for relation in relations_of(entity.kind):
            since = draw_date(rng, first, last) if relation.changes else None
            drawn = _object(relation, entity, peers, rng)
            facts.append(Fact(f"{entity.id}.{relation.name}", entity, relation.name, drawn, since))
    return facts


def _object(relation: Relation, subject: Entity, peers: dict[Kind, list[Entity]], rng: random.Random) -> Entity | str:
    if relation.object in peers:
        return rng.choice([p for p in peers[relation.object] if p != subject])
    assert relation.object in (*VOCABULARIES, "year", "metres")
    return draw_value(relation.name, relation.object, rng, new=subject.arrives == "after")


def _draw_unrecorded(facts: list[Fact], rng: random.Random) -> list[tuple[Entity, str]]:
    """A fixed share of the facts, at most one an entity, so that everybody keeps something to be asked about."""
    by_entity: dict[str, list[Fact]] = {}
    for fact in facts:
        by_entity.setdefault(fact.subject.id, []).append(fact)
    losers = rng.sample(list(by_entity.values()), round(UNRECORDED * len(facts)))
    return [(f.subject, f.relation) for f in map(rng.choice, losers)]


def _changed(fact: Fact, peers: dict[Kind, list[Entity]], rng: random.Random) -> Fact:
    others = [p for p in peers[fact.object.kind] if p not in (fact.object, fact.subject)]
    return Fact(f"{fact.id}/2", fact.subject, fact.relation, rng.choice(others), draw_date(rng, *_after_cutoff()))


def _after_cutoff() -> tuple[Date, Date]:
    return Date(CUTOFF.year + 1, 1, 1), EDITION_END["after"]
