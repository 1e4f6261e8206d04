"""The picture of the front page: what one would guess, and what the executed labs measured.

    python -m labkit.cli.publishing.poster labkit/cli/publishing/poster.png

Every factor that a lab lets its learners predict and then reveals is a row, and none is left out. Guess and measurement
are those that the lab's last run printed, so nothing is drawn that was not measured; `make refresh` measures it again.
"""

from __future__ import annotations

import dataclasses
import json
import re
import statistics
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

LOCKED = re.compile(r"■ Locked: (?P<name>.+)\n\s*(?P<question>.+)\n")
REVEALED = re.compile(r"› (?P<name>.+)\n(?:.*\n)*?\s*you predicted: (?P<guess>\S+) x\n\s*measured: (?P<measured>\S+) x")


@dataclasses.dataclass(frozen=True)
class Guess:
    """A question of a lab for a factor, the guess that was locked in, and what was measured then."""

    lab: str
    question: str
    guess: float
    measured: float

    @property
    def off(self) -> float:
        """By which factor the guess was wrong, in whichever direction.

        >>> Guess("05", "How many times faster?", guess=2.0, measured=0.5).off
        4.0
        """
        return max(self.guess / self.measured, self.measured / self.guess)


def guesses_of(lab: Path) -> list[Guess]:
    """The factors above zero that a notebook predicted and revealed, in its order."""
    texts = list(_texts(lab))
    questions = {m["name"]: m["question"] for text in texts if (m := LOCKED.match(text))}
    found = [m for text in texts if (m := REVEALED.match(text)) and m["name"] in questions]
    rows = [Guess(lab.name[:2], questions[m["name"]], _number(m["guess"]), _number(m["measured"])) for m in found]
    return [row for row in rows if min(row.guess, row.measured) > 0]


def draw(labs: list[Path]):
    """The figure, or `ValueError` when no executed lab reveals a factor."""
    from labkit.measure.figure import PALETTE, Figure, plot

    rows = [row for lab in labs for row in guesses_of(lab)]
    if not rows:
        raise ValueError("No executed lab reveals a factor that was predicted.")
    middle, worst = statistics.median(row.off for row in rows), max(row.off for row in rows)
    places = range(len(rows))
    with plot(width=8.2, height=1.2 + 0.34 * len(rows)) as (figure, axes):
        axes.hlines(places, [r.guess for r in rows], [r.measured for r in rows], color="#aaaaaa", linewidth=2, zorder=1)
        axes.plot([r.guess for r in rows], places, "o", color="#555555", fillstyle="none", label="a plausible guess")
        axes.plot([r.measured for r in rows], places, "D", color=PALETTE[1], label="measured")
        for place, row in zip(places, rows, strict=True):
            after = row.measured >= row.guess
            axes.annotate(_short(row.measured), (row.measured, place), (8 if after else -8, 0), va="center", fontsize=8,
                          textcoords="offset points", ha="left" if after else "right")  # fmt: skip
        axes.axvline(1, color="black", linewidth=0.7, zorder=0)
        axes.set_yticks(places, [textwrap.fill(f"{row.lab} · {row.question}", 54) for row in rows], fontsize=8)
        axes.invert_yaxis()
        axes.set(
            title=f"{len(rows)} guesses: off by {middle:.1f}x in the middle, by {worst:,.0f}x at worst",
            xscale="log",
            xlabel="how many times (ratio)",
            ylabel="question of a lab (number)",
        )
        axes.margins(x=0.16)
        axes.xaxis.set_major_formatter("{x:,g}")
        axes.grid(axis="y", visible=False)
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.1), ncols=2)
    return Figure(figure, alt="Questions of the labs, each with a plausible guess and what was measured; a log axis.")


def _texts(lab: Path) -> Iterator[str]:
    """What the outputs of a notebook say as plain text."""
    for cell in json.loads(lab.read_text(encoding="utf-8"))["cells"]:
        for output in cell.get("outputs", []):
            yield "".join(output.get("data", {}).get("text/plain", ""))


def _number(text: str) -> float:
    return float(text.replace(",", ""))


def _short(value: float) -> str:
    """Two digits, or all before the point.

    >>> _short(0.01432), _short(5.02), _short(3007.0)
    ('0.014', '5', '3,007')
    """
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def main(target: Path) -> None:
    """Draw it from the course's own labs."""
    from labkit.course.catalogue import notebooks_dir

    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(draw(sorted(notebooks_dir().glob("[0-9][0-9]_*.ipynb"))).png())
    print(f"{target}: {target.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
