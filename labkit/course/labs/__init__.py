"""The checks of each lab: `lab00.py` belongs to `notebooks/00_*.ipynb`, and so on.

A module holds `TITLE` (text), `EXERCISES` (a tuple of `Exercise`) and `PREDICTIONS` (a tuple of `Prediction`). It is
imported when its lab is first used.
"""
