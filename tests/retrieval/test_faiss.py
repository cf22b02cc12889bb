import faiss
import numpy as np
import pytest

from tfretrieval.errors import UserError
from tfretrieval.retrieval import FaissRetriever, KNNRetriever, load_retriever


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
def test_any_factory_string_finds_a_vector_by_itself(factory, exact, metric, tmp_path):
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


def test_too_few_items_in_the_lists_are_padded():
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


def test_search_parameters_are_set_and_kept(tmp_path):
    retriever = FaissRetriever("IVF16,Flat", search={"nprobe": 3}).fit(vectors(700))
    retriever.save(tmp_path / "ivf")
    assert faiss.extract_index_ivf(retriever.index_).nprobe == 3
    assert faiss.extract_index_ivf(load_retriever(tmp_path / "ivf").index_).nprobe == 3
    graph = FaissRetriever("HNSW16", search={"efSearch": 77}).fit(vectors(50))
    assert graph.index_.hnsw.efSearch == 77


@pytest.mark.parametrize(
    ("search", "words"),
    [
        ({"nprobe": 4}, "no search parameter 'nprobe'"),
        ({"efSearch": 0}, "above 0"),
        ({"efSearch": "x"}, "above 0"),
    ],
)
def test_search_parameters_that_the_index_has_not_are_refused(search, words):
    with pytest.raises(UserError, match=words):
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
def test_a_bad_factory_string_is_repeated_in_one_line(factory):
    with pytest.raises(UserError, match="cannot make the index") as caught:
        FaissRetriever(factory).fit(vectors(50))
    assert repr(factory) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_few_points_a_centroid_are_warned_of_and_too_few_refused(caplog):
    FaissRetriever("IVF8,Flat").fit(vectors(100))
    assert "12 gallery items a centroid" in caplog.text
    with pytest.raises(UserError, match="at least 128 gallery items"):
        FaissRetriever("IVF128,Flat").fit(vectors(100))
    with pytest.raises(UserError, match="cannot fill"):
        FaissRetriever("PQ4").fit(vectors(100))


def test_enough_points_a_centroid_are_not_warned_of(caplog):
    FaissRetriever("IVF4,Flat").fit(vectors(4 * 39))
    assert "centroid" not in caplog.text
