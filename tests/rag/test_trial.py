import statistics

import pytest

from labkit.rag.trial import RETRIEVERS, retrieval_trial
from labkit.world import World


@pytest.mark.slow
def test_a_trial_counts_what_the_corpus_states(word_sums):
    """Word sums know words and nothing else; what BM25 finds is known from the tests of the world itself."""
    trial = retrieval_trial(word_sums(width=256), World(), count=150)
    assert trial.documents == len(World().documents("before"))
    for kind in ("one-hop", "two-hop"):
        assert 0.62 <= trial.result(kind, "BM25").mean("hit@10").value <= 0.85
        scores = {name: trial.result(kind, name).scores["recall@10"] for name in RETRIEVERS}
        gain = trial.gain(kind, over="dense")
        assert gain.value == pytest.approx(statistics.mean(scores["fused"]) - statistics.mean(scores["dense"]))
        assert gain.low < gain.value < gain.high
        assert gain.count == len(scores["dense"]) == 150
        for name in scores:
            result = trial.result(kind, name)
            assert all(hit >= recall for hit, recall in zip(result.scores["hit@10"], scores[name], strict=True))
            assert all(0 <= s <= 1 for measure in result.scores.values() for s in measure)
    assert str(trial).count("fused") >= 2
    with pytest.raises(KeyError, match="three-hop"):
        trial.result("three-hop", "BM25")
