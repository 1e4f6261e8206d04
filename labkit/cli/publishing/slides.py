"""`labkit slides`: every deck as a page that opens offline, and as PDF."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

TEMPLATES = Path(__file__).with_name("templates")
VENDOR = "vendor"
WIDGET = "application/vnd.jupyter.widget-view+json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument("decks", nargs="*", metavar="NN", help="lab numbers; every deck when none is given")
    parser.add_argument("--out", type=Path, default=Path("build/slides"), help="folder for the pages")
    parser.add_argument("--no-pdf", action="store_true", help="pages only; needs no browser")
    parser.add_argument("--pictures", type=Path, metavar="FOLDER", help="a picture of each slide as well, to look at")


def run(options: argparse.Namespace) -> int:
    """Build, and say what lies where; 1 when something sticks out of a slide."""
    pages = [build(deck, options.out, VENDOR) for deck in decks(options.decks)]
    _vendor(options.out / VENDOR)
    print("\n".join(map(str, pages)))
    complaints = [] if options.no_pdf and not options.pictures else _in_browser(pages, options)
    print("\n".join(complaints), end="\n" if complaints else "")
    return 1 if complaints else 0


def decks(numbers: list[str] | None = None) -> list[Path]:
    """The decks of these labs, or all. Raises `ValueError` for a lab that has none."""
    from labkit.data.place import root

    known = {path.name[:2]: path for path in sorted(root("slides").glob("[0-9][0-9]_*.ipynb"))}
    if missing := [number for number in numbers or () if number not in known]:
        raise ValueError(f"There is no deck for lab {missing[0]}; there are {', '.join(known)}.")
    return [known[number] for number in numbers or known]


def build(deck: Path, out: Path, vendor: str) -> Path:
    """One deck as a page in `out`, which finds its scripts in the folder `vendor` beside it; returns the page."""
    from nbconvert import SlidesExporter
    from traitlets.config import Config

    from labkit.cli.publishing.vendoring import urls

    config = Config()
    config.TagRemovePreprocessor.enabled = True
    config.TagRemovePreprocessor.remove_input_tags = {"remove_input"}
    links = urls(vendor)
    exporter = SlidesExporter(
        config=config,
        extra_template_basedirs=[str(TEMPLATES)],
        template_name="deck",
        reveal_url_prefix=f"{vendor}/reveal.js",
        reveal_theme="white",
        reveal_transition="none",
        reveal_number="c/t",
        reveal_width="1280",
        reveal_height="720",
        exclude_input_prompt=True,
        exclude_output_prompt=True,
        **{name: links[name] for name in ("mathjax_url", "require_js_url", "jquery_url", "widget_renderer_url")},
    )
    out.mkdir(parents=True, exist_ok=True)
    page = out / f"{deck.stem}.html"
    page.write_text(exporter.from_notebook_node(without_progress_bars(deck))[0], encoding="utf-8")
    return page


def without_progress_bars(path: Path) -> Any:
    """The notebook, without the bars that a measurement showed while it ran: widgets of which no state was kept."""
    import nbformat

    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code" and "widgets" not in notebook.metadata:
            cell.outputs = [o for o in cell.outputs if WIDGET not in o.get("data", {})]
    heading = next(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    notebook.metadata.title = heading.partition("\n")[0].lstrip("# ")
    return notebook


def _vendor(folder: Path) -> None:
    from labkit.cli.publishing.vendoring import vendor

    vendor(folder)


def _in_browser(pages: list[Path], options: argparse.Namespace) -> list[str]:
    from labkit.cli.publishing.chromium import browser, photograph, print_pdf

    complaints: list[str] = []
    with browser() as chromium:
        for page in pages:
            if not options.no_pdf:
                asked = print_pdf(chromium, page, page.with_suffix(".pdf"))
                complaints += [f"{page.name} asked for {address}" for address in asked]
            if options.pictures:
                complaints += photograph(chromium, page, options.pictures)
    return complaints
