import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.rag.claims import claim_measures

CLAIM = st.integers(0, 6).map(lambda n: ("s", "r", str(n)))
CLAIMS = st.lists(CLAIM, max_size=5)


def _claims(letters):
    return [(letter, "is", "so") for letter in letters]


def test_measures_worked_by_hand():
    # true are A B C; the answer says A B X Y Z; the chunks say A X, then Y, then nothing
    measured = claim_measures(_claims("ABC"), _claims("ABXYZ"), [_claims("AX"), _claims("Y"), []])
    assert measured.precision == 2 / 5
    assert measured.recall == 2 / 3
    assert measured.claim_recall == 1 / 3  # A
    assert measured.context_precision == 1 / 3  # the first chunk
    assert measured.context_utilization == 1.0  # A is used
    assert measured.relevant_noise == 1 / 5  # X
    assert measured.irrelevant_noise == 1 / 5  # Y
    assert measured.hallucination == 1 / 5  # Z
    assert measured.self_knowledge == 1 / 5  # B
    assert measured.faithfulness == 3 / 5  # A X Y


@settings(deadline=None)
@given(gold=CLAIMS, response=CLAIMS.filter(bool), chunks=st.lists(CLAIMS, max_size=4))
def test_every_claim_of_an_answer_is_accounted_for(gold, response, chunks):
    m = claim_measures(gold, response, chunks)
    assert m.faithfulness + m.self_knowledge + m.hallucination == pytest.approx(1)
    assert m.precision + m.relevant_noise + m.irrelevant_noise + m.hallucination == pytest.approx(1)


def test_a_share_of_nothing_is_no_number():
    m = claim_measures(_claims("A"), [], [])
    assert math.isnan(m.precision)
    assert math.isnan(m.context_precision)
    assert math.isnan(m.context_utilization)
    assert m.claim_recall == m.recall == 0
