import numpy as np
import pytest

from labkit.rag import generated
from labkit.rag.dense import nearest
from labkit.rag.document import Document
from labkit.rag.generated import clusters

pytest.importorskip("lancedb")

from labkit.rag.approximate import Effort, build_index, index_bytes, vector_query
from labkit.rag.in_memory import MemoryIndex
from labkit.rag.index_trial import found, index_trial, vector_table
from labkit.rag.searching import search
from labkit.rag.store import ingest, open_store, with_index

COUNT, WIDTH = 2000, 32


@pytest.fixture(scope="module")
def drawing():
    return clusters(WIDTH, 40)


@pytest.fixture(scope="module")
def table(drawing, tmp_path_factory):
    return vector_table(tmp_path_factory.mktemp("vectors"), drawing.batches(COUNT, seed=1), WIDTH)


@pytest.fixture(scope="module")
def truth(drawing):
    """By one product of matrices over vectors in memory."""
    queries = drawing.draw(30, seed=9)
    places, similarity = nearest(drawing.draw(COUNT, seed=1), queries, 10)
    return queries, places, similarity


def _recall(table, truth, effort):
    queries, places, _ = truth
    return np.mean(
        [len(set(found(table, q, effort)) & set(p)) / 10 for q, p in zip(queries, places.tolist(), strict=True)]
    )


def test_comparing_all_finds_exactly_the_nearest_with_their_products(table, truth):
    for query, places, similarity in zip(*truth, strict=True):
        rows = vector_query(table, query, 10).to_list()
        assert [row["id"] for row in rows] == places.tolist()
        np.testing.assert_allclose([1 - row["_distance"] for row in rows], similarity, atol=1e-5)


@pytest.mark.parametrize(("kind", "little", "much"), [("ivf", 1, 44), ("ivf-pq", 1, 44), ("hnsw", 10, 400)])
def test_an_index_finds_more_with_more_effort_and_all_with_enough(table, truth, kind, little, much):
    size = build_index(table, kind)
    assert size == index_bytes(table, "vector") > 0
    hasty, thorough = (_recall(table, truth, Effort(kind, effort)) for effort in (little, much))
    assert hasty <= thorough
    assert thorough >= (1.0 if kind == "ivf" else 0.9)  # packed vectors lose some that are not among the candidates
    if kind == "ivf":
        assert hasty < 0.95, "the vectors would be too easy to tell anything"
    assert _recall(table, truth, None) == 1, "without an effort the index is passed by"


@pytest.mark.parametrize(("kind", "little", "much"), [("ivf", 1, 44), ("hnsw", 10, 400)])
def test_faiss_in_memory_finds_the_same_neighbours(drawing, truth, kind, little, much):
    pytest.importorskip("faiss")
    queries, places, _ = truth
    vectors = drawing.draw(COUNT, seed=1)
    exact = MemoryIndex(vectors).search(10)
    assert [exact(query) for query in queries] == places.tolist()
    index = MemoryIndex(vectors, kind)

    def recall(effort):
        search = index.search(10, Effort(kind, effort))
        return np.mean([len(set(search(q)) & set(p)) / 10 for q, p in zip(queries, places.tolist(), strict=True)])

    assert recall(little) <= recall(much)
    assert recall(much) >= (1.0 if kind == "ivf" else 0.95)
    with pytest.raises(ValueError, match="'ivf-pq'"):
        MemoryIndex(vectors, "ivf-pq")
    with pytest.raises(ValueError, match="1000"):
        MemoryIndex(vectors[:10], kind)


def test_packing_makes_an_index_smaller(table):
    sizes = {kind: build_index(table, kind) for kind in ("ivf", "ivf-pq")}
    vectors = 4 * COUNT * WIDTH
    assert sizes["ivf"] >= vectors > 4 * sizes["ivf-pq"]


def test_what_cannot_be_indexed_is_refused(table, tmp_path, drawing):
    with pytest.raises(ValueError, match="'tree'"):
        build_index(table, "tree")
    small = vector_table(tmp_path / "few", [drawing.draw(10, 1)], WIDTH)
    with pytest.raises(ValueError, match="1000"):
        build_index(small, "ivf")
    odd = vector_table(tmp_path / "odd", [clusters(12, 40).draw(1000, 1)], 12)
    with pytest.raises(ValueError, match="12"):
        build_index(odd, "ivf-pq")
    with pytest.raises(ValueError, match="width"):
        clusters(1, 5)


def test_a_store_with_an_index_finds_new_documents_too_and_no_withdrawn_ones(tmp_path, word_sums):
    store = open_store(tmp_path, word_sums())
    ingest(store, [Document(f"d{n}", f"The tower number t{n} stands by lane l{n % 37}.") for n in range(1100)])
    fast = with_index(store, "ivf", effort=33)
    assert [f.chunk.id for f in search(fast, "t700 tower", 5, "vectors")] == [
        f.chunk.id for f in search(store, "t700 tower", 5, "vectors")
    ]
    ingest(fast, [Document("new", "A windmill of red oak.")], withdrawn=["d700"])
    assert search(fast, "windmill oak", 1, "vectors")[0].chunk.document == "new"
    assert "d700" not in {f.chunk.document for f in search(fast, "t700 tower", 20, "vectors")}


@pytest.mark.slow
def test_a_trial_says_what_each_effort_gives_and_costs(tmp_path):
    pytest.importorskip("faiss")
    trial = index_trial(tmp_path, 1500, WIDTH, {"ivf": (1, 38)}, queries=20, rounds=5, in_memory={"ivf": (1, 38)})
    hasty, thorough = trial.trades
    assert (trial.vectors, trial.vector_bytes) == (1500, 4 * 1500 * WIDTH)
    assert hasty.recall.value < thorough.recall.value == 1
    assert trial.best(0.99) is thorough
    assert trial.best(1.01) is None
    assert all(t.low <= t.speedup <= t.high and t.seconds > 0 for t in trial.trades)
    assert trial.built[0].nbytes > trial.vector_bytes
    assert trial.memory_seconds > 0
    assert trial.in_memory[0].recall.value < trial.in_memory[1].recall.value == 1
    assert "faiss ivf" in str(trial)
    assert "recall@10" in str(trial)


def test_generated_vectors_come_in_pieces_and_lie_as_far_from_their_centre_as_said(monkeypatch):
    monkeypatch.setattr(generated, "BATCH", 500)
    drawing = clusters(512, 20, spread=1.0)
    vectors = np.concatenate(list(drawing.batches(800, seed=4)))
    assert vectors.dtype == np.float32
    assert len(vectors) == 800
    np.testing.assert_array_equal(vectors[500:], drawing.draw(300, seed=5))  # pieces have seeds of their own
    to_centre = (vectors @ drawing.centres.T).max(axis=1)
    np.testing.assert_allclose(to_centre, 1 / 2**0.5, atol=0.15)  # noise as long as the centre, at right angles to it
    assert abs(to_centre.mean() - 1 / 2**0.5) < 0.01


def test_the_noise_of_queries_has_nothing_to_do_with_the_centres():
    """One stream of random numbers for both would make the noise of the first queries the first centres."""
    drawing = clusters(64, 50, spread=1000.0, seed=3)  # so much noise that a vector is nothing else
    assert np.abs(drawing.draw(50, seed=3) @ drawing.centres.T).max() < 0.7
