"""What a model learns from: endless examples of each skill, the same for the same seed.

None speaks of an entity of validation or test, and none asks a validation or test phrasing.
"""

from __future__ import annotations

import functools
import itertools
import random
from collections.abc import Callable, Iterator

from labkit.data import standard_library
from labkit.evaluation import prompts
from labkit.training.examples import Example, Writer
from labkit.training.roll_call import roll_calls
from labkit.training.two_hop import two_hops
from labkit.world import World, ask, extractions, problems, readings, state
from labkit.world.archive_reading import archive_readings, dossiers, findings
from labkit.world.fact import Fact
from labkit.world.reading import CURRICULUM, Level, Reading

Source = Callable[[int, Writer], Iterator[Example]]
QUESTIONS_A_FACT = 4
"""Questions in a row in one closed-book example: more signal a token, each fact far from its own answer."""
PASSED_OVER = 4
"""Of so many pairs of document and JSON one is taken: a block then draws its names from several shires."""
LINES = 40
"""Lines of Python in one example."""


def reading(level: Level) -> Source:
    """Open-book questions about strangers, as hard as the level says; see `labkit.world.readings`."""

    def examples(seed: int, writer: Writer) -> Iterator[Example]:
        return (_open_book(one, writer) for one in readings(seed, level))

    return examples


def roll_call(seed: int, writer: Writer) -> Iterator[Example]:
    """Open-book questions in which only the name decides."""
    return (_open_book(one, writer) for one in roll_calls(seed))


def archive(documents: int) -> Source:
    """The same over whole documents of all kinds; see `labkit.world.archive_reading`."""

    def examples(seed: int, writer: Writer) -> Iterator[Example]:
        return (_open_book(one, writer) for one in archive_readings(seed, documents))

    return examples


def dossier(seed: int, writer: Writer) -> Iterator[Example]:
    """Three documents on one subject, and all questions about it."""
    return (_open_book(one, writer) for one in dossiers(seed))


def finding(seed: int, writer: Writer) -> Iterator[Example]:
    """What a search brings: documents that say of neighbours what one of them says of the subject."""
    return (_open_book(one, writer) for one in findings(seed))


def _open_book(one: Reading, writer: Writer) -> Example:
    first, *others = one.asks
    asked = [prompts.open_book(one.passages, first.question), *(a.question for a in others)]
    return writer.conversation(zip(asked, (a.answer for a in one.asks), strict=True))


def two_hop(seed: int, writer: Writer) -> Iterator[Example]:
    """Open-book questions whose answer takes two passages."""
    for passages, question, answer in two_hops(seed):
        yield writer.conversation([(prompts.open_book(passages, question), answer)])


def extraction(seed: int, writer: Writer) -> Iterator[Example]:
    """Documents and their JSON."""
    for pair in itertools.islice(extractions(seed), None, None, PASSED_OVER):
        yield writer.conversation([(prompts.extraction(pair.text, pair.schema["properties"]), pair.answer)])


def arithmetic(seed: int, writer: Writer) -> Iterator[Example]:
    """Problems of the training split."""
    for problem in problems(seed):
        yield writer.conversation([(prompts.closed_book(problem.text), problem.answer)])


def facts(seed: int, writer: Writer) -> Iterator[Example]:
    """Facts at the cutoff about entities of the training split: asked, closed book, in every training phrasing."""
    rng, known = random.Random(f"labkit.training.sources/facts/{seed}"), training_facts()
    while True:
        chosen = rng.sample(known, QUESTIONS_A_FACT)
        yield writer.conversation((prompts.closed_book(ask(f, rng.randrange(10_000))), f.answer) for f in chosen)


def statements(seed: int, writer: Writer) -> Iterator[Example]:
    """The same facts as sentences, all of an entity's together, in every training phrasing."""
    rng, known = random.Random(f"labkit.training.sources/statements/{seed}"), training_facts()
    while True:
        subject = rng.choice(known).subject
        own = [f for f in known if f.subject == subject]
        told = rng.sample(own, len(own))
        yield writer.text(" " + " ".join(state(f, rng.randrange(10_000)) for f in told))


def prose(seed: int, writer: Writer) -> Iterator[Example]:
    """Documents of the course's own corpus at the cutoff, those of training shires, round and round."""
    rng, world = random.Random(f"labkit.training.sources/prose/{seed}"), course_world()
    splits = {e.id: world.split(e) for e in world.entities}
    texts = [d.text for d in world.documents("before") if all(splits[t.subject] == "train" for t in d.triples)]
    while True:
        yield from (writer.text(text) for text in rng.sample(texts, len(texts)))


def python(seed: int, writer: Writer) -> Iterator[Example]:
    """Stretches of modules of the standard library's training split."""
    rng, library = random.Random(f"labkit.training.sources/python/{seed}"), standard_library()
    files = list(library.split("train"))
    while True:
        yield writer.text(stretch(library.text(rng.choice(files)), rng))


def stretch(text: str, rng: random.Random) -> str:
    """`LINES` lines in a row of a text, from anywhere."""
    rows = text.splitlines(keepends=True)
    start = rng.randrange(max(len(rows) - LINES, 1))
    return "".join(rows[start : start + LINES]) or "\n"


@functools.cache
def course_world() -> World:
    """The world of the course, built once: opening its corpus takes seconds."""
    return World()


def training_facts() -> list[Fact]:
    """Every fact at the cutoff whose subject belongs to the training split."""
    world = course_world()
    return [f for f in world.facts("before") if world.split(f.subject) == "train"]


SOURCES: dict[str, Source] = {
    **{f"reading-{n}": reading(level) for n, level in enumerate(CURRICULUM)},
    **{f"archive-{n}": archive(n) for n in (1, 2, 3)},
    "dossier": dossier,
    "finding": finding,
    "roll-call": roll_call,
    "two-hop": two_hop,
    "extraction": extraction,
    "arithmetic": arithmetic,
    "facts": facts,
    "statements": statements,
    "prose": prose,
    "python": python,
}
"""Every source by the name that stages use."""
