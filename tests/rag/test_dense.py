import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.rag.dense import nearest


@settings(deadline=None)
@given(seed=st.integers(0, 99), documents=st.integers(1, 12), k=st.integers(1, 15))
def test_the_nearest_are_those_that_sorting_every_product_gives(seed, documents, k):
    rng = np.random.default_rng(seed)
    vectors, queries = rng.integers(-2, 3, (documents, 3)), rng.integers(-2, 3, (4, 3))  # whole numbers: many ties
    found, similarity = nearest(vectors.astype(float), queries.astype(float), k)
    for query, places, values in zip(queries, found, similarity, strict=True):
        every = sorted(((-int(query @ vector), n) for n, vector in enumerate(vectors)))[:k]
        assert [(-int(v), int(n)) for v, n in zip(values, places, strict=True)] == every


def test_vectors_of_another_width_are_refused():
    with pytest.raises(ValueError, match=r"\(2, 3\).*\(1, 4\)"):
        nearest(np.zeros((2, 3)), np.zeros((1, 4)), 1)
