import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.neighbors import NearestNeighbors

from tfretrieval.artifacts import CorruptArtifact
from tfretrieval.errors import UserError
from tfretrieval.retrieval.base import Retriever
from tfretrieval.retrieval.faiss import FaissRetriever
from tfretrieval.retrieval.knn import KNNRetriever
from tfretrieval.retrieval.settings import load_class, load_retriever
from tfretrieval.retrieval.transform import Transform

KINDS = ["knn", "faiss"]
METRICS = ["euclidean", "cosine"]
both = pytest.mark.parametrize("kind", KINDS)
either = pytest.mark.parametrize("metric", METRICS)


def make_retriever(kind, **options):
    return load_class(kind)(**options)


def vectors(n, d=16, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


def by_definition(queries, gallery, metric):
    queries, gallery = queries.astype(np.float64), gallery.astype(np.float64)
    if metric == "euclidean":
        return np.array([[np.linalg.norm(q - g) for g in gallery] for q in queries])
    return np.array([[1 - (q @ g) / ((np.linalg.norm(q) * np.linalg.norm(g)) or 1) for g in gallery] for q in queries])


@both
@either
@pytest.mark.parametrize("k", [1, 5, 100])
def test_neighbors_and_distances_are_those_of_the_definition(kind, metric, k):
    gallery, queries = vectors(100), vectors(20, seed=1)
    truth = by_definition(queries, gallery, metric)
    distances, rows = make_retriever(kind, metric=metric).fit(gallery).kneighbors(queries, k)
    assert distances.dtype == np.float32
    assert rows.dtype == np.int64
    np.testing.assert_array_equal(rows, np.argsort(truth, axis=1)[:, :k])
    np.testing.assert_allclose(distances, np.sort(truth, axis=1)[:, :k], rtol=1e-5, atol=1e-6)


@either
@pytest.mark.parametrize("transform", [None, Transform(pca=8, renormalize=True)])
def test_knn_and_faiss_find_the_same_neighbors(metric, transform):
    gallery, queries = vectors(2000, 32), vectors(100, 32, seed=1)
    if transform is not None:
        gallery = transform.fit_transform(gallery)
        queries = transform.transform(queries)
    answers = [make_retriever(kind, metric=metric).fit(gallery).kneighbors(queries, 20) for kind in KINDS]
    np.testing.assert_array_equal(answers[0][1], answers[1][1])
    np.testing.assert_array_equal(answers[0][0], answers[1][0])


@both
@either
@pytest.mark.parametrize("offset", [0, 1000])
def test_equal_vectors_are_at_distance_zero(kind, metric, offset):
    gallery = vectors(300, 64) + offset
    distances, rows = make_retriever(kind, metric=metric).fit(gallery).kneighbors(gallery, 1)
    np.testing.assert_array_equal(distances, 0)
    np.testing.assert_array_equal(rows[:, 0], np.arange(300))


@both
@either
@pytest.mark.parametrize("k", [1, 7, 30, 200])
def test_equally_near_items_are_in_the_order_of_rows(kind, metric, k):
    rng = np.random.default_rng(0)
    few = vectors(4)
    gallery = few[rng.integers(0, 4, 200)]
    _, rows = make_retriever(kind, metric=metric).fit(gallery).kneighbors(few, k)
    truth = by_definition(few, gallery, metric).round(5)
    np.testing.assert_array_equal(rows, np.argsort(truth, axis=1, kind="stable")[:, :k])


@both
def test_digits_that_single_precision_loses_do_not_change_the_neighbors(kind):
    gallery, queries = vectors(500, 8) + 3000, vectors(50, 8, seed=1) + 3000
    truth = by_definition(queries, gallery, "euclidean")
    distances, rows = make_retriever(kind).fit(gallery).kneighbors(queries, 5)
    np.testing.assert_array_equal(rows, np.argsort(truth, axis=1)[:, :5])
    np.testing.assert_allclose(distances, np.sort(truth, axis=1)[:, :5], rtol=1e-6)


def test_knn_and_faiss_agree_with_scikit_learn_and_the_definition():
    gallery, queries = vectors(500), vectors(40, seed=1)
    distances, rows = NearestNeighbors(n_neighbors=10, algorithm="brute").fit(gallery).kneighbors(queries)
    for kind in KINDS:
        found = make_retriever(kind).fit(gallery).kneighbors(queries, 10)
        np.testing.assert_array_equal(found[1], rows)
        np.testing.assert_allclose(found[0], distances, atol=1e-5)
    np.testing.assert_array_equal(rows, np.argsort(by_definition(queries, gallery, "euclidean"), axis=1)[:, :10])


def test_a_retriever_has_few_public_methods():
    public = [name for name in dir(Retriever) if not name.startswith("_") and callable(getattr(Retriever, name))]
    assert len(public) <= 8


@settings(max_examples=60, deadline=None)
@given(st.data(), st.sampled_from(KINDS), st.sampled_from(METRICS))
def test_fewer_neighbors_are_the_first_of_more(data, kind, metric):
    seed = data.draw(st.integers(0, 10_000))
    gallery = np.random.default_rng(seed).integers(-2, 3, size=(data.draw(st.integers(1, 80)), 3))
    queries = np.random.default_rng(seed + 1).integers(-2, 3, size=(5, 3))
    k = data.draw(st.integers(1, len(gallery)))
    retriever = make_retriever(kind, metric=metric).fit(gallery)
    distances, rows = retriever.kneighbors(queries, k)
    all_distances, all_rows = retriever.kneighbors(queries, len(gallery))
    np.testing.assert_array_equal(rows, all_rows[:, :k])
    np.testing.assert_array_equal(distances, all_distances[:, :k])
    assert (np.sort(all_rows, axis=1) == np.arange(len(gallery))).all()
    assert (np.diff(all_distances, axis=1) >= 0).all()


@both
def test_the_cosine_distance_to_zeros_is_one(kind):
    gallery = np.vstack([np.zeros((1, 4)), vectors(40, 4)])
    retriever = make_retriever(kind, metric="cosine").fit(gallery)
    distances, rows = retriever.kneighbors(vectors(3, 4, seed=1), 41)
    np.testing.assert_array_equal(distances[rows == 0], 1)
    np.testing.assert_array_equal(retriever.kneighbors(np.zeros((1, 4)), 3)[0], 1)


@both
@pytest.mark.parametrize("k", [0, -1, 11])
def test_k_out_of_range_names_the_size_of_the_gallery(kind, k):
    with pytest.raises(UserError, match="10"):
        make_retriever(kind).fit(vectors(10)).kneighbors(vectors(2), k)


@both
def test_invalid_input_is_refused(kind):
    with pytest.raises(UserError, match="euclidean, cosine"):
        make_retriever(kind, metric="manhattan").fit(vectors(5))
    with pytest.raises(UserError, match="empty"):
        make_retriever(kind).fit(vectors(0))
    with pytest.raises(UserError, match="NaN"):
        make_retriever(kind).fit(np.full((3, 2), np.nan))
    with pytest.raises(UserError, match="not fitted"):
        make_retriever(kind).kneighbors(vectors(1), 1)
    with pytest.raises(UserError, match="dimensions"):
        make_retriever(kind).fit(vectors(5)).kneighbors(vectors(1, 3), 1)


@both
def test_no_queries_have_no_neighbors(kind):
    distances, rows = make_retriever(kind).fit(vectors(5)).kneighbors(vectors(0), 2)
    assert distances.shape == rows.shape == (0, 2)


@both
def test_a_clone_is_unfitted_with_the_same_options(kind):
    copy = clone(make_retriever(kind, metric="cosine").fit(vectors(5)))
    assert copy.metric == "cosine"
    with pytest.raises(UserError, match="not fitted"):
        copy.kneighbors(vectors(1), 1)


@both
@either
def test_a_loaded_retriever_gives_the_same_neighbors_in_another_process(kind, metric, tmp_path):
    retriever = make_retriever(kind, metric=metric).fit(vectors(50))
    retriever.save(tmp_path / "index")
    queries = vectors(10, seed=1)
    np.save(tmp_path / "queries.npy", queries)
    code = (
        "import sys, numpy as np; from tfretrieval.retrieval.settings import load_retriever; d = sys.argv[1]; "
        "found = load_retriever(d + '/index').kneighbors(np.load(d + '/queries.npy'), 7); "
        "np.savez(d + '/found.npz', *found); assert 'tensorflow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
    found = np.load(tmp_path / "found.npz")
    distances, rows = retriever.kneighbors(queries, 7)
    np.testing.assert_array_equal(found["arr_0"], distances)
    np.testing.assert_array_equal(found["arr_1"], rows)


def test_the_wrong_kind_or_format_is_refused(tmp_path):
    KNNRetriever().fit(vectors(5)).save(tmp_path)
    with pytest.raises(CorruptArtifact, match="knn"):
        FaissRetriever.load(tmp_path)
    header = json.loads((tmp_path / "retriever.json").read_text())
    (tmp_path / "retriever.json").write_text(json.dumps(header | {"format": 99}))
    with pytest.raises(CorruptArtifact, match="format 99"):
        load_retriever(tmp_path)
    (tmp_path / "retriever.json").write_text("[]")
    with pytest.raises(CorruptArtifact, match=r"retriever\.json"):
        load_retriever(tmp_path)


@both
def test_corrupt_files_are_reported_in_one_line(kind, tmp_path):
    retriever = make_retriever(kind).fit(vectors(50))
    retriever.save(tmp_path)
    data = tmp_path / retriever.data_file
    whole = data.read_bytes()
    for damaged in (whole[:-8], b"", whole[:200] + b"\xff" + whole[201:]):
        data.write_bytes(damaged)
        with pytest.raises(CorruptArtifact) as caught:
            load_retriever(tmp_path)
        assert "\n" not in str(caught.value)
    data.unlink()
    with pytest.raises(CorruptArtifact):
        load_retriever(tmp_path)


@both
def test_retriever_and_transform_can_share_a_directory(kind, tmp_path):
    transform = Transform(pca=3).fit(vectors(20))
    make_retriever(kind).fit(transform.transform(vectors(20))).save(tmp_path)
    transform.save(tmp_path)
    found = load_retriever(tmp_path).kneighbors(Transform.load(tmp_path).transform(vectors(20)), 1)[1]
    np.testing.assert_array_equal(found[:, 0], np.arange(20))
