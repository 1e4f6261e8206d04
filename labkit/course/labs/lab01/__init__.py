"""Lab 01, *One architecture for every task*: its predictions, and its checks in the order of the notebook.

Each oracle takes another road than the solution in the notebook, so that the two can only agree by being right.
"""

from labkit.course.exercise import Prediction
from labkit.course.labs.lab01.context import CROSSOVER, KV_BYTES
from labkit.course.labs.lab01.counting import FLOPS_PER_TOKEN, PARAMETERS
from labkit.course.labs.lab01.knowledge import STORED_BITS
from labkit.course.labs.lab01.scaling import EXTRAPOLATE

TITLE = "One architecture for every task"

PREDICTIONS = (
    Prediction("arithmetic", "How many of a hundred small sums does the model get right?", "%"),
    Prediction("price of generality", "How many times dearer is a sum for the model than for the calculator?", "x"),
    Prediction("attention overtakes", "From how many tokens on does attention take longer than the MLP?", "tokens"),
    Prediction("largest model", "Which loss does the largest model reach?", "nats a token"),
    Prediction("bits per parameter", "How many bits of facts does one parameter hold?", "bits"),
)

EXERCISES = (PARAMETERS, FLOPS_PER_TOKEN, KV_BYTES, CROSSOVER, EXTRAPOLATE, STORED_BITS)
