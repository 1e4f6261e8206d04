"""Lab 05, *Pruning and sparsity*: its predictions, and its checks in the order of the notebook.

Each oracle takes another road than the solution in the notebook, so that the two can only agree by being right.
"""

from labkit.course.exercise import Prediction
from labkit.course.labs.lab05.choosing import MAGNITUDE_MASK, TWO_FOUR_MASK, WANDA_MASK
from labkit.course.labs.lab05.compensating import DROP_ONE
from labkit.course.labs.lab05.counting import CHAIN_MACS, CROSSOVER_DENSITY, NEEDED_SHARE
from labkit.course.labs.lab05.packing import PACK_24
from labkit.course.labs.lab05.scheduling import CUBIC_DENSITY

TITLE = "Pruning and sparsity"

PREDICTIONS = (
    Prediction("half of the weights", "How many times faster is a layer half of whose weights are zero?", "x"),
    Prediction("CSR wins below", "Below which density is a sparse layer faster than the dense one?"),
    Prediction(
        "outliers and magnitude", "How many times more does magnitude pruning harm than Wanda, with outliers?", "x"
    ),
    Prediction("2:4 bytes", "Which share of its bytes does a 2:4 layer still take in 16 bits?"),
    Prediction("half of the channels", "How many times faster is a network with half of its channels?", "x"),
    Prediction(
        "rows until skipping loses", "How many rows at once until skipping inactive inputs no longer pays?", "rows"
    ),
)

EXERCISES = (
    CROSSOVER_DENSITY,
    MAGNITUDE_MASK,
    WANDA_MASK,
    DROP_ONE,
    TWO_FOUR_MASK,
    PACK_24,
    CUBIC_DENSITY,
    CHAIN_MACS,
    NEEDED_SHARE,
)
