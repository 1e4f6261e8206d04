import itertools

import numpy as np
import pytest

from labkit.data import cards, root
from labkit.rag.embedder import COURSE, load_embedder
from labkit.rag.trial import KINDS, RETRIEVERS, retrieval_trial

TEXTS = ["Where does Polna Nakrinta live?", "Polna Nakrinta settled in Jorvila on 15 January 430.", "31 metres"]


def test_the_shipped_encoder_is_small_and_gives_vectors_of_length_one():
    size = sum(card.bytes for card in cards(f"models/{COURSE}"))
    assert 0 < size < 20_000_000
    embedder = load_embedder()
    assert sum(p.numel() for p in embedder.encoder.parameters()) <= 5_000_000
    vectors = embedder.encode(TEXTS)
    assert vectors.shape == (3, embedder.width)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2]


def test_sentence_transformers_loads_the_same_encoder():
    pytest.importorskip("sentence_transformers")
    theirs = load_embedder(str(root() / "models" / COURSE))
    assert theirs.width == load_embedder().width
    np.testing.assert_allclose(theirs.encode(TEXTS), load_embedder().encode(TEXTS), atol=1e-5)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_fused_with_bm25_it_finds_more_than_any_part_alone():
    trial = retrieval_trial(load_embedder(), count=500)
    for kind, part in itertools.product(KINDS, RETRIEVERS[:-1]):
        gain = trial.gain(kind, over=part)
        assert gain.count == 500
        assert gain.low > 0, (kind, part)
