"""`labkit ship NAME`: every figure of a trained model measured and printed, then its files and cards in data/models.

What judges a model lives in the room whose subject it is, so this stands above them all.
"""

from __future__ import annotations

from pathlib import Path

from labkit.measure.report import Report


def run(name: str, out: Path) -> int:
    """Raises `ValueError` for a name without a recipe and for a training that is not there."""
    figures, folder = _encoder(out) if name == "course-embed" else _decoder(name, out)
    for figure in figures:
        print(figure)
    print(f"Shipped: {folder}")
    return 0


def _encoder(out: Path) -> tuple[list[Report], Path]:
    from labkit.rag.shipping import ship_course_embed

    trial, folder = ship_course_embed(out)
    return [trial], folder


def _decoder(name: str, out: Path) -> tuple[list[Report], Path]:
    from labkit.training.recipes import RECIPES
    from labkit.training.run import trained
    from labkit.training.shipping import acceptance_by_dense, judge, ship

    training = trained(name, out)
    figures: list[Report] = [judge(training)]
    if name == "course-draft":
        figures.append(acceptance_by_dense(training))
    if name == "course-moe":
        from labkit.moe.trial import against_dense, course_specialisation

        figures += [against_dense(training), course_specialisation(training)]
    return figures, ship(training, RECIPES[name].summary, figures)
