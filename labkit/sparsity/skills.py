"""Which skill dies first: a pruned decoder beside the dense one, task by task, on the same questions.

Perplexity alone does not tell. A model that speaks as fluently as before may have lost its facts, or its sums.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from transformers import PreTrainedTokenizerBase

from labkit.evaluation.intervals import Estimate
from labkit.evaluation.suite import Evaluation, evaluate, paired_change
from labkit.evaluation.tasks import Task
from labkit.measure.report import Report, Table
from labkit.models.decoder import Decoder


@dataclass(frozen=True)
class Skills(Report):
    """Evaluations of the dense model and of each pruned one; a skill is a task by the first of its measures."""

    dense: Evaluation
    pruned: dict[str, Evaluation]
    skills: tuple[tuple[str, str], ...]

    def change(self, name: str, task: str, measure: str) -> Estimate:
        """How much of a share the pruned model `name` gained (negative: lost), paired question by question."""
        return paired_change(self.dense.score(task, measure), self.pruned[name].score(task, measure))

    def first_to_die(self, name: str) -> str | None:
        """The task that lost the largest part of its dense share, among losses whose interval excludes 0; or None."""
        lost: dict[str, float] = {}
        for task, measure in self.skills:
            change = self.change(name, task, measure)
            if change.high < 0:
                lost[task] = -change.value / self.dense.score(task, measure).estimate.value
        return max(lost, key=lost.__getitem__) if lost else None

    def table(self) -> Table:
        columns = ["task", "measure", self.dense.model]
        columns += [f"{name}{part}" for name in self.pruned for part in ("", ": change")]
        rows = [[task, measure, *self._cells(task, measure)] for task, measure in self.skills]
        for measure in next(iter(self.pruned.values())).text:
            cells = [self.dense.text.get(measure)]
            cells += [cell for e in self.pruned.values() for cell in (e.text[measure], None)]
            rows.append(["running text", measure, *(c if c is None else f"{c.value:.4g}" for c in cells)])
        verdicts = [f"{name}: {self.first_to_die(name) or 'nothing for certain'}" for name in self.pruned]
        return Table("Which skill dies first", columns, rows, f"Dies first: {'; '.join(verdicts)}.")

    def _cells(self, task: str, measure: str) -> list[str]:
        cells = [f"{self.dense.score(task, measure).estimate.value:.1%}"]
        for name, found in self.pruned.items():
            change = self.change(name, task, measure)
            cells.append(f"{found.score(task, measure).estimate.value:.1%}")
            cells.append(f"{change.value:+.1%} ({change.low:+.1%} to {change.high:+.1%})")
        return cells


def which_skill_dies_first(
    dense: Decoder,
    pruned: Mapping[str, Decoder],
    tokenizer: PreTrainedTokenizerBase,
    tasks: Iterable[Task],
    texts: Sequence[str] = (),
    batch_size: int = 32,
) -> Skills:
    """Judge every pruned decoder on the questions of `tasks` and on `texts`, where KL and flips are against `dense`.

    Raises `ValueError` without a pruned decoder or a task.
    """
    asked = list(tasks)
    if not asked or not pruned:
        raise ValueError("Needed are at least one task and one pruned decoder.")
    before = evaluate("dense", dense, tokenizer, asked, texts, batch_size=batch_size)
    after = {name: evaluate(name, m, tokenizer, asked, texts, dense, batch_size) for name, m in pruned.items()}
    return Skills(before, after, tuple((task.name, task.measures[0]) for task in asked))
