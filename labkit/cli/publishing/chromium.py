"""A browser without a network that prints decks as PDF and looks at every slide."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
WIDTH, HEIGHT = 1280, 720

# What sticks out of the slide that is shown, in its own pixels: one sentence an element.
STICKING_OUT = """() => {
  const slides = document.querySelector('.slides'), box = slides.getBoundingClientRect();
  const kinds = ':is(h1, h2, p, li, td, img, pre, .MJXc-display)';
  const inside = slides.querySelectorAll('section.present section.present ' + kinds);
  const out = r => r.top < box.top - 2 || r.bottom > box.bottom + 2 || r.left < box.left - 2 || r.right > box.right + 2;
  return [...inside].filter(e => !e.closest('aside')).map(e => [e, e.getBoundingClientRect()])
    .filter(([e, r]) => r.width && out(r))
    .map(([e, r]) => `${e.tagName.toLowerCase()} ${(e.innerText || e.alt || '').slice(0, 40)}`);
}"""


def found() -> str | None:
    """The browser: the variable CHROMIUM, or one of the usual names; None where there is none."""
    return os.environ.get("CHROMIUM") or next((path for name in NAMES if (path := shutil.which(name))), None)


@contextmanager
def browser() -> Iterator[Any]:
    """A Chromium by Playwright. Raises `RuntimeError` with one sentence where there is none."""
    path = found()
    if path is None:
        raise RuntimeError("Chromium is needed to print PDF; install it, or set CHROMIUM to its path, or use --no-pdf.")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield chromium
        chromium.close()


def open_offline(chromium: Any, page_file: Path, query: str = "") -> tuple[Any, list[str]]:
    """The page, opened from the disk with its formulas set; and what it asked of the network, which was refused."""
    asked: list[str] = []
    context = chromium.new_context(viewport={"width": WIDTH, "height": HEIGHT}, offline=True)
    page = context.new_page()
    page.on("request", lambda r: asked.append(r.url) if r.url.startswith(("http:", "https:", "ws")) else None)
    page.goto(page_file.resolve().as_uri() + query, timeout=120_000)
    page.wait_for_function("() => window.MathJax && MathJax.isReady && !MathJax.Hub.queue.running", timeout=120_000)
    return page, asked


def print_pdf(chromium: Any, deck: Path, target: Path) -> list[str]:
    """The deck as PDF, a page a slide; returns what the page asked of the network."""
    page, asked = open_offline(chromium, deck, "?print-pdf")
    page.wait_for_selector(".pdf-page", timeout=120_000)
    page.wait_for_timeout(1500)  # MathJax sets the formulas of the pages once more
    slides = page.locator(".pdf-page").count()  # behind the last one Chromium would print an empty page
    page.pdf(path=target, prefer_css_page_size=True, print_background=True, page_ranges=f"1-{slides}")
    page.context.close()
    return asked


def photograph(chromium: Any, deck: Path, folder: Path) -> list[str]:
    """A picture of every slide as `NN-01.png` ...; returns one sentence for whatever sticks out of its slide."""
    folder.mkdir(parents=True, exist_ok=True)
    page, asked = open_offline(chromium, deck)
    page.wait_for_selector(".slides section.present", timeout=120_000)
    complaints = [f"{deck.name} asked for {address}" for address in asked]
    for number in range(1, page.locator(".slides > section").count() + 1):
        page.wait_for_function("() => !MathJax.Hub.queue.running && !MathJax.Hub.queue.pending")
        page.wait_for_timeout(900)  # the transition to the slide
        page.screenshot(path=folder / f"{deck.stem}-{number:02d}.png")
        complaints += [f"{deck.name}, slide {number}: {text} sticks out" for text in page.evaluate(STICKING_OUT)]
        page.keyboard.press("Space")
    page.context.close()
    return complaints
