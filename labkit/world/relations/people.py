"""What is said and asked of a person: birthplace, year of birth, profession and home."""

from labkit.world.relation import Phrasings, Relation

BORN_IN = Relation(
    name="born_in",
    subjects=("person",),
    object="town",
    label="birthplace",
    states=Phrasings(
        train=(
            "{S} was born in [|the town of ]{O}",
            "{S} [comes|hails] from {O}",
            "{S} is a [native|child] of {O}",
            "{O} is the birthplace of {S}",
            "the birthplace of {S} is {O}",
            "it was in {O} that {S} was born",
            "the birth of {S} was [entered|written down] in {O}",
            "{S's} birthplace is {O}",
            "{S} [came into the world|first saw the light] in {O}",
            "the parents of {S} lived in {O} when their child was born",
        ),
        validation=("{O} is where {S} was born",),
        test=("{S} had {O} for a birthplace", "the cradle of {S} stood in {O}"),
    ),
    asks=Phrasings(
        train=(
            "Where was {S} born?",
            "In [which|what] town was {S} born?",
            "What is the birthplace of {S}?",
            "From which town does {S} [come|hail]?",
            "Of which town is {S} a native?",
            "Name the birthplace of {S}.",
            "{S} was born in which town?",
            "Where did {S} come into the world?",
        ),
        validation=("Which town was {S} born in?", "Where does {S} come from?"),
        test=(
            "Which town is the birthplace of {S}?",
            "What town does {S} hail from?",
            "Can you name the town where {S} was born?",
            "The birthplace of {S} is which town?",
        ),
    ),
    nouns=("the birthplace of {S}", "the town where {S} was born"),
)

BORN_YEAR = Relation(
    name="born_year",
    subjects=("person",),
    object="year",
    label="born",
    states=Phrasings(
        train=(
            "{S} was born in [|the year ]{O}",
            "the year of birth of {S} is {O}",
            "{S's} year of birth is {O}",
            "it was in {O} that {S} was born",
            "the birth of {S} [is dated to|falls in] [|the year ]{O}",
            "{O} is the year of birth of {S}",
            "in {O} {S} was born",
            "{S} came into the world in {O}",
            "{S} is of the year {O}",
        ),
        validation=("the papers of {S} give {O} as the year of birth",),
        test=("the year {O} saw the birth of {S}", "{O} is the year in which {S} was born"),
    ),
    asks=Phrasings(
        train=(
            "When was {S} born?",
            "In [which|what] year was {S} born?",
            "What is the year of birth of {S}?",
            "Give the year of birth of {S}.",
            "{S} was born in which year?",
            "To which year is the birth of {S} dated?",
            "When did {S} come into the world?",
        ),
        validation=("What year was {S} born in?", "What is the birth year of {S}?"),
        test=(
            "In which year did {S} come into the world?",
            "Can you give the year in which {S} was born?",
            "The birth of {S} is dated to what year?",
            "Which year saw the birth of {S}?",
        ),
    ),
    lesser=Phrasings(
        train=("Who was born [earlier|first], {A} or {B}?", "Who is older, {A} or {B}?"),
        validation=("Was {A} or {B} born first?",),
        test=("Which of the two is older: {A} or {B}?",),
    ),
    greater=Phrasings(
        train=("Who was born later, {A} or {B}?", "Who is younger, {A} or {B}?"),
        validation=("Was {A} or {B} born later?",),
        test=("Which of the two is younger: {A} or {B}?",),
    ),
)

PROFESSION = Relation(
    name="profession",
    subjects=("person",),
    object="profession",
    label="profession",
    states=Phrasings(
        train=(
            "{S} is {a:O}[| by trade| by profession]",
            "{S} [works|has always worked] as {a:O}",
            "{S} earns a living as {a:O}",
            "the [trade|profession] of {S} is that of {a:O}",
            "by [trade|profession] {S} is {a:O}",
            "{S} is [known|listed|entered] as {a:O}",
            "{S} was [trained|apprenticed] as {a:O}",
            "{S's} profession is that of {a:O}",
            "everyone knows {S} as {a:O}",
        ),
        validation=("{S} follows the trade of {a:O}",),
        test=("{S} makes a living as {a:O}", "the papers of {S} say {O}"),
    ),
    asks=Phrasings(
        train=(
            "What is the [trade|profession] of {S}?",
            "What does {S} do for a living?",
            "What is {S} by [trade|profession]?",
            "As what does {S} work?",
            "Which [trade|profession] does {S} follow?",
            "How does {S} earn a living?",
            "What kind of work does {S} do?",
            "Name the profession of {S}.",
        ),
        validation=("What work does {S} do?", "As what was {S} trained?"),
        test=(
            "What [trade|profession] does {S} have?",
            "By profession, what is {S}?",
            "Can you name the profession of {S}?",
            "The profession of {S} is what?",
        ),
    ),
)

LIVES_IN = Relation(
    name="lives_in",
    subjects=("person",),
    object="town",
    label="home",
    changes=True,
    states=Phrasings(
        train=(
            "{S} [lives|resides] in {O}",
            "the home of {S} is in {O}",
            "{S} has [lived|resided|had a house] in {O} since {D}",
            "{S} [moved to|settled in] {O} on {D}",
            "{S} [has a house|keeps a home] in {O}",
            "on {D} {S} [took a house|settled] in {O}",
            "{S's} home is in {O}",
            "{O} is [the home of {S}|where {S} lives]",
            "the house of {S} is in {O}",
        ),
        validation=("{S} makes a home in {O}",),
        test=("{S} is at home in {O}", "whoever visits {S} must go to {O}"),
    ),
    asks=Phrasings(
        train=(
            "Where does {S} [live|reside]?",
            "In [which|what] town does {S} [live|reside]?",
            "In which town is the [home|house] of {S}?",
            "Where is the [home|house] of {S}?",
            "Where does {S} have a house?",
            "Name the town where {S} lives.",
            "{S} lives in which town?",
            "Which town is the home of {S}?",
        ),
        validation=("Which town does {S} live in?", "Where has {S} settled?"),
        test=(
            "What town does {S} reside in?",
            "Can you name the town where {S} lives?",
            "In which town does {S} have a house?",
            "The home of {S} is in which town?",
        ),
    ),
    nouns=("the town where {S} lives", "the home town of {S}"),
)

RELATIONS = (BORN_IN, BORN_YEAR, PROFESSION, LIVES_IN)
