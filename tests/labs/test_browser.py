"""A learner's first minutes in a real browser: the lab runs, a hint opens, an exercise is solved, the card turns.

Screenshots of both themes are kept in `bench/screens`, to be looked at by a person.
"""

import dataclasses
import re
from pathlib import Path

import pytest

SCREENS = Path(__file__).parents[2] / "bench" / "screens"
THEMES = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}


@dataclasses.dataclass(frozen=True)
class Walk:
    """What a learner does in one lab: the notebook, its first exercise solved and got wrong, and what they are told."""

    notebook: str
    exercise: str
    solution: str
    mistake: tuple[str, str]
    diagnosis: str
    hint: str
    figures: int
    live: str = ""
    """A widget that must be there once all has run."""

    @property
    def mistaken(self) -> str:
        return self.solution.replace(*self.mistake)


WALKS = (
    Walk(
        notebook="00_your_machine.ipynb",
        exercise="matmul_cost",
        solution="""@lab.check
def matmul_cost(m, k, n, bytes_per_element):
    return 2 * m * k * n, bytes_per_element * (m * k + k * n + m * n)
""",
        mistake=("2 * m", "m"),
        diagnosis="one operation for each weight",
        hint="depend on all three sizes",
        figures=3,
    ),
    Walk(
        notebook="01_one_architecture.ipynb",
        exercise="parameters",
        solution="""@lab.check
def parameters(config):
    hidden, head = config["hidden_size"], config["head_dim"]
    heads = config["num_attention_heads"] + config["num_key_value_heads"]
    layer = 2 * hidden * heads * head + 3 * hidden * config["intermediate_size"]
    tables = 1 if config["tie_word_embeddings"] else 2
    return config["num_hidden_layers"] * layer + tables * config["vocab_size"] * hidden
""",
        mistake=("+ 3 * hidden", "+ 2 * hidden"),
        diagnosis="two matrices in the MLP",
        hint="one after the other",
        figures=2,
    ),
    Walk(
        notebook="02_why_decoding_is_slow.ipynb",
        exercise="tokens_processed",
        solution="""@lab.check
def tokens_processed(prompt, new):
    return new * prompt + new * (new - 1) // 2, prompt + new - 1
""",
        mistake=("prompt + new - 1", "prompt + new"),
        diagnosis="you fed the last token too",
        hint="pass after pass",
        figures=2,
    ),
    Walk(
        notebook="03_retrieval.ipynb",
        exercise="bm25_score",
        solution="""@lab.check
def bm25_score(counts, holding, length, mean_length, documents, k1, b):
    longer = 1 - b + b * length / mean_length
    rare = [math.log(1 + (documents - h + 0.5) / (h + 0.5)) for h in holding]
    return sum(r * c / (c + k1 * longer) for r, c in zip(rare, counts))
""",
        mistake=("1 - b + b * length / mean_length", "1"),
        diagnosis="you left out the length",
        hint="how rare it is",
        figures=2,
    ),
    Walk(
        notebook="04_mixture_of_experts.ipynb",
        exercise="route",
        solution="""@lab.check
def route(logits, chosen):
    best, indices = logits.topk(chosen, dim=-1)
    return indices, best.softmax(dim=-1)
""",
        mistake=("best.softmax(dim=-1)", "logits.softmax(dim=-1).gather(1, indices)"),
        diagnosis="shares of all experts",
        hint="let them sum to 1 again",
        figures=4,
    ),
    Walk(
        notebook="05_sparsity.ipynb",
        exercise="crossover_density",
        solution="""@lab.check
def crossover_density(rows, columns, value_bytes, index_bytes):
    dense = rows * columns * value_bytes
    starts = (rows + 1) * index_bytes
    return max((dense - starts) / (value_bytes + index_bytes) / (rows * columns), 0.0)
""",
        mistake=("(rows + 1)", "rows"),
        diagnosis="as many starts as rows",
        hint="bytes of both formats",
        figures=3,
    ),
    Walk(
        notebook="06_quantization.ipynb",
        exercise="pack_codes",
        solution="""@lab.check
def pack_codes(codes, bits):
    row = sum(code << (n * bits) for n, code in enumerate(codes))
    return list(row.to_bytes(-(-len(codes) * bits // 8), "little"))
""",
        mistake=('"little"', '"big"'),
        diagnosis="you turned the order of the bytes",
        hint="one long row of bits",
        figures=2,
    ),
    Walk(
        notebook="09_throughput.ipynb",
        exercise="static_batches",
        solution="""@lab.check
def static_batches(lengths, batch_size):
    batches = [lengths[n:n + batch_size] for n in range(0, len(lengths), batch_size)]
    return sum(map(max, batches)), sum(max(b) * len(b) - sum(b) for b in batches)
""",
        mistake=("len(b)", "batch_size"),
        diagnosis="seats that nobody ever took",
        hint="How long does one batch last",
        figures=4,
        live=".labkit-dashboard polyline",
    ),
)
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


