"""News: a headline, a dateline and a short report."""

from __future__ import annotations

from collections.abc import Sequence

from labkit.world.documents.scribe import Scribe
from labkit.world.fact import Fact
from labkit.world.grammar import Marked, join

TITLES = (
    "[News|Report|Notice|Word|Letters] from {T}, {D}",
    "{T} [Courier|Gazette|Post|Messenger|Herald], {D}",
    "[Talk|Questions|Plans|Opinions] [about|around] {N} ({D})",
    "The {T} [Courier|Gazette|Post|Messenger]: [what is new|what we hear|this week|in brief], {D}",
    "[A visit to|A word on|More about|Once again] {N}, by {P}, {D}",
    "[Market|Harbour|County|Town] news, {D}: {N}",
    "{D}: [What we know of|What is said of|The latest on] {N}",
)
OPENINGS = (
    "[A reader|A carter|A neighbour|A visitor|An old friend of this paper] [asks us|wrote to us|came to us] about {N}.",
    "[It has been|This was] a [quiet|wet|busy|windy|cold] week in {T}[|, and the talk turned to {N}| once more].",
    "[Much|Little|Enough] has been [said|written|heard] [of late|this year|this month] about {N}.",
    "[Our correspondent|Our man|A friend] in {T} [sends|brings] [word|news|a note] of {N}.",
    "[After the rain|Since the fair|Before the feast|After the harvest] {T} [has|finds] time to think of {N}.",
    "[Visitors|Strangers|Children|Travellers] often ask [us|in {T}|at the inn] about {N}.",
)
FRAMES = (
    "{C}.",
    "{C}.",
    "{C}, [we hear|we are told|it is said|says {P}|as this paper reported|people in {T} say].",
    "[as is well known|as readers will recall|as we wrote before|for those who forgot], {C}.",
    "[we can confirm|our readers know|it is no secret|it was made known] that {C}.",
    "[the clerk|the innkeeper|the ferryman|a neighbour] [told us|assures us|confirms] that {C}.",
    "[meanwhile|besides|moreover|by the way], {C}.",
    "[readers may add to their lists|let it be printed once more|here are the facts]: {C}.",
)
ASIDES = (
    "[The price of|The duty on] [bread|oats|coal|tallow|eggs] in {T} [rose|fell] by {n} [pence|coppers].",
    "[The bridge|The mill road|The ferry] [is closed|stays open|is to be mended] "
    "[until|after|before] the [fair|feast|harvest].",
    "[A concert|A fair|A boat race|A lecture] is [planned|promised|expected] [in {T}|by the river|for the spring].",
    "[Snow|Fog|Rain|A late frost] [kept|held] the [mail|coaches|boats] [away|back] for {n} days.",
    "[The council|The school|The guild|The choir] of {T} [meets|votes|sings|gathers] again [next week"
    "|on market day|soon].",
    "[A lost dog|A grey mare|A parcel of books|An umbrella] [waits|can be claimed] at [our office"
    "|the inn|the toll house].",
    "[Nobody|Not everyone|Hardly anyone] in {T} [was surprised|is pleased|objects].",
    "[More|The rest|A longer report] [follows|will follow] in [our next|number {m}|the next number].",
)


def write(scribe: Scribe, facts: Sequence[Fact]) -> Marked:
    """Headline, opening, facts, an aside or two."""
    rng = scribe.rng
    named = {"N": scribe.mention(facts[0].subject)}
    title = scribe.line(rng.choice(TITLES), named)
    body = [scribe.sentence(f, FRAMES) for f in facts]
    if rng.random() < 0.6:
        body.insert(0, scribe.line(rng.choice(OPENINGS), named))
    body += [scribe.line(t) for t in rng.sample(ASIDES, rng.choice((0, 1, 1, 2)))]
    return join([title, join(body, " ")], "\n")
