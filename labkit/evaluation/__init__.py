"""Evaluation: the quality axis of every lab, each figure with its 95 % interval.

What is where: `evaluate` asks a model the tasks of `tasks` and scores running text, in one table; `likelihood` is
perplexity, `divergence` KL and flips of the first choice against a reference, `answering` greedy answers in batches,
`scoring` when an answer is right, `prompts` the one form in which a shipped model is asked, `intervals` how sure a
figure is. Nothing here trains or changes a model. Nothing is imported until it is used.

Legend of shapes: `batch` rows, `seq` tokens a row, `next` predicted tokens of a row (seq - 1), `new` generated
tokens a row, `vocab` entries, `places` any places that have logits. Losses are in nats.
"""

from __future__ import annotations

from labkit.lazy import lazy_names

_MODULE_OF = {
    "Evaluation": "labkit.evaluation.suite",
    "Estimate": "labkit.evaluation.intervals",
    "Task": "labkit.evaluation.tasks",
    "answers": "labkit.evaluation.answering",
    "course_tasks": "labkit.evaluation.tasks",
    "divergence": "labkit.evaluation.divergence",
    "evaluate": "labkit.evaluation.suite",
    "paired_change": "labkit.evaluation.suite",
    "score_task": "labkit.evaluation.suite",
}

__all__ = sorted(_MODULE_OF)
__getattr__, __dir__ = lazy_names(__name__, _MODULE_OF)
