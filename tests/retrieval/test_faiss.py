import faiss
import numpy as np
import pytest

from tfretrieval.errors import UserError
from tfretrieval.retrieval.faiss import FaissRetriever
from tfretrieval.retrieval.knn import KNNRetriever
from tfretrieval.retrieval.settings import load_retriever


def vectors(n, d=16, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


@pytest.mark.parametrize(
    ("factory", "exact"),
    [
        ("Flat", True),
        ("IDMap,Flat", True),
        ("IDMap2,Flat", True),
        ("HNSW16", False),
        ("SQ8", False),
        ("IVF4,Flat", False),
        ("PCA8,Flat", False),
        ("IVF4,PQ4x4", False),
    ],
)
@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_any_factory_string_finds_the_query_itself(factory, exact, metric, tmp_path):
    gallery = vectors(400)
    retriever = FaissRetriever(factory, metric).fit(gallery)
    assert retriever.is_exact is exact
    distances, rows = retriever.kneighbors(gallery[:50], 5)
    assert distances.min() >= 0
    assert (rows == np.arange(50)[:, None]).any(axis=1).mean() > 0.8
    retriever.save(tmp_path)
    again = load_retriever(tmp_path)
    np.testing.assert_array_equal(again.kneighbors(gallery[:50], 5)[1], rows)
    assert again.is_exact is exact


@pytest.mark.parametrize("factory", ["HNSW32", "IVF4,Flat"])
@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_distances_of_approximate_indexes_agree_with_the_exact_ones(factory, metric):
    gallery, queries = vectors(300), vectors(20, seed=1)
    truth, true_rows = KNNRetriever(metric=metric).fit(gallery).kneighbors(queries, 300)
    distances, rows = FaissRetriever(factory, metric).fit(gallery).kneighbors(queries, 10)
    for query in range(20):
        of_row = dict(zip(true_rows[query].tolist(), truth[query].tolist()))
        expected = [of_row[row] for row in rows[query].tolist()]
        np.testing.assert_allclose(distances[query], expected, rtol=1e-5, atol=1e-6)


def test_missing_neighbors_have_row_minus_1_at_infinite_distance():
    gallery = np.repeat(np.eye(4, 16, dtype=np.float32) * 10, 50, axis=0) + vectors(200) * 0.01
    retriever = FaissRetriever("IVF4,Flat", search={"nprobe": 1}).fit(gallery)
    distances, rows = retriever.kneighbors(gallery[:1], 200)
    found = rows[0] >= 0
    assert 0 < found.sum() < 200
    assert not found[np.argmin(found) :].any()
    assert np.isinf(distances[0][~found]).all()
    assert np.isfinite(distances[0][found]).all()


@pytest.mark.parametrize(("nlist", "nprobe"), [(4, 4), (32, 8), (256, 16)])
def test_default_nprobe_grows_with_the_lists(nlist, nprobe, tmp_path):
    gallery = vectors(39 * nlist, 4)
    retriever = FaissRetriever(f"IVF{nlist},Flat").fit(gallery)
    retriever.save(tmp_path)
    for one in (retriever, load_retriever(tmp_path)):
        assert faiss.extract_index_ivf(one.index_).nprobe == nprobe


def test_search_parameters_are_applied_and_saved(tmp_path):
    retriever = FaissRetriever("IVF16,Flat", search={"nprobe": 3}).fit(vectors(700))
    retriever.save(tmp_path / "ivf")
    assert faiss.extract_index_ivf(retriever.index_).nprobe == 3
    assert faiss.extract_index_ivf(load_retriever(tmp_path / "ivf").index_).nprobe == 3
    graph = FaissRetriever("HNSW16", search={"efSearch": 77}).fit(vectors(50))
    assert graph.index_.hnsw.efSearch == 77


@pytest.mark.parametrize(
    "search",
    [
        {"nprobe": 4},
        {"efSearch": 0},
        {"efSearch": "x"},
    ],
)
def test_invalid_search_parameters_are_refused_by_name(search):
    with pytest.raises(UserError, match=next(iter(search))):
        FaissRetriever("HNSW16", search=search).fit(vectors(50))


def test_more_probes_never_find_less():
    gallery, queries = vectors(1500), vectors(50, seed=1)
    truth = KNNRetriever().fit(gallery).kneighbors(queries, 10)[1]
    shares = []
    for nprobe in (1, 8, 32):
        rows = FaissRetriever("IVF32,Flat", search={"nprobe": nprobe}).fit(gallery).kneighbors(queries, 10)[1]
        shares.append(np.mean([len(set(a) & set(b)) for a, b in zip(rows, truth)]) / 10)
    assert shares[0] < shares[1] < shares[2] == 1


@pytest.mark.parametrize("factory", ["Nonsense", "", "PQ7", 5, None])
def test_an_invalid_factory_string_is_named_in_one_line(factory):
    with pytest.raises(UserError, match="FAISS") as caught:
        FaissRetriever(factory).fit(vectors(50))
    assert repr(factory) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_few_points_per_centroid_give_a_warning_and_too_few_an_error(caplog):
    FaissRetriever("IVF8,Flat").fit(vectors(100))
    assert "12 gallery items per centroid" in caplog.text
    with pytest.raises(UserError, match="at least 128 gallery items"):
        FaissRetriever("IVF128,Flat").fit(vectors(100))
    with pytest.raises(UserError, match="FAISS"):
        FaissRetriever("PQ4").fit(vectors(100))


def test_enough_points_per_centroid_give_no_warning(caplog):
    FaissRetriever("IVF4,Flat").fit(vectors(4 * 39))
    assert "centroid" not in caplog.text


def test_the_search_is_that_of_the_faiss_index(monkeypatch):
    gallery = vectors(100)
    retriever = FaissRetriever().fit(gallery)
    searched = []
    search = faiss.IndexFlat.search
    monkeypatch.setattr(faiss.IndexFlat, "search", lambda self, x, k: searched.append(len(x)) or search(self, x, k))
    retriever.kneighbors(gallery[:1], 3)
    retriever.kneighbors(gallery[:40], 100)
    assert searched == [1, 40]
