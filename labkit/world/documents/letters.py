"""Letters: where and when, a salutation, what one has heard, a farewell."""

from __future__ import annotations

from collections.abc import Sequence

from labkit.world.documents.scribe import Scribe
from labkit.world.fact import Fact
from labkit.world.grammar import Marked, join

TITLES = (
    "[From|Still in|Back in|Home in|Near] {T}, {D}",
    "[Letter|Note|Copy of a letter|Draft of a letter] from {author}, {D}",
    "[Written|Begun|Sent] [at|from] {T}[| in haste| by candlelight| after supper], {D}",
    "{author} [writes to|to|answers|thanks] {recipient}, {D}",
    "[To|For] {recipient}, [at|in] {T}[|, by the ferry|, by the mail coach|, by hand], {D}",
    "{D}, [on the road to|in sight of|at the inn of|near] {T}",
    "[A letter|A note|A few lines|A page] for {recipient}[|, unsigned|, never sent|, found in a book] ({D})",
)
GREETINGS = (
    "[Dear|My dear|Dearest] [friend|cousin|sister|brother|uncle|aunt|neighbour],",
    "[Dear|My dear|Esteemed|Honoured] {recipient},",
    "[Good friend|Old friend|Honoured friend|Kind neighbour],",
    "[Dear|My dear|Patient|Faithful] {recipient}[|, and all at home|, and all in {T}],",
    "[Greetings|Good wishes|A good day] [from {T}|from all of us|to you and yours]!",
)
OPENINGS = (
    "[Thank you for|I was glad of|We enjoyed] your [letter|parcel|last note|long letter][| of last month| from {T}].",
    "[The rain|The fog|A bad tooth|My cold|The washing] has kept [me|us] [indoors|from writing|at home] for {n} days.",
    "You [ask|asked|wanted to hear] [about|of] {N}[|, so here is what I know|, and I have made inquiries].",
    "[Yesterday|Last week|On Sunday] we [walked|drove|rowed] [past|round|to] {T}[| and back| in the rain].",
    "[I promised|I owe you|You were to have] [an answer|some news|a report][| long ago| before the winter].",
    "[The children|The hens|The neighbours|My knees] are [well|much better|no worse|a trial], [thank you"
    "|as ever|I must say].",
)
FRAMES = (
    "{C}.",
    "{C}, [you know|I believe|as you may have heard|they tell me|if I am not mistaken|my dear].",
    "[I hear|I learned|I am told|They say|I can now tell you] that {C}.",
    "[you will remember|do not forget|I need not tell you|you may write it down] that {C}.",
    "[did I tell you|would you believe|have you heard] that {C}?",
    "[in any case|as for the rest|by the way|to answer you], {C}.",
    "[my cousin|{P}|the postman|our neighbour] [says|swears|insists] that {C}.",
    "[one thing is sure|this much I know|so much for that]: {C}.",
)
ASIDES = (
    "[The pears|The plums|The beans|The apples] are [late|small|sweet|early] this year[|, but plentiful|, sad to say].",
    "[Send|Bring|Lend] me [the blue book|your atlas|a pound of tea|some thread"
    "|the map of {T}] [when you can|next time|soon].",
    "[I have|We have] [mended|sold|painted] the [gate|boat|stove|cart] [at last|again|for {n} marks].",
    "[Nothing else|Little else|Not much more] [happens|is new|stirs] here[| in {T}| before spring].",
    "[The dog|The cat|The donkey] [sends its love|has run off|is fat|sleeps on your chair] [again"
    "|as usual|these days].",
    "[I read|We talk|I think] [a great deal|too much|little] [these days|in the evenings|since you left].",
)
FAREWELLS = (
    "[Yours|Ever yours|Always yours], {author}",
    "[With love|With regards|In friendship|With all good wishes|In haste], {author}",
    "[Your|Your old|Your loving] [friend|cousin|neighbour|sister|brother] {author}",
    "[Write soon|Keep well|Come and visit|Burn this|Greet them all], {author}",
    "[Farewell|Good night|Until the fair|Until spring], {author}",
)


def write(scribe: Scribe, facts: Sequence[Fact]) -> Marked:
    """Place and date, greeting, body, farewell."""
    rng = scribe.rng
    title, greeting = scribe.line(rng.choice(TITLES)), scribe.line(rng.choice(GREETINGS))
    body = [scribe.sentence(f, FRAMES) for f in facts]
    if rng.random() < 0.7:
        body.insert(0, scribe.line(rng.choice(OPENINGS), {"N": scribe.mention(facts[0].subject)}))
    body += [scribe.line(t) for t in rng.sample(ASIDES, rng.choice((0, 1, 1, 2)))]
    return join([title, greeting, join(body, " "), scribe.line(rng.choice(FAREWELLS))], "\n")
