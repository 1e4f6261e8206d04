"""`labkit new-lab NN topic`: the skeleton of a lab that passes the course's own tests, to be replaced part by part."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from pathlib import Path

SKELETON = Path(__file__).with_name("skeleton")
SECTIONS = range(1, 6)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument("number", metavar="NN", help="two digits that no lab has yet")
    parser.add_argument("topic", help="a few words, such as: fewer_steps")
    parser.add_argument("--title", help="its title; made from the topic when not given")


def run(options: argparse.Namespace) -> int:
    """Write the files, and say what comes next."""
    from labkit.course.catalogue import checkout

    root = checkout()
    if root is None:
        raise RuntimeError("A lab is written in a checkout of the course, not in an installed wheel.")
    for path in write(root, options.number, options.topic, options.title):
        print(path.relative_to(root))
    print(
        f"Next: make refresh LAB={options.number}, then replace the placeholders one by one; CONTRIBUTING.md says how."
    )
    return 0


def write(root: Path, number: str, topic: str, title: str | None = None) -> list[Path]:
    """Write the notebook, its check module, its answers and mutants, and its deck below `root`; returns the paths.

    Raises `ValueError` for a number or topic that is none, `FileExistsError` when any of the files is there already.
    """
    from labkit.course.catalogue import lab_number

    if not re.fullmatch(r"[a-z][a-z0-9_]*", topic):
        raise ValueError(f"A topic is lower-case words joined by underscores, such as fewer_steps; got {topic!r}.")
    number = lab_number(number)
    words = {"NUMBER": number, "TITLE": title or topic.replace("_", " ").capitalize()}
    checks = root / "labkit" / "course" / "labs" / f"lab{number}"
    texts = {
        checks / "__init__.py": _filled("checks.txt", words),
        checks / "placeholder.py": _filled("placeholder.txt", words),
        root / "tests" / "course" / "answers" / f"lab{number}.py": _filled("answers.txt", words),
        root / "notebooks" / f"{number}_{topic}.ipynb": _notebook("notebook.md", "section.md", words),
        root / "slides" / f"{number}_{topic}.ipynb": _notebook("deck.md", "result.md", words),
    }
    taken = [path for path in texts if path.exists()]
    taken += [path for folder in ("notebooks", "slides") for path in (root / folder).glob(f"{number}_*.ipynb")]
    if taken:
        raise FileExistsError(f"There is a lab {number} already: {taken[0]}")
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return list(texts)


def _filled(name: str, words: dict[str, str]) -> str:
    text = (SKELETON / name).read_text(encoding="utf-8")
    for word, value in words.items():
        text = text.replace(f"@{word}@", value)
    return text


def _notebook(name: str, section: str, words: dict[str, str]) -> str:
    """A notebook from its text; `section` is repeated where the text says `%% sections`."""
    import nbformat
    from nbformat import v4

    steps = [{"SECTION": str(n), "FACTOR": str(n + 1), "EXAMPLE": str(7 * (n + 1))} for n in SECTIONS]
    repeated = "".join(_filled(section, words | step) for step in steps)
    text = _filled(name, words).replace("%% sections\n", repeated)
    kernel = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    notebook = v4.new_notebook(metadata={"kernelspec": kernel, "language_info": {"name": "python"}})
    for place, (kind, tags, source) in enumerate(_cells(text)):
        notebook.cells.append(_cell(kind, tags, source, f"{name.partition('.')[0]}{words['NUMBER']}-{place:02d}"))
    nbformat.validate(notebook)
    return nbformat.writes(notebook) + "\n"


def _cells(text: str) -> Iterator[tuple[str, list[str], str]]:
    """Kind, tags and source of each cell, from lines such as `%% code nbval-ignore-output`."""
    for block in re.split(r"^%% ", text, flags=re.MULTILINE)[1:]:
        head, _, source = block.partition("\n")
        kind, *tags = head.split()
        yield kind, tags, source.strip()


def _cell(kind: str, tags: list[str], source: str, name: str):
    """`markdown` and `code` are a lab's cells; `slide`, `notes`, `show` and `skip` are a deck's."""
    from nbformat import v4

    is_code = kind in ("code", "show", "skip")
    cell = v4.new_code_cell(source, id=name) if is_code else v4.new_markdown_cell(source, id=name)
    if kind in ("slide", "notes", "show", "skip"):
        cell.metadata["slideshow"] = {"slide_type": "-" if kind == "show" else kind}
        tags = ["remove_input"] if is_code else tags
    if tags:
        cell.metadata["tags"] = tags
    return cell
