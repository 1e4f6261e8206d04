"""What every measurement returns: a table that reads well in a notebook, in a terminal and as JSON.

Not a data-frame library: a `Table` only carries rows to the reader. Whoever wants to compute takes `Table.rows` or the
fields of the report itself.
"""

from __future__ import annotations

import dataclasses
import html
import json
import math
from collections.abc import Sequence
from enum import Enum
from pathlib import PurePath
from typing import Any

MISSING = "n/a"

_SI = [(1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n")]


def si(value: float | None, unit: str = "", digits: int = 3) -> str:
    """`value` with an SI prefix and its unit; `None` and NaN read "n/a", never 0.

    >>> si(34_200_000_000, "B/s")
    '34.2 GB/s'
    >>> si(0.000_25, "s"), si(0, "FLOP"), si(None, "B")
    ('250 µs', '0 FLOP', 'n/a')
    """
    if value is None or math.isnan(value):
        return MISSING
    if value == 0 or math.isinf(value):
        return f"{value:g} {unit}".rstrip()
    magnitude = float(f"{abs(value):.{digits}g}")  # round first, so that 999.9 k becomes 1 M and not 1e+03 k
    scale, prefix = next(((s, p) for s, p in _SI if magnitude >= s), _SI[-1])
    scaled = magnitude / scale
    text = f"{scaled:.0f}" if scaled >= 10 ** (digits - 1) else f"{scaled:.{digits}g}"
    return f"{'-' if value < 0 else ''}{text} {prefix}{unit}".rstrip()


@dataclasses.dataclass(frozen=True)
class Table:
    """Rows for a reader. `columns` are headings with their unit; cells are text already formatted, or numbers.

    >>> print(Table("Two rows", ["op", "time"], [["mm", "1 ms"], ["add", "20 µs"]]))
    Two rows
    op   time
    ---  -----
    mm   1 ms
    add  20 µs
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    note: str = ""

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"A row of {len(row)} cells under {len(self.columns)} columns: {list(row)!r}")

    def to_dicts(self) -> list[dict[str, Any]]:
        """One dictionary a row, keyed by column heading."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]

    def __str__(self) -> str:
        cells = [[str(c) for c in self.columns], *([_text(c) for c in row] for row in self.rows)]
        widths = [max(len(row[i]) for row in cells) for i in range(len(self.columns))]
        lines = ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in cells]
        lines.insert(1, "  ".join("-" * w for w in widths))
        return "\n".join([self.title, *lines, *([self.note] if self.note else [])])

    def _repr_html_(self) -> str:
        head = "".join(f'<th scope="col" style="text-align:left">{html.escape(str(c))}</th>' for c in self.columns)
        body = "".join(
            "<tr>" + "".join(f'<td style="text-align:left">{html.escape(_text(c))}</td>' for c in row) + "</tr>"
            for row in self.rows
        )
        note = f"<p><small>{html.escape(self.note)}</small></p>" if self.note else ""
        caption = f'<caption style="text-align:left;font-weight:bold">{html.escape(self.title)}</caption>'
        return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{note}"


class Report:
    """Mix-in for result dataclasses: implement `table()`, get text, HTML and JSON."""

    def table(self) -> Table:
        raise NotImplementedError

    def to_json(self, indent: int | None = None) -> str:
        """Every field of the dataclass as JSON; NaN and infinities become null."""
        return json.dumps(_plain(self), indent=indent, ensure_ascii=False, allow_nan=False)

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()

    def __str__(self) -> str:
        return str(self.table())


def _text(cell: Any) -> str:
    if cell is None:
        return MISSING
    return f"{cell:.4g}" if isinstance(cell, float) else str(cell)


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(v) for v in value]
    if isinstance(value, bool) or value is None or isinstance(value, str | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Enum):
        return _plain(value.value)
    if isinstance(value, PurePath):
        return str(value)
    return str(value)
