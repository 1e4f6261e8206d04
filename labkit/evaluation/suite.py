"""One call, one table: what a model knows, reads, admits and writes, and how surprised it is by text.

Every lab prices a saving with it: the same questions before and after, in the same order, compared pair by pair.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from transformers import PreTrainedTokenizerBase

from labkit.evaluation.answering import answers
from labkit.evaluation.divergence import divergence
from labkit.evaluation.intervals import Estimate, difference, ratio_of_sums, share
from labkit.evaluation.likelihood import document_losses, perplexity
from labkit.evaluation.tasks import Task, counts
from labkit.measure.progress import progress
from labkit.measure.report import Report, Table
from labkit.models.decoder import Decoder


@dataclass(frozen=True)
class Score:
    """One task: the share of answers that count, each answer's outcome, and the model's mean confidence in them."""

    task: str
    measure: str
    estimate: Estimate
    outcomes: tuple[bool, ...]
    confidence: Estimate


@dataclass(frozen=True)
class Evaluation(Report):
    """Scores of one model; `text` holds estimates on running text by name (perplexity, KL in nats, flips)."""

    model: str
    scores: tuple[Score, ...]
    text: dict[str, Estimate]

    def table(self) -> Table:
        rows = [
            [s.task, s.measure, *_percent(s.estimate), s.estimate.count, f"{s.confidence.value:.0%}"]
            for s in self.scores
        ]
        rows += [
            ["running text", name, f"{e.value:.4g}", f"{e.low:.4g} to {e.high:.4g}", e.count, "n/a"]
            for name, e in self.text.items()
        ]
        columns = ["task", "measure", "value", "95 % interval", "items", "own confidence"]
        return Table(f"Quality of {self.model}", columns, rows, "Greedy answers; exact match after normalisation.")

    def score(self, task: str, measure: str = "right") -> Score:
        """Raises `KeyError` naming the tasks there are."""
        for score in self.scores:
            if (score.task, score.measure) == (task, measure):
                return score
        raise KeyError(f"No score {task!r} / {measure!r}; there are {[(s.task, s.measure) for s in self.scores]}.")


def evaluate(
    name: str,
    model: Decoder,
    tokenizer: PreTrainedTokenizerBase,
    tasks: Iterable[Task] = (),
    texts: Sequence[str] = (),
    reference: Decoder | None = None,
    batch_size: int = 32,
) -> Evaluation:
    """Ask every item of `tasks`, score `texts`, and compare with `reference` on them where one is given."""
    scores: list[Score] = []
    for task in progress(list(tasks), f"Evaluating {name}"):
        scores += score_task(model, tokenizer, task, batch_size)
    text: dict[str, Estimate] = {}
    if texts:
        text["perplexity"] = perplexity(*document_losses(model, tokenizer, texts))
    if texts and reference is not None:
        moved = divergence(reference, model, tokenizer, texts)
        text |= {"KL to the reference (nats a token)": moved.kl, "top-1 flips (share of tokens)": moved.flips}
    return Evaluation(name, tuple(scores), text)


def score_task(model: Decoder, tokenizer: PreTrainedTokenizerBase, task: Task, batch_size: int = 32) -> list[Score]:
    """For each measure of a task, the share of its items whose answer counts."""
    given = answers(model, tokenizer, [item.message for item in task.items], task.limit, batch_size)
    confidence = ratio_of_sums([a.probability for a in given], [1] * len(given))
    scores = []
    for measure in task.measures:
        outcomes = tuple(counts(measure, item, a.text) for item, a in zip(task.items, given, strict=True))
        scores.append(Score(task.name, measure, share(sum(outcomes), len(outcomes)), outcomes, confidence))
    return scores


def paired_change(before: Score, after: Score) -> Estimate:
    """How much the share changed on the same items, bootstrapped over them.

    Raises `ValueError` for scores of different tasks.
    """
    if (before.task, before.measure) != (after.task, after.measure):
        raise ValueError(f"Scores of {before.task!r} and {after.task!r} cannot be paired.")
    return difference([float(o) for o in after.outcomes], [float(o) for o in before.outcomes])


def _percent(estimate: Estimate) -> tuple[str, str]:
    return f"{estimate.value:.1%}", f"{estimate.low:.1%} to {estimate.high:.1%}"
