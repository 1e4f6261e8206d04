from itertools import islice

import pytest

from labkit.world import CUTOFF, RELATIONS, Entity, World, fresh_shires
from labkit.world.names import REGIONS


def test_world_is_as_large_as_promised(world):
    assert sum(e.arrives == "before" for e in world.entities) >= 600
    assert len({f.relation for f in world.facts("before")}) >= 10


def test_at_least_15_percent_of_the_facts_change_and_newcomers_arrive(world):
    before = {(f.subject.id, f.relation): f.answer for f in world.facts("before")}
    after = {(f.subject.id, f.relation): f.answer for f in world.facts("after")}
    changed = [key for key, value in before.items() if after[key] != value]
    assert len(changed) / len(before) >= 0.15
    assert len(changed) == len(world.changes())
    assert {key[0] for key in after} - {key[0] for key in before}


def test_facts_are_dated_on_their_side_of_the_cutoff(world):
    old = {f.id for f in world.facts("before")}
    for fact in world.facts("after"):
        if fact.since:
            assert (fact.since <= CUTOFF) == (fact.id in old)
        assert (fact.since is not None) == RELATIONS[fact.relation].changes


def test_every_word_for_an_entity_means_one_entity(world):
    words = [m.lower() for e in world.entities for m in e.mentions]
    assert len(words) == len(set(words))


def test_links_stay_in_their_shire_and_have_the_right_kind(world):
    for fact in world.facts("after"):
        if isinstance(fact.object, Entity):
            assert fact.object.shire == fact.subject.shire
            assert fact.object != fact.subject
            assert fact.object.kind == fact.definition.object


def test_life_and_work_do_not_contradict_each_other(world):
    value = {(f.subject.id, f.relation): f for f in world.facts("after")}
    checked = 0
    for fact in world.facts("before"):
        if fact.relation == "made_in" and (maker := value.get((fact.subject.id, "made_by"))):
            born = value.get((maker.object.id, "born_year"))
            checked += bool(born)
            assert not born or fact.number - born.number >= 19
    assert checked > 50
    for edition in ("before", "after"):
        held = [(f.relation, f.answer) for f in world.facts(edition) if f.relation in ("mayor", "keeper", "director")]
        assert len(held) == len(set(held))


def test_unrecorded_facts_are_recorded_nowhere(world):
    recorded = {(f.subject.id, f.relation) for f in world.facts("before") + world.facts("after")}
    assert world.unrecorded()
    assert not any((e.id, relation) in recorded for e, relation in world.unrecorded())


def test_same_seed_same_world_and_another_seed_another():
    assert World(3).facts() == World(3).facts()
    assert {e.name for e in World(3).entities} != {e.name for e in World(4).entities}


def test_fresh_shires_name_nobody_of_the_world(world):
    ours = {m for e in world.entities for m in e.mentions}
    for shire in islice(fresh_shires(1), 30):
        assert not ours & {m for e in shire.entities for m in e.mentions}


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_each_split_has_entities_of_every_kind(world, split):
    kinds = {e.kind for e in world.entities if world.split(e) == split}
    assert kinds == {"town", "site", "instrument", "firm", "person"}


def test_the_first_fresh_shires_of_many_seeds_come_from_every_region():
    towns = {next(e.bare_name for e in next(fresh_shires(seed)).entities if e.kind == "town") for seed in range(40)}
    for region in REGIONS:
        assert any(name.lower().endswith(region.towns) for name in towns), region.name
