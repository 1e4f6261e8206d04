"""One card, in plain text and in static HTML that needs no kernel, no script and no style sheet.

The HTML reads well in JupyterLab's two themes (its colours are JupyterLab's own, with fallbacks), on a web page that
strips styles, and to a screen reader: the status is a word and a symbol, the colour only repeats it. A card holds
nothing that changes from run to run, so nbval can compare it.
"""

from __future__ import annotations

import dataclasses
import html
import re
import textwrap
from enum import Enum

_CODE = re.compile(r"`([^`\n]+)`")


class Status(Enum):
    """Symbol, word, and the colour of the left edge."""

    PASSED = ("✓", "Passed", "var(--jp-success-color1, #388e3c)")
    FAILED = ("✗", "Not yet", "var(--jp-error-color1, #d32f2f)")
    OPEN = ("○", "Not started", "var(--jp-border-color1, #9e9e9e)")
    LOCKED = ("■", "Locked", "var(--jp-brand-color1, #1976d2)")
    NOTE = ("›", "", "var(--jp-border-color1, #9e9e9e)")


@dataclasses.dataclass(frozen=True)
class Card:
    """`facts` are label and value; `folds` are summary and text, of which the last is open.

    Text may hold `code` between backticks. `code` is a block of source, shown as it is.
    """

    status: Status
    title: str
    subtitle: str = ""
    paragraphs: tuple[str, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    folds: tuple[tuple[str, str], ...] = ()
    code: str = ""

    def text(self) -> str:
        """
        >>> print(Card(Status.PASSED, "softmax", facts=(("cases", "12"),)).text())
        ✓ Passed: softmax
          cases: 12
        """
        symbol, word, _ = self.status.value
        head = f"{symbol} {word}: {self.title}" if word else f"{symbol} {self.title}"
        lines = [head + (f" ({self.subtitle})" if self.subtitle else "")]
        lines += [_indent(paragraph) for paragraph in self.paragraphs]
        lines += [_indent(_text_fact(label, value)) for label, value in self.facts]
        lines += [_indent(f"[{summary}]\n{body}") for summary, body in self.folds]
        return "\n".join([*lines, _indent(self.code)] if self.code else lines)

    def html(self) -> str:
        symbol, word, colour = self.status.value
        head = f"<strong>{symbol}{f' {word}:' if word else ''} {_inline(self.title)}</strong>"
        if self.subtitle:
            head += f" <small>· {_inline(self.subtitle)}</small>"
        parts = [f'<p style="margin:0.2em 0">{head}</p>']
        parts += [f'<p style="margin:0.2em 0">{_inline(paragraph)}</p>' for paragraph in self.paragraphs]
        parts += [_facts(self.facts)] if self.facts else []
        parts += [_fold(*fold, is_open=fold is self.folds[-1]) for fold in self.folds]
        parts += [_pre(self.code)] if self.code else []
        style = f"border-left:4px solid {colour};padding:0.3em 0.9em;margin:0.4em 0;line-height:1.45"
        return f'<div class="labkit-card" style="{style}">{"".join(parts)}</div>'

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/plain": self.text(), "text/html": self.html()}


def _text_fact(label: str, value: str) -> str:
    return f"{label}:\n{_indent(value)}" if "\n" in value else f"{label}: {value}"


def _facts(facts: tuple[tuple[str, str], ...]) -> str:
    rows = "".join(
        f'<tr style="background:transparent"><th scope="row" style="text-align:left;vertical-align:top">'
        f'{_inline(label)}</th><td style="text-align:left;white-space:pre-wrap">{_inline(value)}</td></tr>'
        for label, value in facts
    )
    return f'<table style="margin:0.3em 0">{rows}</table>'


def _fold(summary: str, body: str, is_open: bool) -> str:
    """Opened and closed by a click, or by Enter on the keyboard."""
    opened = f'<div style="white-space:pre-wrap;margin:0.2em 1.2em">{_inline(body)}</div>'
    handle = f'<summary style="cursor:pointer">{_inline(summary)}</summary>'
    return f"<details{' open' if is_open else ''}>{handle}{opened}</details>"


def _pre(code: str) -> str:
    return f'<pre style="padding:0.5em;overflow:auto"><code>{html.escape(code)}</code></pre>'


def _inline(text: str) -> str:
    return _CODE.sub(r"<code>\1</code>", html.escape(text))


def _indent(text: str) -> str:
    return textwrap.indent(text, "  ")
