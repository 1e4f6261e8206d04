"""One HTML page that opens offline, runs nothing and reaches nowhere."""

from __future__ import annotations

import html

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
_STYLE = (
    ":root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:52rem;margin:2rem auto}"
    "table{border-collapse:collapse}td,th{padding:.25em .8em;text-align:left;border-bottom:1px solid #8884}"
    "img{max-width:100%;background:white}.warning{border:2px solid #d32f2f;padding:.5em 1em;font-weight:bold}"
)


def page(title: str, *parts: str) -> str:
    """`title` is plain text; `parts` are HTML already."""
    head = (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f'<meta http-equiv="Content-Security-Policy" content="{html.escape(_POLICY)}">'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head>'
    )
    body = "\n".join([f"<h1>{html.escape(title)}</h1>", *parts])
    return f"{head}\n<body>\n{body}\n</body></html>\n"


def paragraph(text: str, kind: str = "") -> str:
    attribute = f' class="{kind}"' if kind else ""
    return f"<p{attribute}>{html.escape(text)}</p>"


def table(rows: list[list[str]]) -> str:
    """Plain cells; the first row is the head."""
    head = "".join(f'<th scope="col">{html.escape(cell)}</th>' for cell in rows[0])
    body = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows[1:])
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
