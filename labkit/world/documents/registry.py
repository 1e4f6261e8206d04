"""Registry entries: one entity, its other names, and what the register records of it."""

from __future__ import annotations

from collections.abc import Sequence

from labkit.world.documents.scribe import Scribe
from labkit.world.entity import Entity
from labkit.world.fact import Fact
from labkit.world.grammar import Marked, join

TITLES = (
    "Register of {R}, [entry|leaf|folio|page] {m}: {N}",
    "{N} ([entry|leaf|no.|page] {m} of the [{R} register|shire rolls|county rolls])",
    "[Entry|Leaf|Folio|Page] {m}: {N}[|, as entered|, copied fair|, as amended]",
    "{N}, from the [register|rolls|great book] of {R}[|, leaf {m}]",
    "[The county register|The shire rolls|The great book] on {N}[|, entry {m}|, page {m}]",
    "{N}: [extract|copy|summary] from the [register|rolls|county book][|, {D}]",
    "[County office|Shire office|Office of the rolls], {D}: {N}",
)
ALIASES = (
    "[in older papers|on some maps|in common speech|in many letters|by the neighbours] {S} is called {A}",
    "{A} is [another|an older|the common|a second] name for {S}",
    "[many|some|most] people [say|write] {A} [when they mean|for] {S}",
    "{S} is also [known|entered|spoken of|written] as {A}",
    "the name {A} [stands for|means|belongs to] {S}[| as well]",
    "where [a letter|a bill|a map|a deed] says {A}, {S} is meant",
)
DESCRIPTIONS = (
    "[in short|in plain words|for strangers|for the carter|as the saying goes], {S} is {E}",
    "[people|neighbours|travellers|the old] speak of {S} as {E}",
    "by {E} the [clerks|carters|neighbours|papers] mean {S}",
    "whoever [asks for|speaks of|writes of] {E} [means|is thinking of] {S}",
    "{E} is [none other than|no other than|the same as] {S}",
    "[the deeds|the maps|the carters|strangers] [describe|know] {S} as {E}",
)
FRAMES = (
    "{C}.",
    "{C}.",
    "{C}.",
    "[according to|by the word of] [the deeds|the clerk|two witnesses|the old books|the survey], {C}.",
    "[the deeds|the clerk|the survey|a sworn paper] [says|states|shows] that {C}.",
    "[it is recorded|it is entered|it is certain|it is agreed] that {C}[| (note {n})].",
    "{C}, [as the deeds show|so the entry says|as was sworn|by the same hand].",
    "[note|item|also]: {C}.",
)
CLOSINGS = (
    "[Checked|Read|Copied|Compared] by {P}, {D}.",
    "[This entry|This leaf|The above] [replaces|follows] [leaf|entry|page] {m}.",
    "[Entered|Signed|Sealed] at {T} [on|this day,] {D}.",
    "[Fee|Duty|Charge] for [a copy|the extract|the search]: {n} [pence|coppers|marks].",
    "[See also|Compare] [leaf|entry|page] {m}[| and the map of {T}].",
    "[No complaint|No correction|No further claim] [was made|has come in|is known] [up to|as of] {D}.",
)


def write(scribe: Scribe, entity: Entity, facts: Sequence[Fact]) -> Marked:
    """One paragraph under the name of the entity; its alias and description stand among the facts."""
    rng = scribe.rng
    title = scribe.line(rng.choice(TITLES), {"N": entity.bare_name})
    scribe.last = entity
    body = [scribe.sentence(f, FRAMES) for f in facts]
    naming = {"S": entity.name, "A": entity.alias, "E": entity.description}
    body.insert(rng.randint(0, len(body)), scribe.line(rng.choice(ALIASES) + ".", naming))
    body.insert(rng.randint(0, len(body)), scribe.line(rng.choice(DESCRIPTIONS) + ".", naming))
    if rng.random() < 0.5:
        body.append(scribe.line(rng.choice(CLOSINGS)))
    return join([title, join(body, " ")], "\n")
