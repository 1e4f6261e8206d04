"""Lab 06, *Quantization*: its predictions, and its checks in the order of the notebook.

Each oracle takes another road than the solution in the notebook, so that the two can only agree by being right.
"""

from labkit.course.exercise import Prediction
from labkit.course.labs.lab06.compensating import COMPENSATE
from labkit.course.labs.lab06.crossing import CROSSOVER
from labkit.course.labs.lab06.packing import PACK_CODES
from labkit.course.labs.lab06.rounding import ROUND_GROUPS
from labkit.course.labs.lab06.scaling import SCALED_ERRORS
from labkit.course.labs.lab06.smoothing import SMOOTH
from labkit.course.labs.lab06.spending import SPEND

TITLE = "Quantization: fewer bits that are really fewer bytes"

PREDICTIONS = (
    Prediction("speed of an eighth of the bytes", "How many times faster is a layer that holds an eighth?", "x"),
    Prediction(
        "bits of a 4-bit weight", "How many bits does a 4-bit weight take, its share of a scale included?", "bits"
    ),
    Prediction("error left by compensation", "How much of the error does GPTQ leave?", "%"),
    Prediction("price of random protection", "How much of the damage do random columns leave?", "%"),
    Prediction("end of weight-only", "From how many rows on is W8A8 faster than W4A16?", "rows"),
    Prediction("price of a 2-bit cache", "How many times the damage of 4 bits does a cache of 2 bits do?", "x"),
)

EXERCISES = (PACK_CODES, ROUND_GROUPS, COMPENSATE, SCALED_ERRORS, SMOOTH, CROSSOVER, SPEND)
