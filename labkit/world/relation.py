"""What a relation is: who has it, what it holds, and every way in which it is said and asked.

The texts themselves stand in `labkit.world.relations`, one file a kind of entity.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Literal

from labkit.world.grammar import expansions

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")


@dataclasses.dataclass(frozen=True)
class Phrasings:
    """Templates kept apart, so that a test phrasing shares no template with a training one."""

    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]

    def patterns(self, split: Split) -> tuple[str, ...]:
        """Every pattern of a split: template by template in turn, so that neighbours differ.

        >>> Phrasings(("{S} is [high|tall]", "it is {S}"), (), ()).patterns("train")
        ('{S} is high', 'it is {S}', '{S} is tall')
        """
        return _interleaved(getattr(self, split))


@functools.cache
def _interleaved(templates: tuple[str, ...]) -> tuple[str, ...]:
    columns = [expansions(t) for t in templates]
    longest = max(map(len, columns), default=0)
    return tuple(c[i] for i in range(longest) for c in columns if i < len(c))


@dataclasses.dataclass(frozen=True)
class Relation:
    """One relation of the world.

    `states` are clauses with `{S}`, `{O}` and, where the relation `changes`, sometimes its date `{D}`; `asks` are
    questions with `{S}`. `nouns` name the object by the subject ("the keeper of {S}") and exist where the object is an
    entity. `lesser` and `greater` ask which of `{A}` and `{B}` has the smaller or the larger number.
    """

    name: str
    subjects: tuple[str, ...]
    object: str
    label: str
    states: Phrasings
    asks: Phrasings
    changes: bool = False
    nouns: tuple[str, ...] = ()
    lesser: Phrasings | None = None
    greater: Phrasings | None = None
