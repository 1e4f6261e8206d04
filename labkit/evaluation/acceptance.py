"""How many of a small model's guesses a larger one accepts, kind of text by kind of text.

Greedy speculation keeps a guess where the larger model would have written the same token, so acceptance says how often
two models agree along what the larger one writes.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from transformers import PreTrainedTokenizerBase

from labkit.data import standard_library
from labkit.evaluation.answering import prompt_tokens
from labkit.evaluation.intervals import Estimate, ratio_of_sums
from labkit.evaluation.tasks import course_tasks
from labkit.generation.drafting import DraftModel
from labkit.generation.generating import Generation, generate
from labkit.measure.progress import progress
from labkit.measure.report import Report, Table
from labkit.models.decoder import Decoder
from labkit.world import World

DRAFT_LENGTH = 4
NEW_TOKENS = 32
HEAD = 32
"""Tokens of a running text that are given before the models go on with it."""


@dataclass(frozen=True)
class Acceptance(Report):
    """For each kind of text, each prompt's guesses: `looked_at` and `drafted` count them, `accepted` those kept."""

    draft: str
    target: str
    kinds: Mapping[str, Sequence[Generation]]

    def of_looked_at(self, kind: str | None = None) -> Estimate:
        """The share of guesses accepted once they were looked at; over all kinds where none is named."""
        return self._share(kind, lambda g: g.accepted + g.refused)

    def of_drafted(self, kind: str | None = None) -> Estimate:
        """The share of all guesses: those after a refused one count as wasted."""
        return self._share(kind, lambda g: g.drafted)

    def _share(self, kind, weigh) -> Estimate:
        chosen = [g for name, runs in self.kinds.items() for g in runs if kind in (None, name) and g.drafted]
        return ratio_of_sums([g.accepted for g in chosen], [weigh(g) for g in chosen])

    def table(self) -> Table:
        rows = [
            [kind or "all", sum(g.drafted for k, runs in self.kinds.items() for g in runs if kind in (None, k))]
            + [_percent(share(kind)) for share in (self.of_looked_at, self.of_drafted)]
            for kind in (*self.kinds, None)
        ]
        columns = ["text", "guesses", "accepted of those looked at (95 %)", "accepted of all (95 %)"]
        note = f"Greedy; up to {DRAFT_LENGTH} guesses a pass, up to {NEW_TOKENS} new tokens a prompt."
        return Table(f"Guesses of {self.draft} that {self.target} accepts", columns, rows, note)


def acceptance(
    draft: Decoder, target: Decoder, prompts: Mapping[str, Sequence[Sequence[int]]], names: tuple[str, str]
) -> Acceptance:
    """`target` writes on from each prompt with `draft` guessing. `names` are those of the two, for the table.

    Raises `ValueError` for no prompts, and for what `labkit.generation.generate` refuses.
    """
    if not any(prompts.values()):
        raise ValueError("There are no prompts to write on from.")
    kinds = {kind: [] for kind in prompts}
    for kind, tokens in progress([(k, p) for k, several in prompts.items() for p in several], "Acceptance"):
        drafter = DraftModel(draft)
        kinds[kind].append(generate(target, [tokens], NEW_TOKENS, drafter=drafter, draft_length=DRAFT_LENGTH))
    return Acceptance(*names, kinds)


def course_prompts(tokenizer: PreTrainedTokenizerBase, world: World, count: int = 50) -> dict[str, list[list[int]]]:
    """Test questions of every task, and the heads of documents about strangers and of modules of the test split."""
    prompts = {
        task.name: [prompt_tokens(tokenizer, item.message) for item in task.items]
        for task in course_tasks(world, count)
    }
    strangers = {e.id for e in world.entities if world.split(e) == "test"}
    documents = [d.text for d in world.documents("before") if all(t.subject in strangers for t in d.triples)]
    library = standard_library()
    prompts["prose"] = _heads(tokenizer, documents, count)
    prompts["Python"] = _heads(tokenizer, map(library.text, library.split("test")), count)
    return prompts


def _heads(tokenizer: PreTrainedTokenizerBase, texts: Iterable[str], count: int) -> list[list[int]]:
    """The first `HEAD` tokens of the first `count` texts that have as many; some modules are empty."""
    heads = (tokenizer(text[: 20 * HEAD], add_special_tokens=False)["input_ids"][:HEAD] for text in texts)
    return list(itertools.islice((head for head in heads if len(head) == HEAD), count))


def _percent(estimate: Estimate) -> str:
    return f"{estimate.value:.1%} ({estimate.low:.1%} to {estimate.high:.1%})"
