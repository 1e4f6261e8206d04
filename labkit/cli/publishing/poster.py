"""The picture of the front page: every row of every ledger, as the executed labs hold them.

    python -m labkit.cli.publishing.poster build/ledger.png

A lab's rows are compared with that lab's own first one, for labs run in different sessions; nothing is drawn that no
run has printed, and `make refresh` measures all of it again.
"""

from __future__ import annotations

import ast
import dataclasses
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_UNITS = {"B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9}


@dataclasses.dataclass(frozen=True)
class Row:
    """A technique against the first row of its lab: memory and time as ratios, quality as a share of right answers."""

    lab: str
    technique: str
    memory: float
    time: float
    quality: float


def rows_of(lab: Path) -> list[Row]:
    """The rows of a lab's last ledger that have memory, time and quality; none where there is no such ledger."""
    tables = [table for table in _tables(lab) if table["title"] == "Ledger"]
    if not tables:
        return []
    kept = [dict(zip(tables[-1]["columns"], row, strict=True)) for row in tables[-1]["rows"]]
    kept = [row for row in kept if row["memory"] != "n/a" and _numbers(row["time (ms)"], row["quality"])]
    return [
        Row(
            row["lab"],
            row["technique"],
            _bytes(row["memory"]) / _bytes(kept[0]["memory"]),
            row["time (ms)"] / kept[0]["time (ms)"],
            row["quality"],
        )
        for row in kept
    ]


def draw(labs: list[Path]):
    """The figure, or `ValueError` when no lab has a ledger to draw."""
    from labkit.measure.figure import Figure, plot, series_styles

    by_lab = {path.stem: rows for path in labs if len(rows := rows_of(path)) > 1}
    if not by_lab:
        raise ValueError("No executed lab has a ledger of two rows with memory, time and quality.")
    with plot(width=7.6, height=4.4) as (figure, axes):
        for (name, rows), style in zip(by_lab.items(), series_styles(len(by_lab)), strict=True):
            techniques = rows[1:]
            axes.plot(*zip(*((r.memory, r.time) for r in techniques), strict=True), label=f"lab {name[:2]}",
                      **{**style, "linestyle": "none", "markersize": 9})  # fmt: skip
            for row in techniques:
                label = f"{row.technique}: {row.quality:.0%} right"
                side = {"ha": "right", "xytext": (-8, 5)} if row.memory > 0.9 else {"ha": "left", "xytext": (8, 5)}
                axes.annotate(label, (row.memory, row.time), textcoords="offset points", fontsize=8, **side)
        axes.plot(
            1, 1, "*", color="black", markersize=13, label=f"the model as it was: {_first(by_lab).quality:.0%} right"
        )
        axes.axhline(1, color="#888888", linewidth=0.7)
        axes.axvline(1, color="#888888", linewidth=0.7)
        axes.margins(x=0.16, y=0.1)
        axes.set(
            title="One model, many ways to hold and run it: bytes, time and answers, all measured",
            xlabel="memory against the model as it was (ratio)",
            ylabel="time of a written token (ratio)",
            ylim=(0, None),
        )
        axes.legend(loc="best", fontsize=8)
    return Figure(figure, alt="Techniques of the labs by memory and time of a token against the model as it was.")


def _first(by_lab: dict[str, list[Row]]) -> Row:
    return next(iter(by_lab.values()))[0]


def _tables(lab: Path) -> Iterator[dict[str, Any]]:
    """The tables a notebook shows, from their text: `Table(title=..., columns=..., rows=..., note=...)`."""
    for cell in json.loads(lab.read_text(encoding="utf-8"))["cells"]:
        for output in cell.get("outputs", []):
            text = "".join(output.get("data", {}).get("text/plain", ""))
            if text.startswith("Table("):
                call = ast.parse(text, mode="eval").body
                yield {word.arg: ast.literal_eval(word.value) for word in call.keywords}


def _numbers(*values: Any) -> bool:
    return all(isinstance(value, float) for value in values)


def _bytes(text: str) -> float:
    number, unit = re.fullmatch(r"([\d.,]+) (\w+)", text).groups()
    return float(number.replace(",", "")) * _UNITS[unit]


def main(target: Path) -> None:
    """Draw it from the course's own labs."""
    from labkit.course.catalogue import notebooks_dir

    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(draw(sorted(notebooks_dir().glob("[0-9][0-9]_*.ipynb"))).png())
    print(f"{target}: {target.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
