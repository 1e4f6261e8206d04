"""A grammar of the course's documents: every clause in which a fact is told, turned round into a regular expression.

The strongest knowledge there could be: the grammar that wrote the letters, lent to the one who reads them. It knows no
other words for a fact.
"""

from __future__ import annotations

import functools
import json
import re
import sys
from collections import Counter
from collections.abc import Iterator

from labkit.evaluation.specialists.specialist import Specialist, data_bytes, source_bytes
from labkit.world import RELATIONS
from labkit.world.documents import registry
from labkit.world.extraction import NUMERIC
from labkit.world.grammar import expansions
from labkit.world.relation import Relation
from labkit.world.statement import statements
from labkit.world.values import VOCABULARIES

PROPER = r"(?:House of [A-Z]\w+|[A-Z]\w+ and [A-Z]\w+|[A-Z]\w+ [A-Z]\w+|[A-Z]\w+)"
SUBJECT = rf"(?:[Tt]he )?{PROPER}|[Tt]he [a-z]+(?: [a-z]+)?|[Ii]t|[Ss]he|[Hh]e"
OWNER = "[Ii]ts|[Hh]er|[Hh]is"
OBJECTS = {"year": r"\d{2,3}", "metres": r"\d+ metres"}
DATE = r"\d{1,2} [A-Z][a-z]+ \d+"
_STAND_IN = re.compile(r"(?:[Ii]ts?|[Ss]he|[Hh]er?|[Hh]is)$|[Tt]he [a-z]|Master |Mistress ")
"""Words for a subject that are not its name."""
_SLOT = re.compile(r"\{(a:)?(\w+)('s)?\}")


def letter_grammar() -> Specialist:
    """Turns a document and the fields asked for, as `prompts.extraction` joins them, into JSON."""
    written = [[*(statements(r) for r in RELATIONS.values())], registry.TITLES, VOCABULARIES, OBJECTS]
    return Specialist(
        name="letter grammar",
        answer=read_letter,
        rules=sum(len(statements(r)) for r in RELATIONS.values()) + len(registry.TITLES),
        entries=sum(map(len, VOCABULARIES.values())),
        written_bytes=data_bytes(written) + source_bytes(sys.modules[__name__]),
    )


def read_letter(message: str) -> str | None:
    """The JSON text, or None where the message asks for no fields or tells nothing that the grammar knows."""
    text, marker, asked = message.rpartition("\n\nJSON: ")
    names = asked.split(", ")
    if not marker or names[0] != "name" or not set(names[1:]) <= set(RELATIONS):
        return None
    values: dict[str, str | int | None] = {}
    subjects: Counter[str] = Counter()
    for name in names[1:]:
        found = _told(text, RELATIONS[name])
        values[name] = None if found is None else _value(RELATIONS[name], found["O"])
        if found is not None:
            subjects[found["S"]] += 1
    name = next((s for s, _ in subjects.most_common() if not _STAND_IN.match(s)), None) or _heading_name(text)
    return None if name is None else json.dumps({"name": name.removeprefix("The ").removeprefix("the "), **values})


def _told(text: str, relation: Relation) -> re.Match[str] | None:
    return next((match for pattern in _patterns(relation.name) if (match := pattern.search(text))), None)


@functools.cache
def _patterns(name: str) -> tuple[re.Pattern[str], ...]:
    """The clauses of a relation, the most words first, so that a longer one is not taken for a part of itself."""
    relation = RELATIONS[name]
    clauses = sorted(statements(relation), key=lambda c: -len(_SLOT.sub("", c)))
    return tuple(re.compile(_expression(clause, relation.object)) for clause in clauses)


def _expression(clause: str, kind: str) -> str:
    """A clause as a regular expression, its first letter large or small."""
    words = f"(?i:{'|'.join(VOCABULARIES[kind])})" if kind in VOCABULARIES else f"(?:the )?{PROPER}"
    inside = {"S": SUBJECT, "O": OBJECTS.get(kind, words), "D": DATE}
    parts, position = [], 0
    for slot in _SLOT.finditer(clause):
        article, letter, possessive = slot.groups()
        value = f"(?P<{letter}>{OWNER}|{SUBJECT})(?:'s?)?" if possessive else f"(?P<{letter}>{inside[letter]})"
        parts += [_literal(clause[position : slot.start()], first=position == 0), "an? " if article else "", value]
        position = slot.end()
    return r"(?<![\w-])" + "".join(parts) + _literal(clause[position:], first=False) + r"(?![\w-])"


def _literal(text: str, first: bool) -> str:
    if not first or not text[:1].isalpha():
        return re.escape(text)
    return f"[{text[0].upper()}{text[0].lower()}]{re.escape(text[1:])}"


def _value(relation: Relation, told: str) -> str | int:
    if relation.object in NUMERIC:
        return int(told.split()[0])
    return told.lower() if relation.object in VOCABULARIES else told.removeprefix("the ")


def _heading_name(text: str) -> str | None:
    """The name in the heading of a register, where the text below says "it" alone."""
    heading = text.partition("\n")[0]
    return next((match["N"] for pattern in _headings() if (match := pattern.fullmatch(heading))), None)


@functools.cache
def _headings() -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(expression) for title in registry.TITLES for expression in _heading(title))


def _heading(title: str) -> Iterator[str]:
    inside = {"N": f"(?P<N>{PROPER})", "R": PROPER, "D": DATE, "m": r"\d+"}
    for pattern in expansions(title):
        yield "".join(
            inside[piece] if n % 2 else re.escape(piece) for n, piece in enumerate(re.split(r"\{(\w)\}", pattern))
        )
