"""Finds, hashes and opens what the course ships: corpora, questions, tokenizer, weights, reference results.

    shipped("world/questions.jsonl")      a file of data/, its hash checked; a folder with every file in it checked
    root("data"), root("notebooks")       the folder itself, in a source checkout or in an installed wheel
    cards(), card(name), write_card(...)  source, licence, size, hash and remaking of each file
    verify()                              a sentence for each file that is missing, damaged or has no card
    standard_library()                    real text: the modules of the running Python, read and never shipped

Not a reader of formats: it hands out paths, the rooms above know what stands in the files.
"""

from labkit.data.card import Card, card, cards, write_card
from labkit.data.place import ShippedFileError, root
from labkit.data.shipped import shipped, verify
from labkit.data.stdlib import StandardLibrary, standard_library

__all__ = [
    "Card",
    "ShippedFileError",
    "StandardLibrary",
    "card",
    "cards",
    "root",
    "shipped",
    "standard_library",
    "verify",
    "write_card",
]
