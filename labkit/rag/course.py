"""The course world as a corpus, and its facts as claims: what makes RAGChecker's measures exact here."""

from __future__ import annotations

import random
from collections.abc import Container, Sequence

from labkit.evaluation.scoring import abstains, exact_match
from labkit.rag.claims import Claim
from labkit.rag.document import Chunk, Document
from labkit.world import World
from labkit.world.question import Edition, Question, normalized
from labkit.world.relation import Split


def course_documents(world: World, edition: Edition, shires: Container[int] | None = None) -> list[Document]:
    """The corpus of an edition, each document under its date, as the course's models are trained to read them.

    Of all shires, or of those with these numbers.
    """
    papers = (d for d in world.documents(edition) if shires is None or d.shire in shires)
    return [Document(d.id, d.text, heading=d.date) for d in papers]


def post_cutoff(world: World, split: Split = "test", count: int | None = None) -> list[Question]:
    """Open-book questions, by name, about facts that hold only since the cutoff: what changed and who arrived.

    At most `count` of them, the same ones in every run.
    """
    known = {fact.id for fact in world.facts("before")}
    asked = world.questions("one-hop", split, "after", "open", mention="name")
    return sample([q for q in asked if q.facts[0] not in known], count)


def sample(questions: Sequence[Question], count: int | None) -> list[Question]:
    """`count` of the questions, or all if there are no more, the same ones in every run."""
    few = len(questions) if count is None else min(count, len(questions))
    return random.Random("labkit.rag.course").sample(list(questions), few)


class CourseClaims:
    """What chunks, answers and the truth claim, as (subject, relation, object); an object has one name whatever it is
    called.
    """

    def __init__(self, world: World, edition: Edition) -> None:
        self.triples = {d.id: d.triples for d in world.documents(edition)}
        self.facts = {f.id: f for f in world.facts(edition)}
        self.names = {normalized(m): normalized(e.name) for e in world.entities for m in e.mentions}

    def of_chunk(self, chunk: Chunk) -> list[Claim]:
        """The facts, true or outdated, whose object the chunk says."""
        said = [
            t for t in self.triples[chunk.document] if chunk.start <= t.object_span[0] < t.object_span[1] <= chunk.end
        ]
        return [(t.subject, t.relation, self._object(t.object)) for t in said]

    def of_truth(self, question: Question) -> list[Claim]:
        """The fact that answers a question, the last of its reasoning; none for an unanswerable one."""
        return [self._claim(question, question.answer)] if question.facts else []

    def of_answer(self, question: Question, answer: str) -> list[Claim]:
        """What an answer claims: a refusal nothing, an accepted answer the truth, any other its own words."""
        if abstains(answer) or not answer.strip():
            return []
        return [self._claim(question, question.answer if exact_match(answer, question.accepted) else answer)]

    def _claim(self, question: Question, value: str) -> Claim:
        if not question.facts:
            return question.subject, question.relations[-1], self._object(value)
        fact = self.facts[question.facts[-1]]
        return fact.subject.id, fact.relation, self._object(value)

    def _object(self, value: str) -> str:
        plain = normalized(value)
        return self.names.get(plain, plain).removesuffix(" metres")
