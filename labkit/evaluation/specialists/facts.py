"""A table of facts, and the rules by which a question finds its row.

The rules were written from the training phrasings of `labkit.world` alone, as the model learned from them alone.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping

from labkit.evaluation.specialists.specialist import Specialist, data_bytes, source_bytes
from labkit.world.fact import Fact

RULES = (
    ("founded", r"found|establish|charter|\bdate\b|existed"),
    ("mayor", r"mayor|govern|\blead|\bled\b"),
    ("height", r"\bhigh\b|\btall\b|height|\brise|measure"),
    ("completed", r"complet|finish|\bwork on\b|opened"),
    ("keeper", r"keeper|\bkeeps\b|tend|looks after|\bkept\b|\bcare\b|charge|\bkeys\b"),
    ("material", r"material|made of|built of|builders|walls"),
    ("located_in", r"where|town|stand|belong"),
    ("made_in", r"\bwhen\b|\byear\b"),
    ("kept_at", r"where|\bkept\b|house|place|building|\bholds\b"),
    ("made_by", r"who|\bmade\b|\bmaker\b|\bwork\b"),
    ("supplier", r"suppl|\bbuy\b|deliver"),
    ("director", r"direct|\bruns?\b|\bheads\b|in charge"),
    ("based_in", r"where|\bbased\b|\bseat\b|offices|\btown\b"),
    ("product", r"product|produce|\bmake\b|\bsell\b|earn"),
    ("profession", r"trade|profession|\bliving\b|\bwork\b|^what is\b.*\bby\b"),
    ("born_year", r"\bwhen\b|\byear\b"),
    ("lives_in", r"\blives?\b|reside|\bhome\b|\bhouse\b"),
    ("born_in", r"\bborn\b|birth|hail|\bcome|native"),
)
"""Relation and the words that ask for it; of those the subject has, the first that is found counts."""
LONGEST_NAME = 5
"""Words."""


def fact_table(facts: Iterable[Fact]) -> Specialist:
    """Answers questions about the subjects of `facts`, called by name, from those facts alone."""
    table: dict[str, dict[str, str]] = {}
    for fact in facts:
        table.setdefault(fact.subject.bare_name, {})[fact.relation] = fact.answer
    return Specialist(
        name="table of facts",
        answer=lambda question: _look_up(table, question),
        rules=len(RULES),
        entries=sum(map(len, table.values())),
        written_bytes=data_bytes(table) + source_bytes(sys.modules[__name__]),
    )


def _look_up(table: Mapping[str, Mapping[str, str]], question: str) -> str | None:
    name = _name_in(table, question)
    if name is None:
        return None
    words = " ".join(question.replace(name, " ").rstrip("?. ").lower().split())
    return next((table[name][r] for r, asks in RULES if r in table[name] and re.search(asks, words)), None)


def _name_in(table: Mapping[str, Mapping[str, str]], question: str) -> str | None:
    """The longest name that stands in the question, its words in a row."""
    words = re.findall(r"[\w'.-]+", question)
    for length in range(LONGEST_NAME, 0, -1):
        for start in range(len(words) - length + 1):
            name = " ".join(words[start : start + length]).rstrip(".")
            for known in (name, name.removesuffix("'s"), name.removesuffix("'")):
                if known in table:
                    return known
    return None
