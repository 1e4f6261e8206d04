"""From a trained model to a shipped one: its files in `data/models`, their cards, and the model card people read.

Not a judge: it writes every figure as measured, and a bar that was not reached is there for all to see.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from labkit.data import root, write_card
from labkit.evaluation.acceptance import Acceptance, acceptance, course_prompts
from labkit.evaluation.suite import Evaluation, evaluate
from labkit.evaluation.tasks import course_tasks
from labkit.measure.machines import machine
from labkit.measure.report import Report
from labkit.models.loading import load
from labkit.training.record import write_record
from labkit.training.run import Training
from labkit.world import World

LARGEST = 50_000_000
"""Bytes a file of the course may have."""
SOURCE = "trained from nothing by labkit.training on labkit.world and the text of Python's standard library"


RUNNING = 200
"""Documents of test shires that are scored as running text."""


def judge(training: Training) -> Evaluation:
    """Every task of the course and running text about strangers, asked of the weights as they are saved."""
    loaded, world = load(str(training.folder)), World()
    strangers = {e.id for e in world.entities if world.split(e) == "test"}
    texts = [d.text for d in world.documents("before") if all(t.subject in strangers for t in d.triples)]
    return evaluate(training.name, loaded.model, loaded.tokenizer, course_tasks(world), texts[:RUNNING])


def acceptance_by_dense(training: Training) -> Acceptance:
    """How many guesses of the model as it is saved the shipped course-dense accepts."""
    draft, target = load(str(training.folder)), load("course-dense")
    prompts = course_prompts(target.tokenizer, World())
    return acceptance(draft.model, target.model, prompts, (training.name, "course-dense"))


def ship(training: Training, summary: str, figures: Sequence[Report]) -> Path:
    """Copies a trained model and the record of its training to `data/models`, with cards; returns the folder.

    `figures` go into the card to read. Raises `ValueError` naming a file that is too big, before anything is copied.
    """
    write_record(training.folder, training.progress)
    return put(training.name, training.folder, model_card(training, summary, figures), summary, SOURCE)


def put(name: str, trained: Path, card: str, summary: str, source: str) -> Path:
    """Copies all files below `trained` to `data/models/NAME`, with `card` to read and a card for each.

    Raises `ValueError` naming a file that is too big, before anything is copied.
    """
    files = sorted(path for path in trained.rglob("*") if path.is_file())
    for path in files:
        if path.stat().st_size > LARGEST:
            raise ValueError(f"{path} has {path.stat().st_size:,} bytes; a file of the course has at most {LARGEST:,}.")
    folder = root() / "models" / name
    for path in files:
        target = folder / path.relative_to(trained)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    (folder / "README.md").write_text(card, encoding="utf-8")
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        write_card(path.relative_to(root()).as_posix(), summary=summary, source=source, make=f"labkit train {name}")
    return folder


def model_card(training: Training, summary: str, figures: Sequence[Report]) -> str:
    """The card as Markdown: what it is, how it came to be, every figure with its interval."""
    measured = "\n\n".join(f"```\n{figure}\n```" for figure in figures)
    parts = (
        f"# {training.name}\n\n{summary}\n\nSource: {SOURCE}. Licence: CC BY 4.0. Make it again: "
        f"`labkit train {training.name}`.",
        f"## Quality\n\n{measured}",
        f"## Training\n\n```\n{training}\n```",
        f"## Machine\n\n```\n{machine()}\n```",
    )
    return "\n\n".join(parts) + "\n"
