"""What is said and asked of a firm: its director, seat, supplier and product (its founding year is told in `towns`)."""

from labkit.world.relation import Phrasings, Relation

DIRECTOR = Relation(
    name="director",
    subjects=("firm",),
    object="person",
    label="director",
    changes=True,
    states=Phrasings(
        train=(
            "{O} [directs|runs|heads] {S}",
            "{S} is [directed|run|headed] by {O}",
            "the director of {S} is {O}",
            "{O} is the director of {S}",
            "{O} has [directed|run|headed] {S} since {D}",
            "{O} [became director of|took charge of] {S} on {D}",
            "on {D} {O} was [named|made] director of {S}",
            "at {S} the director is {O}",
            "{S} has been [directed|run|headed] by {O} since {D}",
            "{S's} director is {O}",
        ),
        validation=("{O} serves as director of {S}",),
        test=("{S} has {O} for its director", "the person in charge of {S} is {O}"),
    ),
    asks=Phrasings(
        train=(
            "Who [directs|runs|heads] {S}?",
            "Who is the director of {S}?",
            "By whom is {S} [directed|run]?",
            "What is the name of the director of {S}?",
            "Name the director of {S}.",
            "Who was [named|made] director of {S}?",
            "{S} is directed by whom?",
            "Who is in charge of {S}?",
        ),
        validation=("Who serves as director of {S}?", "Which person directs {S}?"),
        test=(
            "Which person [runs|heads] {S}?",
            "Can you name the director of {S}?",
            "The director of {S} is who?",
            "At {S}, who is the director?",
        ),
    ),
    nouns=("the director of {S}", "the person who [directs|runs|heads] {S}"),
)

BASED_IN = Relation(
    name="based_in",
    subjects=("firm",),
    object="town",
    label="seat",
    changes=True,
    states=Phrasings(
        train=(
            "{S} [is based|has its seat|has its offices] in {O}",
            "the seat of {S} is [|in ]{O}",
            "{S} has been based in {O} since {D}",
            "{S} moved [|its seat ]to {O} on {D}",
            "on {D} {S} [settled|opened its offices] in {O}",
            "{O} is [the seat of {S}|where {S} is based]",
            "{S} [works|trades] from {O}",
            "the offices of {S} are in {O}",
            "{S's} seat is in {O}",
        ),
        validation=("{S} has its head office in {O}",),
        test=("{O} is home to the offices of {S}", "letters to {S} must be sent to {O}, its seat"),
    ),
    asks=Phrasings(
        train=(
            "Where is {S} based?",
            "In [which|what] town is {S} based?",
            "Where does {S} have its [seat|offices]?",
            "What is the seat of {S}?",
            "In which town are the offices of {S}?",
            "From which town does {S} [work|trade]?",
            "Name the seat of {S}.",
            "{S} is based in which town?",
        ),
        validation=("Which town is {S} based in?", "Where are the offices of {S}?"),
        test=(
            "Which town is the seat of {S}?",
            "In which town does {S} have its seat?",
            "Can you name the town where {S} is based?",
            "The seat of {S} is in which town?",
        ),
    ),
    nouns=("the seat of {S}", "the town where {S} is based"),
)

SUPPLIER = Relation(
    name="supplier",
    subjects=("firm",),
    object="firm",
    label="supplier",
    changes=True,
    states=Phrasings(
        train=(
            "{S} [is supplied by|buys from|draws its supplies from] {O}",
            "{O} supplies {S}",
            "the supplier of {S} is {O}",
            "{O} has supplied {S} since {D}",
            "{S} has [bought from|been supplied by] {O} since {D}",
            "on {D} {S} signed [a contract|an agreement] with {O}, its supplier",
            "{O} delivers the raw goods for {S}",
            "{O} is the supplier of {S}",
            "{S's} supplier is {O}",
        ),
        validation=("{O} acts as supplier to {S}",),
        test=("{S} has {O} for its supplier", "the raw goods of {S} come from {O}"),
    ),
    asks=Phrasings(
        train=(
            "Who supplies {S}?",
            "Which firm supplies {S}?",
            "Who is the supplier of {S}?",
            "From [whom|which firm] does {S} buy?",
            "By [whom|which firm] is {S} supplied?",
            "Name the supplier of {S}.",
            "{S} is supplied by which firm?",
            "Which firm delivers the raw goods for {S}?",
        ),
        validation=("Which firm acts as supplier to {S}?", "What firm supplies {S}?"),
        test=(
            "Which firm is the supplier of {S}?",
            "Can you name the supplier of {S}?",
            "Which firm does {S} buy from?",
            "The supplier of {S} is which firm?",
        ),
    ),
    nouns=("the supplier of {S}", "the firm that supplies {S}"),
)

PRODUCT = Relation(
    name="product",
    subjects=("firm",),
    object="product",
    label="product",
    states=Phrasings(
        train=(
            "{S} [makes|produces|sells] {O}",
            "the product of {S} is {O}",
            "{S} is [known|respected] for its {O}",
            "{O} is what {S} [makes|sells]",
            "{S} earns its money with {O}",
            "{O} from {S} is sold [far and wide|in every harbour|on every market]",
            "the workers of {S} make {O}",
            "{S's} product is {O}",
        ),
        validation=("{S} lives by the sale of {O}",),
        test=("the workshops of {S} turn out {O}", "whoever needs {O} goes to {S}, which makes it"),
    ),
    asks=Phrasings(
        train=(
            "What does {S} [make|produce|sell]?",
            "What is the product of {S}?",
            "For what product is {S} known?",
            "Which product does {S} [make|sell]?",
            "With what does {S} earn its money?",
            "Name the product of {S}.",
            "What do the workers of {S} make?",
        ),
        validation=("Which product is {S} known for?", "What product comes from {S}?"),
        test=(
            "What is {S} known for making?",
            "Which product does {S} produce?",
            "Can you name the product of {S}?",
            "The product of {S} is what?",
        ),
    ),
)

RELATIONS = (DIRECTOR, BASED_IN, SUPPLIER, PRODUCT)
