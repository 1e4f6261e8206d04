"""Lab 09, *Throughput, not latency*: its predictions, and its checks in the order of the notebook.

Each oracle takes another road than the solution in the notebook, so that the two can only agree by being right.
"""

from labkit.course.exercise import Prediction
from labkit.course.labs.lab09.admitting import ADMIT
from labkit.course.labs.lab09.batching import STATIC_BATCHES
from labkit.course.labs.lab09.doubling import USEFUL_BATCH
from labkit.course.labs.lab09.paging import EXTEND_TABLE
from labkit.course.labs.lab09.planning import PLAN_STEP
from labkit.course.labs.lab09.promising import GOODPUT
from labkit.course.labs.lab09.sharing import CACHED_TOKENS
from labkit.course.labs.lab09.tuning import CHOOSE_SETTINGS

TITLE = "Throughput, not latency"

PREDICTIONS = (
    Prediction("price of sixteen", "How many times longer does a step for sixteen take than one for one?", "x"),
    Prediction(
        "wait under static batches", "How many times longer does the first token take, static to continuous?", "x"
    ),
    Prediction("waste of a rectangle", "Which share of a reserved rectangle of cache holds nothing?", "%"),
    Prediction("prompts found", "Which share of the prompts' tokens does the prefix cache find computed?", "%"),
    Prediction("worst pause", "How many times longer is the p99 pause with chunks of 512 than with 32?", "x"),
    Prediction("knee", "At how many requests a second is the knee?", "requests/s"),
)

EXERCISES = (
    STATIC_BATCHES,
    ADMIT,
    EXTEND_TABLE,
    PLAN_STEP,
    CACHED_TOKENS,
    GOODPUT,
    CHOOSE_SETTINGS,
    USEFUL_BATCH,
)
