"""What a pipeline returns: an answer with its source, and the account of its stages."""

from __future__ import annotations

from dataclasses import dataclass

from labkit.evaluation.scoring import abstains
from labkit.measure.report import Report, Table, si
from labkit.rag.citing import Citation
from labkit.rag.prompt import Prompt
from labkit.world import NOT_KNOWN


@dataclass(frozen=True)
class Stage:
    """Wall time; the bytes that the stage works on (index, vectors, weights and cache, text); prompt tokens read."""

    name: str
    seconds: float
    nbytes: int
    tokens: int = 0


@dataclass(frozen=True)
class CitedAnswer(Report):
    """`text` is what the model said with `probability`; where it `abstained`, by itself, by the threshold or for names
    of the question that are `unseen` in every document, it does not count. `citation` is None where no passage of the
    `prompt` says the text: then nothing speaks for it.
    """

    question: str
    text: str
    probability: float
    abstained: bool
    citation: Citation | None
    prompt: Prompt
    stages: tuple[Stage, ...]
    unseen: tuple[str, ...] = ()

    @property
    def confidence(self) -> float:
        """What a threshold is held against: the probability; 0 where the model refuses, or no document knows a name."""
        return 0.0 if self.unseen or abstains(self.text) else self.probability

    @property
    def said(self) -> str:
        """The text, or "not known"."""
        return NOT_KNOWN if self.abstained else self.text

    def stage(self, name: str) -> Stage:
        """Raises `KeyError` naming the stages there are."""
        for stage in self.stages:
            if stage.name == name:
                return stage
        raise KeyError(f"No stage {name!r}; there are {', '.join(s.name for s in self.stages)}.")

    def table(self) -> Table:
        rows = [[s.name, f"{1e3 * s.seconds:.1f}", si(s.nbytes, "B"), s.tokens] for s in self.stages]
        total = sum(s.seconds for s in self.stages)
        note = f"{self.said!r} with probability {self.probability:.2f} in {si(total, 's')}."
        if self.unseen:
            note += f" In no document: {', '.join(self.unseen)}."
        return Table(self.question, ["stage", "ms", "works on", "prompt tokens read"], rows, note)
