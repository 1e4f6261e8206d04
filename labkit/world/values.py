"""Objects that are no entities: years, heights, materials, products and professions."""

from __future__ import annotations

import random

MATERIALS = (
    "granite", "red brick", "oak", "limestone", "slate", "sandstone", "basalt", "iron", "larch", "flint", "marble",
    "clay", "pine", "chalk", "grey stone", "copper sheet",
)  # fmt: skip
PRODUCTS = (
    "glass", "rope", "salt", "paper", "lamp oil", "candles", "sailcloth", "bricks", "ink", "copper wire", "barrels",
    "soap", "cheese", "honey", "leather", "tiles", "nails", "dye", "wool", "pottery", "cord", "lenses", "vinegar",
    "needles",
)  # fmt: skip
PROFESSIONS = (
    "clockmaker", "surveyor", "glazier", "cooper", "mapmaker", "midwife", "organist", "apothecary", "ferry pilot",
    "printer", "mason", "weaver", "baker", "beekeeper", "archivist", "engraver", "optician", "saddler", "shipwright",
    "teacher", "instrument maker", "bookbinder", "carpenter", "net mender",
)  # fmt: skip
VOCABULARIES = {"material": MATERIALS, "product": PRODUCTS, "profession": PROFESSIONS}
YEARS = {"founded": (121, 338), "completed": (203, 419), "made_in": (251, 424), "born_year": (351, 404)}
NEW_YEARS = {"founded": (431, 432), "completed": (431, 432), "made_in": (431, 432), "born_year": (395, 410)}
"""Years of what arrives after the cutoff."""


def draw_value(relation: str, object_kind: str, rng: random.Random, new: bool = False) -> str:
    """A value as the texts write it."""
    if object_kind == "year":
        return str(rng.randint(*(NEW_YEARS if new else YEARS)[relation]))
    if object_kind == "metres":
        return f"{rng.randint(9, 94)} metres"
    return rng.choice(VOCABULARIES[object_kind])
