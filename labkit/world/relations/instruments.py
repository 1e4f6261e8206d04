"""What is said and asked of an instrument: its maker, the year it was made and where it is kept."""

from labkit.world.relation import Phrasings, Relation

MADE_BY = Relation(
    name="made_by",
    subjects=("instrument",),
    object="person",
    label="maker",
    states=Phrasings(
        train=(
            "{S} was [made|built] by {O}",
            "{O} [made|built] {S}",
            "the maker of {S} [is|was] {O}",
            "{S} is the work of {O}",
            "{S} [comes from|was made in] the workshop of {O}",
            "{S} [is signed by|carries the mark of|bears the name of] {O}, its maker",
            "it was {O} who [made|built] {S}",
            "{O} is the maker of {S}",
            "{S's} maker was {O}",
        ),
        validation=("{S} left the workbench of {O}, who made it",),
        test=("{O} is named as the maker of {S}", "the hands that made {S} were those of {O}"),
    ),
    asks=Phrasings(
        train=(
            "Who [made|built] {S}?",
            "Who is the maker of {S}?",
            "By whom was {S} [made|built]?",
            "Whose work is {S}?",
            "From whose workshop does {S} come?",
            "What is the name of the maker of {S}?",
            "Name the maker of {S}.",
            "{S} was made by whom?",
        ),
        validation=("Who was the maker of {S}?", "Which person built {S}?"),
        test=(
            "Which person made {S}?",
            "Can you name the maker of {S}?",
            "The maker of {S} is who?",
            "{S} is the work of whom?",
        ),
    ),
    nouns=("the maker of {S}", "the person who [made|built] {S}"),
)

MADE_IN = Relation(
    name="made_in",
    subjects=("instrument",),
    object="year",
    label="made",
    states=Phrasings(
        train=(
            "{S} was [made|built] in [|the year ]{O}",
            "{S} [dates from|is a work of] [|the year ]{O}",
            "the year of making of {S} is {O}",
            "{S} bears the year {O}",
            "in {O} {S} was [made|built]",
            "{S} left the workshop in {O}",
            "it was in {O} that {S} was [made|built]",
            "{S} has existed since {O}",
        ),
        validation=("the making of {S} falls in {O}",),
        test=("the year {O} saw {S} made", "{O} is the year in which {S} was made"),
    ),
    asks=Phrasings(
        train=(
            "When was {S} [made|built]?",
            "In [which|what] year was {S} [made|built]?",
            "Which year does {S} bear?",
            "Which year does {S} date from?",
            "When did {S} leave the workshop?",
            "Give the year in which {S} was made.",
            "{S} was made in which year?",
        ),
        validation=("What year was {S} made in?", "Since when has {S} existed?"),
        test=(
            "From which year does {S} date?",
            "In which year did {S} leave the workshop?",
            "Can you give the year in which {S} was made?",
            "Which year saw {S} made?",
        ),
    ),
    lesser=Phrasings(
        train=("Which was [made|built] [earlier|first], {A} or {B}?", "Which is older, {A} or {B}?"),
        validation=("Was {A} or {B} made first?",),
        test=("Which of the two is older: {A} or {B}?",),
    ),
    greater=Phrasings(
        train=("Which was [made|built] later, {A} or {B}?", "Which is younger, {A} or {B}?"),
        validation=("Was {A} or {B} made later?",),
        test=("Which of the two is younger: {A} or {B}?",),
    ),
)

KEPT_AT = Relation(
    name="kept_at",
    subjects=("instrument",),
    object="site",
    label="kept at",
    changes=True,
    states=Phrasings(
        train=(
            "{S} is [kept|housed] at {O}",
            "{S} has [been|stood] at {O} since {D}",
            "{S} was [moved|brought|carried] to {O} on {D}",
            "{O} [houses|holds] {S}",
            "{S} can be [seen|heard of|visited] at {O}",
            "on {D} {S} [came to|was set up at] {O}",
            "{O} has [housed|held] {S} since {D}",
            "visitors find {S} at {O}",
            "the place where {S} is kept is {O}",
            "{S's} place is at {O}",
        ),
        validation=("{S} has its place at {O}",),
        test=("whoever asks for {S} is sent to {O}", "{O} is where {S} is kept"),
    ),
    asks=Phrasings(
        train=(
            "Where is {S} [kept|housed]?",
            "At which place is {S} [kept|housed]?",
            "Which place [houses|holds] {S}?",
            "Where can {S} be [seen|visited]?",
            "In which building is {S} kept?",
            "Name the place where {S} is kept.",
            "{S} is kept at which place?",
            "Where do visitors find {S}?",
        ),
        validation=("Where does {S} have its place?", "Where was {S} brought?"),
        test=(
            "Which building [houses|holds] {S}?",
            "What is the place where {S} is kept?",
            "Where must one go to see {S}?",
            "Can you name the place where {S} is kept?",
        ),
    ),
    nouns=("the place where {S} is kept", "the building that [houses|holds] {S}"),
)

RELATIONS = (MADE_BY, MADE_IN, KEPT_AT)
