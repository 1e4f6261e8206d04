"""What is said and asked of a building: its town, height, keeper, material and year of completion."""

from labkit.world.relation import Phrasings, Relation

LOCATED_IN = Relation(
    name="located_in",
    subjects=("site",),
    object="town",
    label="town",
    states=Phrasings(
        train=(
            "{S} [stands|is found|is] in {O}",
            "{S} belongs to [|the town of ]{O}",
            "the town [where|in which] {S} stands is {O}",
            "{O} is [the town|the place] where {S} stands",
            "{S} was built in [|the town of ]{O}",
            "whoever wants to see {S} must go to {O}",
            "in {O} stands {S}",
            "{S's} town is {O}",
            "{S} [is part of|lies within] the town of {O}",
        ),
        validation=("{S} can be seen in {O}",),
        test=("{O} is home to {S}", "one finds {S} in {O}"),
    ),
    asks=Phrasings(
        train=(
            "Where does {S} stand?",
            "In [which|what] town does {S} stand?",
            "In [which|what] town is {S}?",
            "Where is {S}?",
            "To which town does {S} belong?",
            "Name the town where {S} stands.",
            "{S} stands in which town?",
            "Which town is {S} in?",
        ),
        validation=("In which town was {S} built?", "Where can one see {S}?"),
        test=(
            "What is the town in which {S} stands?",
            "Which town does {S} belong to?",
            "Where must one go to see {S}?",
            "Can you name the town of {S}?",
        ),
    ),
    nouns=("the town where {S} stands", "the town to which {S} belongs"),
)

HEIGHT = Relation(
    name="height",
    subjects=("site",),
    object="metres",
    label="height",
    states=Phrasings(
        train=(
            "{S} is {O} [high|tall]",
            "{S} [has|reaches] a height of {O}",
            "the height of {S} is {O}",
            "{S} measures {O} from [foot to top|ground to roof]",
            "{S} [rises|reaches] {O} above the ground",
            "from [foot to top|ground to roof] {S} measures {O}",
            "the surveyors put the height of {S} at {O}",
            "{S's} height is {O}",
        ),
        validation=("the top of {S} is {O} above the ground",),
        test=("{S} goes up to {O}", "a height of {O} is given for {S}"),
    ),
    asks=Phrasings(
        train=(
            "How [high|tall] is {S}?",
            "What is the height of {S}?",
            "What height does {S} reach?",
            "Give the height of {S}.",
            "How far does {S} rise above the ground?",
            "What does {S} measure from foot to top?",
            "At what do the surveyors put the height of {S}?",
        ),
        validation=("What height has {S}?", "How many metres high is {S}?"),
        test=(
            "How many metres does {S} rise?",
            "How many metres tall is {S}?",
            "Can you give the height of {S}?",
            "{S} reaches what height?",
        ),
    ),
    lesser=Phrasings(
        train=("Which is [lower|shorter], {A} or {B}?", "Of {A} and {B}, which is the lower?"),
        validation=("Is {A} or {B} the lower?",),
        test=("Which has the smaller height, {A} or {B}?", "Which of the two is lower: {A} or {B}?"),
    ),
    greater=Phrasings(
        train=("Which is [higher|taller], {A} or {B}?", "Of {A} and {B}, which is the taller?"),
        validation=("Is {A} or {B} the taller?",),
        test=("Which has the greater height, {A} or {B}?", "Which of the two is taller: {A} or {B}?"),
    ),
)

