"""Specialists: for each task of the course model the program that a person would write for it, as well as they can.

`facts` a table of facts with keyword rules, `arithmetic` a calculator that reads, `letters` a grammar of the course's
documents, `ngram` counts of Python tokens, `general` the model in the same dress. Each is a `Specialist`: text in, an
answer or None out, and what it is made of. None is weakened for the comparison: where a model loses, the lab shows it.
"""

from __future__ import annotations

from labkit.lazy import lazy_names

_MODULE_OF = {
    "Specialist": "labkit.evaluation.specialists.specialist",
    "calculator": "labkit.evaluation.specialists.arithmetic",
    "fact_table": "labkit.evaluation.specialists.facts",
    "general_model": "labkit.evaluation.specialists.general",
    "letter_grammar": "labkit.evaluation.specialists.letters",
    "python_counts": "labkit.evaluation.specialists.ngram",
}

__all__ = sorted(_MODULE_OF)
__getattr__, __dir__ = lazy_names(__name__, _MODULE_OF)
