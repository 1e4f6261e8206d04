"""Lab 04, *Mixture of experts*: its predictions, and its checks in the order of the notebook.

Each oracle takes another road than the solution in the notebook, so that the two can only agree by being right.
"""

from labkit.course.exercise import Prediction
from labkit.course.labs.lab04.balancing import BALANCE_LOSS, MAX_VIOLATION, MOVED_BIAS
from labkit.course.labs.lab04.caching import HITS
from labkit.course.labs.lab04.fetching import EXPERTS_HIT
from labkit.course.labs.lab04.routing import DROPPED, ROUTE

TITLE = "Mixture of experts"

PREDICTIONS = (
    Prediction("price of the same arithmetic", "How many times longer does the mixture take, for 16 tokens?", "x"),
    Prediction("error left by experts", "Of the dense layer's error, how much does the mixture leave?", "%"),
    Prediction("price of perfect balance", "By which factor does the error grow if balance is forced?", "x"),
    Prediction("choices without room", "Which share of all choices finds no room at a capacity factor of 1.25?", "%"),
    Prediction("end of the cliff", "From how many tokens on does the mixture take at most twice as long?", "tokens"),
    Prediction("hit rate", "How often is an expert still near when a quarter of them is kept?", "%"),
)

EXERCISES = (ROUTE, MAX_VIOLATION, BALANCE_LOSS, MOVED_BIAS, DROPPED, EXPERTS_HIT, HITS)
