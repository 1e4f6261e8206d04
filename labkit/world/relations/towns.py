"""What is said and asked of a town: its founding year (shared with firms) and its mayor."""

from labkit.world.relation import Phrasings, Relation

FOUNDED = Relation(
    name="founded",
    subjects=("town", "firm"),
    object="year",
    label="founded",
    states=Phrasings(
        train=(
            "{S} was [founded|established] in [|the year ]{O}",
            "{S} [dates from|goes back to] [|the year ]{O}",
            "the founding of {S} [took place in|is dated to|falls in] {O}",
            "the founding year of {S} is {O}",
            "it was in {O} that {S} was [founded|established]",
            "{S} has existed since {O}",
            "the first charter of {S} [was signed in|dates from|bears the year] {O}",
            "{S} received its charter in {O}",
            "in {O} {S} was [founded|established]",
            "{S's} founding year is {O}",
        ),
        validation=("{S} came into being in {O}",),
        test=("the year {O} saw the founding of {S}", "the charter that founded {S} is from {O}"),
    ),
    asks=Phrasings(
        train=(
            "When was {S} [founded|established]?",
            "In [what|which] year was {S} [founded|established]?",
            "What is the founding year of {S}?",
            "Which year does {S} date from?",
            "Since when has {S} existed?",
            "{S} was founded in which year?",
            "Give the founding year of {S}.",
            "When was the first charter of {S} signed?",
        ),
        validation=("What year was {S} founded in?", "When did {S} receive its charter?"),
        test=(
            "From which year does {S} date?",
            "In which year did the founding of {S} take place?",
            "Can you give the year in which {S} was founded?",
            "The founding of {S} is dated to what year?",
        ),
    ),
    lesser=Phrasings(
        train=(
            "Which was founded [earlier|first], {A} or {B}?",
            "Which is older, {A} or {B}?",
            "Of {A} and {B}, which dates from the earlier year?",
        ),
        validation=("Was {A} or {B} founded first?",),
        test=("Which has the earlier founding year, {A} or {B}?", "Which of the two is older: {A} or {B}?"),
    ),
    greater=Phrasings(
        train=(
            "Which was founded later, {A} or {B}?",
            "Which is younger, {A} or {B}?",
            "Of {A} and {B}, which dates from the later year?",
        ),
        validation=("Was {A} or {B} founded later?",),
        test=("Which has the later founding year, {A} or {B}?", "Which of the two is younger: {A} or {B}?"),
    ),
)

MAYOR = Relation(
    name="mayor",
    subjects=("town",),
    object="person",
    label="mayor",
    changes=True,
    states=Phrasings(
        train=(
            "{O} is the mayor of {S}",
            "the mayor of {S} is {O}",
            "{S} [is governed by|is led by|has as its mayor] {O}",
            "{O} has been mayor of {S} since {D}",
            "{O} [governs|leads] {S} as mayor",
            "{O} became mayor of {S} on {D}",
            "on {D} {O} [was sworn in as|was chosen as|took office as] mayor of {S}",
            "in {S} the office of mayor [is held by|belongs to] {O}",
            "{S} has been [governed|led] by {O} since {D}",
            "{S's} mayor is {O}",
        ),
        validation=("{O} sits as mayor in {S}",),
        test=("the town hall of {S} is run by {O}, its mayor", "{S} counts {O} as its mayor"),
    ),
    asks=Phrasings(
        train=(
            "Who is the mayor of {S}?",
            "Who [governs|leads] {S}?",
            "What is the name of the mayor of {S}?",
            "By whom is {S} [governed|led]?",
            "Who holds the office of mayor in {S}?",
            "Name the mayor of {S}.",
            "Who was [chosen|sworn in] as mayor of {S}?",
            "{S} has whom as its mayor?",
        ),
        validation=("Who serves as mayor of {S}?", "Which person governs {S}?"),
        test=(
            "Which person is the mayor of {S}?",
            "Can you name the mayor of {S}?",
            "The mayor of {S} is who?",
            "In {S}, who is mayor?",
        ),
    ),
    nouns=("the mayor of {S}", "the person who governs {S}"),
)

RELATIONS = (FOUNDED, MAYOR)
