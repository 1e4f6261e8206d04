"""A trial of answers on the course world: open book by a pipeline, closed book, and every measure of the room."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from labkit.evaluation.answering import Answer, answers
from labkit.evaluation.intervals import Estimate, ratio_of_sums, share
from labkit.evaluation.prompts import closed_book
from labkit.evaluation.scoring import abstains, exact_match
from labkit.measure.progress import progress
from labkit.measure.report import Report, Table
from labkit.rag.abstention import Point, abstention_curve
from labkit.rag.attempts import Attempt, Attempts, attempt
from labkit.rag.calibration import Calibration, calibration
from labkit.rag.claims import ClaimMeasures, claim_measures
from labkit.rag.course import CourseClaims
from labkit.rag.hallucination import Hallucinations, hallucinations
from labkit.rag.likelihoods import Reader
from labkit.rag.stages import CitedAnswer
from labkit.world.question import Question


@dataclass(frozen=True)
class Asked:
    """One question with both answers; `claims` and `kinds` judge the open-book one as it came from the model."""

    question: Question
    open: CitedAnswer
    closed: Answer
    claims: ClaimMeasures
    kinds: Hallucinations

    @property
    def right(self) -> bool:
        return exact_match(self.open.text, self.question.accepted)

    @property
    def confidence(self) -> float:
        """Of the open-book answer."""
        return self.open.confidence

    @property
    def should_abstain(self) -> bool:
        """Whether nothing should have been said: there is no answer, or the one attempted is wrong."""
        return not self.question.facts or (not self.right and not abstains(self.open.text))

    @property
    def source_right(self) -> bool | None:
        """Whether the document cited states the fact; None without a citation."""
        if self.open.citation is None or not self.question.facts:
            return None
        return self.open.citation.chunk.document in self.question.documents()[-1]


@dataclass(frozen=True)
class AnswerTrial(Report):
    """All questions of a trial; shares are over them unless said."""

    asked: tuple[Asked, ...]

    def attempts(self, book: str = "open") -> Attempts:
        """Grades of the answers to questions that have one; of the open book, after the threshold."""
        return Attempts.of([_grade(a, book) for a in self.asked if a.question.facts])

    def calibration(self) -> Calibration:
        """Of the answers that were attempted."""
        tried = [a for a in self.asked if not abstains(a.open.text)]
        return calibration([a.open.probability for a in tried], [a.right for a in tried])

    def curve(self) -> tuple[Point, ...]:
        """What abstaining below each threshold would give. Raises `ValueError` where nothing should be held back."""
        return abstention_curve([a.confidence for a in self.asked], [a.should_abstain for a in self.asked])

    def mean(self, measure: str) -> Estimate:
        """The mean of a claim measure or kind of hallucination over the questions where it is a number."""
        values = [_value(a, measure) for a in self.asked]
        known = [v for v in values if not math.isnan(v)]
        return ratio_of_sums(known, [1.0] * len(known))

    def sources(self) -> Estimate:
        """The share of citations whose document states the fact. Raises `ValueError` if nothing was cited."""
        judged = [a.source_right for a in self.asked if a.source_right is not None]
        return share(sum(judged), len(judged))

    def table(self) -> Table:
        named = {
            f"{grade}, {book} book": self.attempts(book).estimate(grade)
            for book in ("closed", "open")
            for grade in _GRADES
        }
        named |= {name.replace("_", " "): self.mean(name) for name in _MEASURES}
        if any(a.source_right is not None for a in self.asked):
            named["cited document states it"] = self.sources()
        rows = [[name, f"{e.value:.1%}", f"{e.low:.1%} to {e.high:.1%}", e.count] for name, e in named.items()]
        note = "Claims are triples, so no judge is asked; intrinsic and extrinsic hallucination add up to the whole."
        return Table("Answers to the same questions", ["measure", "value", "95 % interval", "questions"], rows, note)


_GRADES: tuple[Attempt, ...] = ("correct", "wrong", "not attempted")
_MEASURES = (
    "claim_recall",
    "context_precision",
    "faithfulness",
    "relevant_noise",
    "irrelevant_noise",
    "self_knowledge",
)
_MEASURES += ("hallucination", "intrinsic", "extrinsic")


def answer_trial(
    pipeline: Callable[[str], CitedAnswer], reader: Reader, questions: Sequence[Question], claims: CourseClaims
) -> AnswerTrial:
    """Asks every question with documents and without."""
    closed = answers(reader.model, reader.tokenizer, [closed_book(q.text) for q in questions])
    pairs = list(zip(questions, closed, strict=True))
    return AnswerTrial(tuple(_ask(pipeline(q.text), q, alone, claims) for q, alone in progress(pairs, "Asking")))


def _ask(found: CitedAnswer, question: Question, closed: Answer, claims: CourseClaims) -> Asked:
    judged = (
        claims.of_truth(question),
        claims.of_answer(question, found.text),
        [claims.of_chunk(chunk) for chunk in found.prompt.used],
    )
    return Asked(question, found, closed, claim_measures(*judged), hallucinations(*judged))


def _grade(asked: Asked, book: str) -> Attempt:
    return attempt(asked.closed.text if book == "closed" else asked.open.said, asked.question.accepted)


def _value(asked: Asked, measure: str) -> float:
    of = asked.kinds if measure in {f.name for f in dataclasses.fields(Hallucinations)} else asked.claims
    return getattr(of, measure)
