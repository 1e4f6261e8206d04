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
from labkit.world.values import GROWN_UP, draw_value

UNRECORDED = 0.09
"""Share of the facts that nobody ever wrote down; asking for one is unanswerable."""
CHANGED = 0.58
"""Share of the facts of changing relations that change between the cutoff and the "after" edition."""
SHIRES_PER_REGION = 4
SHIRES = SHIRES_PER_REGION * len(REGIONS)
OFFICES = ("mayor", "keeper", "director")
FIRST_DAY = Date(416, 1, 1)
AFTER_CUTOFF = (Date(CUTOFF.year + 1, 1, 1), EDITION_END["after"])


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
    chronicle = _Chronicle(_by_kind(old), rng)
    everything = [f for e in sorted(old, key=lambda e: e.kind != "person") for f in chronicle.record(e)]
    unrecorded = _draw_unrecorded(everything, rng)
    before = [f for f in everything if (f.subject, f.relation) not in unrecorded]

    new = [census.draw(kind, "after") for kind, count in ARRIVALS.items() for _ in range(count)]
    chronicle.peers = _by_kind(old + new)
    changing = [f for f in before if f.definition.changes]
    chosen = {f.id for f in rng.sample(changing, round(CHANGED * len(changing)))}
    after = [chronicle.change(f) if f.id in chosen else f for f in before]
    after += [f for e in new for f in chronicle.record(e)]
    return Shire(number, (*old, *new), tuple(before), tuple(after), tuple(unrecorded))


def _by_kind(entities: list[Entity]) -> dict[Kind, list[Entity]]:
    return {kind: [e for e in entities if e.kind == kind] for kind in COUNTS}


class _Chronicle:
    """Draws facts that do not contradict those drawn before."""

    def __init__(self, peers: dict[Kind, list[Entity]], rng: random.Random) -> None:
        self.peers, self.rng = peers, rng
        self.known: dict[tuple[Entity, str], Entity | str] = {}
        self.holders: set[tuple[str, Entity]] = set()

    def record(self, entity: Entity) -> list[Fact]:
        """Every fact of an entity; makers must be recorded before their instruments."""
        first, last = (FIRST_DAY, CUTOFF) if entity.arrives == "before" else AFTER_CUTOFF
        facts = []
        for relation in relations_of(entity.kind):
            since = draw_date(self.rng, first, last) if relation.changes else None
            drawn = self._object(relation, entity)
            self.known[entity, relation.name] = drawn
            facts.append(Fact(f"{entity.id}.{relation.name}", entity, relation.name, drawn, since))
        return facts

    def change(self, fact: Fact) -> Fact:
        """The fact that replaces this one after the cutoff."""
        drawn = self._holder(
            fact.definition, [p for p in self.peers[fact.object.kind] if p not in (fact.subject, fact.object)]
        )
        return Fact(f"{fact.id}/2", fact.subject, fact.relation, drawn, draw_date(self.rng, *AFTER_CUTOFF))

    def _object(self, relation: Relation, subject: Entity) -> Entity | str:
        if relation.object in self.peers:
            return self._holder(relation, [p for p in self.peers[relation.object] if p != subject])
        new = subject.arrives == "after"
        maker = self.known.get((subject, "made_by"))
        earliest = int(self.known[maker, "born_year"]) + GROWN_UP if relation.name == "made_in" else 0
        return draw_value(relation.name, relation.object, self.rng, new, earliest)

    def _holder(self, relation: Relation, candidates: list[Entity]) -> Entity:
        """An entity for a relation; nobody ever holds the same office twice."""
        if relation.name in OFFICES:
            candidates = [c for c in candidates if (relation.name, c) not in self.holders]
        chosen = self.rng.choice(candidates)
        self.holders.add((relation.name, chosen))
        return chosen


def _draw_unrecorded(facts: list[Fact], rng: random.Random) -> list[tuple[Entity, str]]:
    """A fixed share of the facts, at most one an entity, so that everybody keeps something to be asked about."""
    by_entity: dict[str, list[Fact]] = {}
    for fact in facts:
        by_entity.setdefault(fact.subject.id, []).append(fact)
    losers = rng.sample(list(by_entity.values()), round(UNRECORDED * len(facts)))
    return [(f.subject, f.relation) for f in map(rng.choice, losers)]
