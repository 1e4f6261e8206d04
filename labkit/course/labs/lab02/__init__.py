"""Lab 02, *Why decoding is slow*: its predictions, and its checks in the order of the notebook.

Each oracle takes another road than the solution in the notebook, so that the two can only agree by being right.
"""

from labkit.course.exercise import Prediction
from labkit.course.labs.lab02.caching import ATTEND_STEP, TOKENS_PROCESSED
from labkit.course.labs.lab02.limits import DECODE_STEP
from labkit.course.labs.lab02.promise import BREAK_EVEN, SPEEDUP
from labkit.course.labs.lab02.speculating import ACCEPT, JUDGE_GUESS

TITLE = "Why decoding is slow"

PREDICTIONS = (
    Prediction("price of a later token", "How many times longer does token 512 take than token 32?", "x"),
    Prediction("cache of a token", "How many kilobytes must be kept for one token?", "kB"),
    Prediction("busy arithmetic", "Which share of the arithmetic peak does writing one by one use?", "%"),
    Prediction("price of a guess", "What does a guess of the draft cost, in passes of the model?", "passes"),
    Prediction("speed-up on prose", "How many times faster does it write with a draft?", "x"),
)

EXERCISES = (TOKENS_PROCESSED, ATTEND_STEP, DECODE_STEP, ACCEPT, SPEEDUP, BREAK_EVEN, JUDGE_GUESS)
