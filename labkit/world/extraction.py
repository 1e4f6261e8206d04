"""Documents and the JSON objects that say the same: pairs with a schema, for training and for test.

A field that the document does not tell is null. Values are copied as the document writes them, numbers as numbers.
"""

from __future__ import annotations

import dataclasses
import json
import random
from collections.abc import Iterator
from typing import Any

from labkit.world.dates import EDITION_END
from labkit.world.document import triples_of
from labkit.world.documents import WRITERS
from labkit.world.documents.scribe import Scribe
from labkit.world.entity import Entity, Kind
from labkit.world.fact import Fact
from labkit.world.relation import Relation, Split
from labkit.world.relations import relations_of
from labkit.world.shire import Shire, split_of_shire
from labkit.world.world import World, fresh_shires

NUMERIC = ("year", "metres")
KINDS_OF_TEXT = ("registry", "news", "letter", "minutes", "log")


@dataclasses.dataclass(frozen=True)
class Extraction:
    """`text` tells of one entity; `answer` is the JSON text that fits `schema`, its fields in the schema's order."""

    kind: Kind
    text: str
    schema: dict[str, Any]
    answer: str


def schema_of(kind: Kind) -> dict[str, Any]:
    """The JSON Schema of everything that can be told of an entity of this kind."""
    fields: dict[str, Any] = {"name": {"type": "string"}}
    for relation in relations_of(kind):
        fields[relation.name] = {"type": ["integer" if relation.object in NUMERIC else "string", "null"]}
    return {"type": "object", "properties": fields, "required": list(fields), "additionalProperties": False}


def extractions(seed: int, split: Split = "train") -> Iterator[Extraction]:
    """Pairs of a split; those for training are without end and speak of entities of no course world.

    Validation and test speak of the entities of their open-book split, twice each in different words.
    """
    rng = random.Random(f"labkit.world.extraction/{seed}/{split}")
    if split == "train":
        shires: Iterator[Shire] = fresh_shires(seed)
    else:
        shires = iter([s for s in World().shires if split_of_shire(s.number) == split for _ in range(2)])
    for shire in shires:
        for entity in shire.entities:
            if own := [f for f in shire.before if f.subject == entity]:
                yield _pair(rng, shire, entity, own)


def _pair(rng: random.Random, shire: Shire, entity: Entity, own: list[Fact]) -> Extraction:
    told = rng.sample(own, rng.randint(min(2, len(own)), len(own)))
    kind = rng.choice(KINDS_OF_TEXT)
    scribe = Scribe(rng, shire, EDITION_END["before"], told)
    marked = WRITERS[kind](scribe, entity, told) if kind == "registry" else WRITERS[kind](scribe, told)
    stated = {t.relation: t.object for t in triples_of(marked)}
    fields = {"name": entity.bare_name} | {r.name: _value(r, stated.get(r.name)) for r in relations_of(entity.kind)}
    return Extraction(entity.kind, marked.text, schema_of(entity.kind), json.dumps(fields, ensure_ascii=False))


def _value(relation: Relation, stated: str | None) -> str | int | None:
    if stated is None:
        return None
    return int(stated.split()[0]) if relation.object in NUMERIC else stated.removeprefix("the ")