KEEPER = Relation(
    name="keeper",
    subjects=("site",),
    object="person",
    label="keeper",
    changes=True,
    states=Phrasings(
        train=(
            "{O} [keeps|tends|looks after] {S}",
            "{S} is [kept|tended|looked after] by {O}",
            "the keeper of {S} is {O}",
            "{O} has [kept|tended|looked after] {S} since {D}",
            "{S} has been in the [care|charge|hands] of {O} since {D}",
            "the keys of {S} [are with|are held by|were handed to] {O}",
            "{O} [took over {S}|became keeper of {S}] on {D}",
            "on {D} {O} [took over|was given] the care of {S}",
            "{S's} keeper is {O}",
            "{O} is the keeper of {S}",
        ),
        validation=("{O} serves as keeper at {S}",),
        test=("{S} has {O} for its keeper", "the person who tends {S} is {O}"),
    ),
    asks=Phrasings(
        train=(
            "Who [keeps|tends|looks after] {S}?",
            "Who is the keeper of {S}?",
            "What is the name of the keeper of {S}?",
            "Name the keeper of {S}.",
            "By whom is {S} [kept|tended]?",
            "In whose [care|charge] is {S}?",
            "Who holds the keys of {S}?",
            "{S} is kept by whom?",
        ),
        validation=("Who takes care of {S}?", "Which person keeps {S}?"),
        test=(
            "Which person [tends|looks after] {S}?",
            "Can you name the keeper of {S}?",
            "The keeper of {S} is who?",
            "At {S}, who is the keeper?",
        ),
    ),
    nouns=("the keeper of {S}", "the person who [keeps|tends] {S}"),
)

MATERIAL = Relation(
    name="material",
    subjects=("site",),
    object="material",
    label="material",
    states=Phrasings(
        train=(
            "{S} is [built|made] of {O}",
            "the walls of {S} are [made of|built of|of] {O}",
            "{O} was used for the walls of {S}",
            "the builders of {S} [used|chose] {O}",
            "{S} was built [of|in|from] {O}",
            "the material of {S} is {O}",
            "for {S} the builders [used|chose] {O}",
            "{S's} walls are [of|made of] {O}",
        ),
        validation=("{S} has walls of {O}",),
        test=("{O} makes up the walls of {S}", "those who built {S} worked in {O}"),
    ),
    asks=Phrasings(
        train=(
            "What is {S} [built|made] of?",
            "Of what material is {S} [built|made]?",
            "What are the walls of {S} made of?",
            "Which material did the builders of {S} [use|choose]?",
            "What material was used for {S}?",
            "What is the material of {S}?",
            "Name the material of {S}.",
        ),
        validation=("What was used to build {S}?", "Which material is {S} made of?"),
        test=(
            "From what is {S} built?",
            "What did the builders use for {S}?",
            "Which material makes up the walls of {S}?",
            "Can you name the material of {S}?",
        ),
    ),
)

COMPLETED = Relation(
    name="completed",
    subjects=("site",),
    object="year",
    label="completed",
    states=Phrasings(
        train=(
            "{S} was [completed|finished] in [|the year ]{O}",
            "work on {S} [ended|was finished|came to an end] in {O}",
            "{S} [opened|was opened] in {O}",
            "the roof of {S} was closed in {O}",
            "in {O} {S} was [completed|finished]",
            "the builders of {S} [ended their work|went home] in {O}",
            "{S} was complete by {O}",
            "the year of completion of {S} is {O}",
            "it was in {O} that {S} was [completed|finished]",
        ),
        validation=("{S} stood complete in {O}",),
        test=("the year {O} saw {S} completed", "{O} is the year in which {S} was completed"),
    ),
    asks=Phrasings(
        train=(
            "When was {S} [completed|finished]?",
            "In [which|what] year was {S} [completed|finished]?",
            "When did work on {S} end?",
            "What is the year of completion of {S}?",
            "In which year was {S} opened?",
            "Give the year in which {S} was completed.",
            "{S} was completed in which year?",
        ),
        validation=("What year was {S} finished in?", "When was the roof of {S} closed?"),
        test=(
            "By which year was {S} complete?",
            "In which year did work on {S} end?",
            "Can you give the year of completion of {S}?",
            "Which year saw {S} finished?",
        ),
    ),
    lesser=Phrasings(
        train=("Which was [completed|finished] [earlier|first], {A} or {B}?", "Which opened first, {A} or {B}?"),
        validation=("Was {A} or {B} completed first?",),
        test=("Which of the two was completed first: {A} or {B}?",),
    ),
    greater=Phrasings(
        train=("Which was [completed|finished] later, {A} or {B}?", "Which opened later, {A} or {B}?"),
        validation=("Was {A} or {B} completed later?",),
        test=("Which of the two was completed later: {A} or {B}?",),
    ),
)

RELATIONS = (LOCATED_IN, HEIGHT, KEEPER, MATERIAL, COMPLETED)
