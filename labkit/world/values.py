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
YEARS = {"founded": (121, 200), "completed": (203, 414), "made_in": (361, 415), "born_year": (341, 394)}
NEW_YEARS = {"founded": (431, 431), "completed": (431, 431), "born_year": (395, 409)}
"""Years of what arrives after the cutoff."""
GROWN_UP = 19
"""Nobody makes an instrument at a younger age."""


def draw_value(relation: str, object_kind: str, rng: random.Random, new: bool = False, earliest: int = 0) -> str:
    """A value as the texts write it; a year is not before `earliest`."""
    if object_kind == "year":
        first, last = (NEW_YEARS if new else YEARS)[relation]
        return str(rng.randint(max(first, earliest), last))
    if object_kind == "metres":
        return f"{rng.randint(9, 94)} metres"
    return rng.choice(VOCABULARIES[object_kind])
