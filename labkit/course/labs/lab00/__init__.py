"""Lab 00, *Your machine and its ceilings*: its predictions, and its checks in the order of the notebook.

Each oracle takes another road than the solution in the notebook, so that the two can only agree by being right.
"""

from labkit.course.exercise import Prediction
from labkit.course.labs.lab00.batching import DECODE_CEILING, KNEE
from labkit.course.labs.lab00.counting import MATMUL_COST, TRIAD_BANDWIDTH
from labkit.course.labs.lab00.ridge import RIDGE_ROWS
from labkit.course.labs.lab00.roof import ATTAINABLE, SHARE_OF_ROOF

TITLE = "Your machine and its ceilings"

PREDICTIONS = (
    Prediction("cost of 32 rows", "How many times longer do 32 rows take than one?", "x"),
    Prediction("memory bandwidth", "How fast does one core get data through memory?", "GB/s"),
    Prediction("ridge", "How many operations per byte until arithmetic is the limit, in float32?", "FLOP/byte"),
    Prediction("price of a generated token", "How many times dearer is a token generated than a token read?", "x"),
    Prediction("rows in four times the time", "How many rows go through in the time of four single ones?", "rows"),
)

EXERCISES = (MATMUL_COST, TRIAD_BANDWIDTH, ATTAINABLE, SHARE_OF_ROOF, RIDGE_ROWS, DECODE_CEILING, KNEE)
