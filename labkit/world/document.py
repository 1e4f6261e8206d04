"""A document and the facts it states, with the characters where it states them."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

from labkit.world.fact import Fact
from labkit.world.grammar import Marked

Span = tuple[int, int]


class Triple(NamedTuple):
    """One fact as stated in one text; spans are `(start, end)` in characters.

    `subject_span` covers whatever stands for the subject there: a name, an alias, a description or a pronoun.
    """

    fact: str
    subject: str
    relation: str
    object: str
    subject_span: Span
    object_span: Span
    sentence_span: Span


@dataclasses.dataclass(frozen=True)
class Document:
    """One text of the corpus. A later edition may hold a later `revision` under the same id."""

    id: str
    kind: str
    date: str
    text: str
    triples: tuple[Triple, ...]
    revision: int = 1

    @property
    def title(self) -> str:
        return self.text.partition("\n")[0]

    @property
    def shire(self) -> int:
        """The number of the shire that it tells of; an id is kind, number, and place in that shire."""
        return int(self.id.rpartition("-")[2][:2])

    def states(self, fact: Fact) -> Triple | None:
        """Where the document states the fact, or None."""
        return next((t for t in self.triples if t.fact == fact.id), None)

    def names(self, fact: Fact) -> bool:
        """Whether it states the fact so that who knows the subject by name alone can tell it.

        The name stands in the text, and the statement does not fall back on a description, "the firm north of the
        moor", which only the people of the place connect with it.
        """
        triple, subject = self.states(fact), fact.subject
        if triple is None or subject.bare_name not in self.text:
            return False
        said = self.text[slice(*triple.subject_span)].lower()
        return subject.description.removeprefix("the ").lower() not in said

    def to_dict(self) -> dict[str, Any]:
        return {**dataclasses.asdict(self), "triples": [list(t) for t in self.triples]}

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Document:
        """Inverse of `to_dict`."""
        triples = tuple(Triple(*t[:4], *(tuple(span) for span in t[4:])) for t in fields["triples"])
        return cls(**{**fields, "triples": triples})


def triples_of(marked: Marked) -> tuple[Triple, ...]:
    """The facts whose subject, object and sentence are marked in a text, in the order of the text."""
    places: dict[str, dict[str, Span]] = {}
    facts: dict[str, Fact] = {}
    for mark in marked.marks:
        if isinstance(mark.tag, Fact):
            facts[mark.tag.id] = mark.tag
            places.setdefault(mark.tag.id, {})[mark.slot] = (mark.start, mark.end)
    found = [
        Triple(f.id, f.subject.id, f.relation, f.answer, places[i]["S"], places[i]["O"], places[i]["sentence"])
        for i, f in facts.items()
    ]
    return tuple(sorted(found, key=lambda t: t.sentence_span))
