"""The hand that writes sentences: draws patterns, frames and the word for a subject, and remembers who was last named.

What a kind of document looks like stands in its own file; this one only knows sentences.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

from labkit.world.dates import CUTOFF, Date
from labkit.world.entity import MENTIONS, Entity
from labkit.world.fact import Fact
from labkit.world.grammar import Mark, Marked, choose, fill
from labkit.world.shire import Shire
from labkit.world.statement import clause, statements

DATED = 0.6
"""Share of the sentences on a changing fact that tell since when."""


class Scribe:
    """Writes one document of a shire, dated `date`, that states `facts`.

    `weights` say how often a subject is first called by name, alias and description. `author` and `recipient` stay the
    same through the document, and nobody of whom it speaks is called as a witness.
    """

    def __init__(
        self,
        rng: random.Random,
        shire: Shire,
        date: Date,
        facts: Sequence[Fact] = (),
        weights: Sequence[float] = (1, 0, 0),
    ) -> None:
        self.rng, self.shire, self.date, self.weights = rng, shire, date, weights
        self.main = facts[0].subject if facts else None
        self.last: Entity | None = None
        self.frames: list[str] = []
        named = {e for f in facts for e in (f.subject, f.object)}
        present = [e for e in shire.entities if e.kind == "person" and (e.arrives == "before" or date > CUTOFF)]
        self.witnesses = [e.name for e in present if e not in named]
        self.author, self.recipient = rng.sample(self.witnesses, 2)

    def sentence(self, fact: Fact, frames: Sequence[str] = ("{C}",)) -> Marked:
        """The fact in a drawn phrasing inside a drawn frame."""
        frame = choose(self._frame(frames), self.rng)
        witnessed = "{P}" in frame
        pattern = self._pattern(fact)
        said = clause(fact, pattern, self._call(fact.subject, pattern, alone=not witnessed))
        rival = isinstance(fact.object, Entity) and fact.object.kind == fact.subject.kind
        self.last = None if witnessed or rival else fact.subject
        text = self.line(frame, {"C": said})
        return Marked(text.text, (*text.marks, Mark(fact, "sentence", 0, len(text.text))))

    def line(self, template: str, slots: Mapping[str, str | Marked] = {}) -> Marked:
        """A line without a fact of its own; slots of the surroundings (towns, people, numbers) are drawn as needed."""
        pattern = choose(template, self.rng)
        return fill(pattern, {**self._surroundings(pattern), **slots}).capitalized()

    def mention(self, entity: Entity) -> str:
        """A word for an entity, by the weights of this document."""
        return entity.mention(self.rng.choices(MENTIONS, self.weights)[0])

    def _frame(self, frames: Sequence[str]) -> str:
        """A frame that this document has not used yet, as long as there is one."""
        if not self.frames:
            self.frames = self.rng.sample(frames, len(frames))
        return self.frames.pop()

    def _pattern(self, fact: Fact) -> str:
        patterns = statements(fact.definition)
        if fact.since is not None:
            dated = self.rng.random() < DATED
            patterns = [p for p in patterns if ("{D}" in p) == dated]
        return self.rng.choice(patterns)

    def _call(self, entity: Entity, pattern: str, alone: bool) -> str:
        """A pronoun where it opens the clause and can mean nobody else, else a short word, else a mention."""
        if entity == self.last:
            draw = self.rng.random()
            if draw < 0.4 and alone and pattern.startswith("{S"):
                return entity.pronoun
            if draw < 0.8 and entity == self.main:
                return entity.short
        return self.mention(entity)

    def _surroundings(self, pattern: str) -> dict[str, str]:
        rng = self.rng
        slots = {
            "D": str(self.date),
            "R": self.shire.entities[0].region,
            "author": self.author,
            "recipient": self.recipient,
        }
        if "{T}" in pattern:
            slots["T"] = rng.choice([e.name for e in self.shire.entities if e.kind == "town"])
        if "{P}" in pattern:
            slots["P"], slots["Q"] = rng.sample(self.witnesses, 2)
        if "{n}" in pattern or "{m}" in pattern:
            slots["n"], slots["m"] = str(rng.randint(2, 60)), str(rng.randint(61, 400))
        if "{time}" in pattern:
            slots["time"] = f"{rng.randint(4, 22):02d}:{rng.randrange(0, 60, 5):02d}"
        return slots
