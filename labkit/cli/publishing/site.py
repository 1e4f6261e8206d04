"""`labkit site`: the labs as pages to read in a browser before anything is installed, with an index and the decks.

The pages come from nbconvert; the index is ours, made from the notebooks themselves.
"""

from __future__ import annotations

import argparse
import dataclasses
import html
import re
from pathlib import Path

INDEX = Path(__file__).with_name("templates") / "index.html"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument("--out", type=Path, default=Path("build/site"), help="folder for the pages")


def run(options: argparse.Namespace) -> int:
    """Build the site, and say where it begins."""
    print(build(options.out))
    return 0


@dataclasses.dataclass(frozen=True)
class Entry:
    """A lab in the index; the minutes are the sum of what its table of paths says."""

    file: str
    title: str
    opening: str
    minutes: int


def build(out: Path) -> Path:
    """All labs and decks as pages in `out`; returns the page to begin with."""
    from labkit.cli.publishing import slides
    from labkit.cli.publishing.vendoring import vendor
    from labkit.course.catalogue import notebooks_dir

    labs = sorted(notebooks_dir().glob("[0-9][0-9]_*.ipynb"))
    vendor(out / "vendor")
    for lab in labs:
        _page(lab, out / "labs")
    decks = [slides.build(deck, out / "slides", "../vendor") for deck in slides.decks()]
    index = out / "index.html"
    index.write_text(_index([entry(lab) for lab in labs], {deck.stem for deck in decks}), encoding="utf-8")
    return index


def entry(lab: Path) -> Entry:
    """What the index says of a lab, read from its first cell."""
    from labkit.course.notebook import read_notebook

    first = read_notebook(lab)["cells"][0]["source"]
    title, _, rest = first.partition("\n")
    opening = re.split(r"\n\s*\n", rest.strip())[0]
    minutes = sum(int(m) for m in re.findall(r"about (\d+) minutes", first))
    return Entry(lab.stem, title.lstrip("# "), " ".join(opening.replace("*", "").split()), minutes)


def _page(lab: Path, folder: Path) -> None:
    from nbconvert import HTMLExporter

    from labkit.cli.publishing.slides import without_progress_bars
    from labkit.cli.publishing.vendoring import urls

    folder.mkdir(parents=True, exist_ok=True)
    exporter = HTMLExporter(template_name="lab", **urls("../vendor"))
    body, _ = exporter.from_notebook_node(without_progress_bars(lab))
    back = '<p style="margin: 1em 3em"><a href="../index.html">All labs</a></p>'
    (folder / f"{lab.stem}.html").write_text(body.replace("<main>", f"{back}<main>", 1), encoding="utf-8")


def _index(entries: list[Entry], decks: set[str]) -> str:
    rows = "\n".join(_row(each, each.file in decks) for each in entries)
    return INDEX.read_text(encoding="utf-8").replace("<!-- labs -->", rows)


def _row(lab: Entry, has_deck: bool) -> str:
    deck = f' · <a href="slides/{lab.file}.html">slides</a>' if has_deck else ""
    return (
        f'<li><h2><a href="labs/{lab.file}.html">{html.escape(lab.title)}</a></h2>\n'
        f"<p>{html.escape(lab.opening)}</p>\n<p><small>about {lab.minutes} minutes{deck}</small></p></li>"
    )