class Notebook:
    """The open notebook, by what a learner does to it."""

    def __init__(self, page, address):
        self.page = page
        page.goto(address, timeout=90_000)
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
def opened(browser, jupyterlab):
    """Opens a notebook in a theme; afterwards nothing may have been asked of another machine."""
    outside, pages = [], []

    def run(walk, theme):
        page = browser.new_page(viewport={"width": 1280, "height": 1500})
        pages.append(page)
        page.on(
            "request", lambda r: outside.append(r.url) if "127.0.0.1" not in r.url and "http" in r.url[:5] else None
        )
        return Notebook(page, jupyterlab(THEMES[theme]).format(walk.notebook))

    yield run
    for page in pages:
        assert page.locator("text=/notified about official/").count() == 0
        page.close()
    assert outside == []


by_notebook = pytest.mark.parametrize("walk", WALKS, ids=lambda walk: walk.notebook[:2])


@by_notebook
@pytest.mark.parametrize("theme", THEMES)
def test_a_learner_fails_takes_a_hint_and_passes(opened, walk, theme):
    open_lab, name = opened(walk, theme), walk.notebook[:2]
    open_lab.run(open_lab.cell("import labkit as lk"))
    exercise = open_lab.cell(f"def {walk.exercise}")
    open_lab.run(exercise)
    exercise.locator("text=/not started/i").wait_for(timeout=90_000)

    open_lab.write(exercise, walk.mistaken)
    open_lab.run(exercise)
    exercise.locator(f"text=/{walk.diagnosis}/").wait_for(timeout=30_000)
    exercise.get_by_role("button", name=re.compile("Hint 1")).press("Enter")  # by keyboard
    exercise.locator(f"text=/{walk.hint}/").wait_for(timeout=30_000)
    open_lab.shoot(f"{name}-{theme}-mistake", exercise)

    open_lab.write(exercise, walk.solution)
    open_lab.run(exercise)
    exercise.locator("text=/Passed/").wait_for(timeout=30_000)
    assert exercise.locator(f"text=/{walk.diagnosis}/").count() == 0
    open_lab.shoot(f"{name}-{theme}-passed", exercise)


@by_notebook
def test_run_all_reaches_the_end_of_an_unsolved_lab(opened, walk):
    open_lab = opened(walk, "light")
    open_lab.run_all()
    images = open_lab.page.locator(".jp-OutputArea img")
    for n, image in enumerate(images.all()):
        image.scroll_into_view_if_needed()
        open_lab.shoot(f"{walk.notebook[:2]}-light-figure-{n}")
    assert images.count() >= walk.figures
    if walk.live:
        live = open_lab.page.locator(walk.live).first
        assert live.count() == 1
        open_lab.shoot(f"{walk.notebook[:2]}-light-live", live)
    assert open_lab.page.locator("text=/Error displaying widget/").count() == 0
