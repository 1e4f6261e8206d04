"""What the bench asks of a decoding engine, whoever wrote it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

Clock = Callable[[], float]


class Blocked(RuntimeError):  # noqa: N818 - a result, not a fault
    """Why there is no result, in one sentence."""


@dataclass(frozen=True)
class Job:
    """What an engine is started for: a checkpoint in one kind of numbers, on some threads, with room for some rows."""

    folder: Path  # of config.json and safetensors, as `labkit.models.save` writes them
    kind: str
    scratch: Path  # for what the adapter converts; kept between the runs of a bench
    threads: int
    rows: int
    length: int  # tokens of a row, prompt and answer

    def plain(self) -> dict[str, Any]:
        """The same as data for JSON; `Job.of` reads it back."""
        return {name: str(value) if isinstance(value, Path) else value for name, value in asdict(self).items()}

    @classmethod
    def of(cls, plain: dict[str, Any]) -> Job:
        return cls(**plain | {"folder": Path(plain["folder"]), "scratch": Path(plain["scratch"])})

    def converted(self, name: str, write: Callable[[Path], Any]) -> Path:
        """A file or folder in `scratch`, written unless an earlier run did; one cut short is written again."""
        place, unfinished = self.scratch / name, self.scratch / f"unfinished-{name}"
        if not place.exists():
            write(unfinished)
            unfinished.rename(place)
        return place


class Engine(Protocol):
    """A model ready to decode, always greedily and past every stop token."""

    def last_logits(self, tokens: list[int]) -> list[float]:
        """Logits (vocab) after one prompt, whose last token goes in on its own: the decode step is what is judged.

        Raises `Blocked` if the library tells no logits.
        """

    def write(self, prompt: list[list[int]], tokens: int, clock: Clock) -> list[float]:
        """The clock at each of so many tokens a row, read when the token is chosen. Rows are of one length."""
