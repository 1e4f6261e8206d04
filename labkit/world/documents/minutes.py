"""Minutes of a council or guild: those present, then numbered items."""

from __future__ import annotations

from collections.abc import Sequence

from labkit.world.documents.scribe import Scribe
from labkit.world.fact import Fact
from labkit.world.grammar import Marked, join

TITLES = (
    "Minutes of the [council|guild|harbour board|road board|school board] of {T}, {D}",
    "[Council|Guild|Parish|Harbour] of {T}, [meeting|sitting|session] of {D}",
    "[Meeting|Sitting|Session] no. {m} of the [guild|council|county board|harbour board], {D}",
    "{T}, {D}: [minutes|record|protocol] of the [council|guild|board]",
    "[Record|Protocol|Note] of the [meeting|session] held [at|in] {T} on {D}",
)
PRESENT = (
    "Present: {P}, {Q} and {n} [members|others|citizens].",
    "[In the chair|Chair|Presiding]: {P}. [Clerk|Scribe|Recorder]: {Q}.",
    "[Opened|Called to order] by {P}[|; {Q} took notes|; {Q} was excused].",
    "{P} [presided|took the chair|opened the session]; {Q} [kept the record|was absent|sent excuses].",
    "[Attendance|Members]: {n}. [Excused|Absent]: {P}.",
)
FRAMES = (
    "[it was noted|it was recorded|the board noted|all agreed|the members heard] that {C}.",
    "[the clerk|the treasurer|{P}|the surveyor] [reported|confirmed|stated|recalled] that {C}.",
    "[on a question from|in answer to|at the request of] {P}, [it was stated|the clerk stated"
    "|it was confirmed] that {C}.",
    "{C}, [it was noted|the clerk said|which was noted|as the record shows].",
    "[for the record|for the minutes|as was known|as before]: {C}.",
    "[the record shall show|let the record show|it is to be entered] that {C}.",
    "{C}. [Noted|Agreed|No objection|Carried].",
)
ITEMS = (
    "[Repair|Painting|Cleaning] of the [well|bridge|school roof|town clock case"
    "|north gate]: {n} marks [granted|refused|set aside].",
    "[Complaint|Petition|Request] of {P} [about|against] [dogs|noise|smoke|the ferry hours"
    "|loose geese]: [deferred|heard|rejected].",
    "[The market dues|The bridge tolls|The school fees] [remain|stay|are set] at {n} [pence|coppers].",
    "[Vote|Show of hands] on the [new|old|second] [road|pump|stable|ferry]: {n} for, {m} against.",
    "[The budget|The tax roll|The report] of the year was [read|passed|questioned|put off][| by {P}| until spring].",
    "[Firewood|Lamp oil|Chalk|Gravel] for the [school|hall|poorhouse]: [bought|ordered|promised] from {T}.",
)
CLOSINGS = (
    "[Closed|Ended|Adjourned] at {time}.",
    "[Next|The next] [meeting|session]: [after the fair|in {n} weeks|when called].",
    "[Signed|Read and signed|Approved]: {P}.",
    "[No other business|Nothing further|The members then dined][|; closed at {time}].",
)
NUMBERINGS = ("{i}) ", "Item {i}: ", "({i}) ", "{i}: ", "- ", "Point {i}, ")


def write(scribe: Scribe, facts: Sequence[Fact]) -> Marked:
    """Title, attendance, one item a fact with other business between, closing."""
    rng = scribe.rng
    items = [scribe.sentence(f, FRAMES) for f in facts]
    for _ in range(rng.choice((1, 1, 2))):
        items.insert(rng.randint(0, len(items)), scribe.line(rng.choice(ITEMS)))
    numbering = rng.choice(NUMBERINGS)
    lines = [join([Marked(numbering.format(i=i)), item]) for i, item in enumerate(items, 1)]
    head = [scribe.line(rng.choice(TITLES)), scribe.line(rng.choice(PRESENT))]
    return join([*head, *lines, scribe.line(rng.choice(CLOSINGS))], "\n")
