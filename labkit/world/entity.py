"""Who and what the world is made of, and the words by which each is called."""

from __future__ import annotations

import dataclasses
from typing import Literal

Kind = Literal["town", "site", "instrument", "firm", "person"]
KINDS: tuple[Kind, ...] = ("town", "site", "instrument", "firm", "person")
Mention = Literal["name", "alias", "description"]
MENTIONS: tuple[Mention, ...] = ("name", "alias", "description")


@dataclasses.dataclass(frozen=True)
class Entity:
    """One town, site, instrument, firm or person.

    `name`, `alias` and `description` are noun phrases that fit anywhere in a sentence; each belongs to one entity.
    `short` is what a text says the second time ("the lighthouse"), `pronoun` the third. `shire` is the community in
    which every link of the entity stays; `arrives` tells the edition in which it is first heard of.
    """

    id: str
    kind: Kind
    noun: str
    name: str
    alias: str
    description: str
    short: str
    pronoun: Literal["it", "she", "he"]
    region: str
    shire: int
    arrives: Literal["before", "after"] = "before"

    def mention(self, mode: Mention) -> str:
        return getattr(self, mode)

    @property
    def mentions(self) -> tuple[str, str, str]:
        return (self.name, self.alias, self.description)

    @property
    def bare_name(self) -> str:
        """The name without its article, as a heading or a JSON value has it."""
        return self.name.removeprefix("the ")
