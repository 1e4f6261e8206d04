"""Lab 03, *Hallucination and retrieval*: its predictions, and its checks in the order of the notebook.

Each oracle takes another road than the solution in the notebook, so that the two can only agree by being right.
"""

from labkit.course.exercise import Prediction
from labkit.course.labs.lab03.abstaining import THRESHOLD
from labkit.course.labs.lab03.answering import CLAIMS, PACK
from labkit.course.labs.lab03.comparing import NEAREST
from labkit.course.labs.lab03.retrieving import BM25_SCORE, RECALL, RRF

TITLE = "Hallucination, and retrieval-augmented generation"

PREDICTIONS = (
    Prediction("wrong after the change", "Of 100 questions on facts that changed, how many get the old answer?", "%"),
    Prediction("recall of the fusion", "Of the documents that state an answer, how many are in the first ten?", "%"),
    Prediction("right with documents", "How many of 100 are right once three passages are shown?", "%"),
    Prediction("prompt tokens of an answer", "How many tokens does the model read for an answer of five?", "tokens"),
    Prediction("distractors until it loses", "How many useless passages until closed book is better?", "passages"),
    Prediction("speed of looking at few", "How many times faster than looking at all, at recall 0.95?", "x"),
)

EXERCISES = (BM25_SCORE, NEAREST, RRF, RECALL, PACK, CLAIMS, THRESHOLD)
