"""The relations of the world by name, in a fixed order."""

from labkit.world.relation import Relation
from labkit.world.relations import firms, instruments, people, sites, towns

RELATIONS: dict[str, Relation] = {
    r.name: r
    for r in (
        *towns.RELATIONS,
        *sites.RELATIONS,
        *instruments.RELATIONS,
        *firms.RELATIONS,
        *people.RELATIONS,
    )
}


def relations_of(kind: str) -> tuple[Relation, ...]:
    """The relations that an entity of this kind can have."""
    return tuple(r for r in RELATIONS.values() if kind in r.subjects)
