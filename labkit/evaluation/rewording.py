"""Documents in words that nothing was made for: the same facts and the same JSON, every sentence in a test phrasing.

`labkit.world` keeps two ways of stating each relation out of all its documents. A reader that knows language loses
little by them, a reader that knows the phrasings loses everything.
"""

from __future__ import annotations

import json
import random

from labkit.evaluation import prompts
from labkit.evaluation.tasks import Item, Task
from labkit.world import World, state
from labkit.world.extraction import NUMERIC, schema_of
from labkit.world.fact import Fact
from labkit.world.relation import Split
from labkit.world.relations import relations_of


def sentences_to_json(world: World, count: int, phrasings: Split) -> Task:
    """Plain sentences about entities of the test split in phrasings of the split `phrasings`, and their JSON.

    The same entities and facts whatever the phrasings, so that two calls can be compared item by item.
    """
    rng = random.Random("labkit.evaluation.rewording")
    told: dict[str, list[Fact]] = {}
    for fact in world.facts("before"):
        if world.split(fact.subject) == "test":
            told.setdefault(fact.subject.id, []).append(fact)
    chosen = rng.sample(sorted(told), min(count, len(told)))
    items = tuple(_item(told[subject], rng.randrange(1000), phrasings) for subject in chosen)
    return Task(f"sentences to JSON, {phrasings} phrasings", ("right",), items, limit=128)


def _item(facts: list[Fact], phrasing: int, phrasings: Split) -> Item:
    entity = facts[0].subject
    text = " ".join(state(fact, phrasing, phrasings) for fact in facts)
    values = {fact.relation: _value(fact) for fact in facts}
    fields = {"name": entity.bare_name} | {r.name: values.get(r.name) for r in relations_of(entity.kind)}
    schema = schema_of(entity.kind)
    answer = json.dumps(fields, ensure_ascii=False)
    return Item(prompts.extraction(text, schema["properties"]), (answer,), schema=schema)


def _value(fact: Fact) -> str | int:
    return fact.number if fact.definition.object in NUMERIC else fact.answer.removeprefix("the ")
