import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.rag.claims import claim_measures
from labkit.rag.hallucination import hallucinations

CLAIM = st.tuples(st.sampled_from("ab"), st.sampled_from(["height", "town"]), st.sampled_from("123"))
CLAIMS = st.lists(CLAIM, max_size=5)


@given(CLAIMS, CLAIMS.filter(bool), st.lists(CLAIMS, max_size=3))
def test_the_two_kinds_together_are_the_hallucination_of_ragchecker(gold, response, chunks):
    kinds = hallucinations(gold, response, chunks)
    together = claim_measures(gold, response, chunks).hallucination
    assert kinds.intrinsic + kinds.extrinsic == pytest.approx(together)


def test_kinds_worked_by_hand():
    gold, chunks = [("mill", "height", "9")], [[("mill", "height", "9"), ("mill", "town", "Jorvila")]]
    against, beyond = ("mill", "height", "8"), ("mill", "owner", "Hesta")
    assert hallucinations(gold, [against], chunks).intrinsic == 1
    assert hallucinations(gold, [beyond], chunks).extrinsic == 1
    shown_but_wrong, right = ("mill", "town", "Jorvila"), gold[0]
    kinds = hallucinations(gold, [against, beyond, shown_but_wrong, right], chunks)
    assert (kinds.intrinsic, kinds.extrinsic) == (0.25, 0.25)
    assert hallucinations(gold, [against], []).extrinsic == 1, "nothing shown, nothing to contradict"
    assert math.isnan(hallucinations(gold, [], chunks).intrinsic)
