"""One loss to compare trainings by: what nobody trained on, the same for every model of the course.

Tasks of the validation split with their right answers, and running text of shires and modules that training never met.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable, Iterator

import torch
from transformers import PreTrainedTokenizerFast

from labkit.data import standard_library
from labkit.evaluation.tasks import course_tasks
from labkit.models.decoder import Decoder
from labkit.training.examples import Example, Writer
from labkit.training.objective import predict
from labkit.training.packing import Batch, batches
from labkit.training.sources import course_world, stretch

ITEMS = 32
"""Questions of each task, and documents."""
MODULES = 4
"""Stretches of Python: each is as long as five documents."""
ROWS, LENGTH = 4, 512


def validation_batches(tokenizer: PreTrainedTokenizerFast) -> list[Batch]:
    """The held-out examples in rows of 512 tokens, in a mixed order that never changes."""
    writer, rng = Writer(tokenizer), random.Random("labkit.training.validation")
    examples = [*_answers(writer), *_texts(writer, rng)]
    return list(batches(rng.sample(examples, len(examples)), ROWS, LENGTH))


def validation_loss(model: Decoder, held_out: Iterable[Batch]) -> float:
    """Nats a learned token, over all of them. Raises `ValueError` if there is none."""
    with torch.no_grad():
        losses = [predict(model, batch.to(model.device)).losses.float() for batch in held_out]
    if not losses:
        raise ValueError("There is nothing to validate on.")
    return float(torch.cat(losses).mean())


def _answers(writer: Writer) -> Iterator[Example]:
    for task in course_tasks(course_world(), ITEMS, "validation"):
        for item in task.items:
            known = item.stale or item.accepted[0]  # closed book, the value at the cutoff is all a model can know
            yield writer.conversation([(item.message, known)])


def _texts(writer: Writer, rng: random.Random) -> Iterator[Example]:
    world, library = course_world(), standard_library()
    strangers = {e.id for e in world.entities if world.split(e) == "validation"}
    documents = (d.text for d in world.documents("before") if all(t.subject in strangers for t in d.triples))
    yield from (writer.text(text) for text in itertools.islice(documents, ITEMS))
    files = rng.sample(list(library.split("validation")), MODULES)
    yield from (writer.text(stretch(library.text(file), rng)) for file in files)
