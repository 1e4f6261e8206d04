import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.rag.fusion import reciprocal_rank_fusion

RANKING = st.lists(st.integers(0, 9), unique=True)


def test_scores_are_those_of_the_formula():
    fused = dict(reciprocal_rank_fusion([["a", "b"], ["c", "a"]]))
    assert fused == pytest.approx({"a": 1 / 61 + 1 / 62, "b": 1 / 62, "c": 1 / 61})


@settings(deadline=None)
@given(rankings=st.lists(RANKING, min_size=1, max_size=4))
def test_everything_ranked_is_in_the_fusion_and_unanimity_is_kept(rankings):
    fused = [item for item, _ in reciprocal_rank_fusion(rankings)]
    assert sorted(fused) == sorted(set().union(*rankings))
    assert [item for item, _ in reciprocal_rank_fusion([rankings[0]] * 3)] == rankings[0]


def test_an_item_has_one_place_in_a_ranking():
    with pytest.raises(ValueError, match="twice"):
        reciprocal_rank_fusion([["a", "a"]])
