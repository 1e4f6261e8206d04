"""A question with its gold answer and where the corpus gives it."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal, NamedTuple

from labkit.world.relation import Split

Edition = Literal["before", "after"]
QuestionKind = Literal["one-hop", "two-hop", "comparison", "changed", "unanswerable"]
QUESTION_KINDS: tuple[QuestionKind, ...] = ("one-hop", "two-hop", "comparison", "changed", "unanswerable")
Book = Literal["open", "closed"]
BOOKS: tuple[Book, ...] = ("open", "closed")
NOT_KNOWN = "not known"
"""The gold answer of an unanswerable question."""


class Evidence(NamedTuple):
    """A place that gives a needed fact: characters `start:end` of `document` are its object."""

    fact: str
    document: str
    start: int
    end: int


@dataclasses.dataclass(frozen=True)
class Question:
    """One question as asked on the last day of `edition`.

    `accepted` lists every right answer, `answer` first. `facts` are the ids of all facts needed, in the order of the
    reasoning; `evidence` every place in that edition's corpus that states one of them. `stale` is what was right
    before the cutoff, for questions of kind "changed". `mention` tells how the question calls its subject. `reason`
    says why there is no answer: nobody recorded the fact, or nobody of that name exists.
    """

    id: str
    kind: QuestionKind
    book: Book
    split: Split
    edition: Edition
    text: str
    answer: str
    accepted: tuple[str, ...]
    subject: str
    relations: tuple[str, ...]
    mention: str
    facts: tuple[str, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    stale: str | None = None
    reason: Literal["unrecorded", "stranger"] | None = None

    def documents(self) -> tuple[tuple[str, ...], ...]:
        """For each needed fact, the ids of the documents that state it."""
        return tuple(tuple(e.document for e in self.evidence if e.fact == fact) for fact in self.facts)

    def to_dict(self) -> dict[str, Any]:
        return {**dataclasses.asdict(self), "evidence": [list(e) for e in self.evidence]}

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Question:
        """Inverse of `to_dict`."""
        lists = {k: tuple(fields[k]) for k in ("accepted", "relations", "facts")}
        return cls(**{**fields, **lists, "evidence": tuple(Evidence(*e) for e in fields["evidence"])})


def normalized(answer: str) -> str:
    """What an exact match compares: lower case, no article in front, no full stop, single spaces.

    >>> normalized(" The Kolm Light. ") == normalized("Kolm Light")
    True
    """
    text = " ".join(answer.lower().split()).rstrip(".")
    for article in ("the ", "a ", "an "):
        text = text.removeprefix(article)
    return text


def is_right(question: Question, answer: str) -> bool:
    """Whether an answer exactly matches one of the accepted ones after `normalized`."""
    return normalized(answer) in {normalized(a) for a in question.accepted}
