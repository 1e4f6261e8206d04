"""A dated fact: subject, relation, object."""

from __future__ import annotations

import dataclasses

from labkit.world.dates import Date
from labkit.world.entity import Entity
from labkit.world.relation import Relation
from labkit.world.relations import RELATIONS


@dataclasses.dataclass(frozen=True)
class Fact:
    """`subject` has had `object` for its `relation` since `since` (None where the fact is timeless).

    `id` is "<subject id>.<relation>", with "/2" at the end where the fact replaced one of that name at the cutoff.
    """

    id: str
    subject: Entity
    relation: str
    object: Entity | str
    since: Date | None = None

    @property
    def definition(self) -> Relation:
        return RELATIONS[self.relation]

    @property
    def answer(self) -> str:
        """The object as text: a name, "31 metres", "387"."""
        return self.object.name if isinstance(self.object, Entity) else self.object

    @property
    def number(self) -> int:
        """The object as a number; ValueError where it is none."""
        head = self.answer.split()[0]
        if not head.isdigit():
            raise ValueError(f"The fact {self.id} has no number: its object is {self.answer!r}")
        return int(head)

    @property
    def replaces(self) -> str | None:
        """The id of the fact that this one replaced."""
        return self.id.removesuffix("/2") if self.id.endswith("/2") else None
