"""A learner's first minutes in a real browser: the lab runs, a hint opens, an exercise is solved, the card turns.

Screenshots of both themes are kept in `bench/screens`, to be looked at by a person.
"""

import re
from pathlib import Path

import pytest

SCREENS = Path(__file__).parents[2] / "bench" / "screens"
THEMES = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}
LAB = "00_your_machine.ipynb"
SOLUTION = """@lab.check
def matmul_cost(m, k, n, bytes_per_element):
    return 2 * m * k * n, bytes_per_element * (m * k + k * n + m * n)
"""
MISTAKE = SOLUTION.replace("2 * m", "m")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


class Notebook:
    """The open notebook, by what a learner does to it."""

    def __init__(self, page, address):
        self.page = page
        page.goto(address.format(LAB))
        page.wait_for_selector(".jp-Notebook .jp-CodeCell", timeout=60_000)
        page.wait_for_selector("text=Python 3 (ipykernel) | Idle", timeout=90_000)

    def cell(self, text):
        return self.page.locator(".jp-Notebook .jp-CodeCell", has=self.page.locator(".cm-content", has_text=text)).first

    def write(self, cell, source):
        cell.locator(".cm-content").click()
        self.page.keyboard.press("Control+a")
        self.page.keyboard.insert_text(source)

    def run(self, cell):
        cell.locator(".cm-content").click()
        self.page.keyboard.press("Control+Enter")

    def run_all(self):
        self.page.click("text=Run >> visible=true")
        self.page.click("text=Run All Cells")
        self.page.wait_for_function(
            "() => ![...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')].some(p => /\\*/.test(p.textContent))"
            " && [...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')].every(p => /\\d/.test(p.textContent))",
            timeout=400_000,
        )

    def shoot(self, name, cell=None):
        SCREENS.mkdir(parents=True, exist_ok=True)
        if cell is not None:
            cell.scroll_into_view_if_needed()
        self.page.screenshot(path=SCREENS / f"{name}.png")


@pytest.fixture
def notebook(browser, jupyterlab, request):
    theme = request.param
    outside = []
    page = browser.new_page(viewport={"width": 1280, "height": 1500})
    page.on(
        "request", lambda r: outside.append(r.url) if "127.0.0.1" not in r.url and r.url.startswith("http") else None
    )
    yield theme, Notebook(page, jupyterlab(THEMES[theme]))
    assert page.locator("text=/notified about official/").count() == 0
    page.close()
    assert outside == []


@pytest.mark.parametrize("notebook", THEMES, indirect=True)
def test_a_learner_fails_takes_a_hint_and_passes(notebook):
    theme, open_lab = notebook
    open_lab.run(open_lab.cell("import labkit as lk"))
    exercise = open_lab.cell("def matmul_cost")
    open_lab.run(exercise)
    exercise.locator("text=/not started/i").wait_for(timeout=90_000)

    open_lab.write(exercise, MISTAKE)
    open_lab.run(exercise)
    exercise.locator("text=/one operation for each weight/").wait_for(timeout=30_000)
    exercise.get_by_role("button", name=re.compile("Hint 1")).press("Enter")  # by keyboard
    exercise.locator("text=/depend on all three sizes/").wait_for(timeout=30_000)
    open_lab.shoot(f"{theme}-mistake", exercise)

    open_lab.write(exercise, SOLUTION)
    open_lab.run(exercise)
    exercise.locator("text=/Passed/").wait_for(timeout=30_000)
    assert exercise.locator("text=/one operation for each weight/").count() == 0
    open_lab.shoot(f"{theme}-passed", exercise)


@pytest.mark.parametrize("notebook", ["light"], indirect=True)
def test_run_all_reaches_the_end_of_an_unsolved_lab(notebook):
    theme, open_lab = notebook
    open_lab.run_all()
    for n, image in enumerate(open_lab.page.locator(".jp-OutputArea img").all()):
        image.scroll_into_view_if_needed()
        open_lab.shoot(f"{theme}-figure-{n}")
    assert open_lab.page.locator(".jp-OutputArea img").count() >= 3
    assert open_lab.page.locator("text=/Error displaying widget/").count() == 0
