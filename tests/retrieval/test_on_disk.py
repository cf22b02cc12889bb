"""An index that is built in shards is the one that is built at once."""

from __future__ import annotations

import faiss
import numpy as np
import pytest

from tfretrieval.embedding.store import Embeddings
from tfretrieval.errors import UserError
from tfretrieval.retrieval import load_retriever
from tfretrieval.retrieval import on_disk as module
from tfretrieval.retrieval.faiss import FaissRetriever
from tfretrieval.retrieval.index import Index
from tfretrieval.retrieval.on_disk import LISTS, build_sharded, default_factory, resident_bytes
from tfretrieval.retrieval.recall import recall_against_exact, recall_streamed
from tfretrieval.retrieval.settings import IndexSettings
from tfretrieval.retrieval.streamed import Streamed, raw_rows
from tfretrieval.retrieval.transform import Transform
from tfretrieval.workflows.index import build_index

N, DIM = 3000, 16
MEMORY = 200 << 20


@pytest.fixture(scope="module")
def vectors():
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(60, DIM))
    return (centres[rng.integers(0, 60, N)] + 0.4 * rng.normal(size=(N, DIM))).astype(np.float32)


@pytest.fixture(scope="module")
def store(vectors, tmp_path_factory):
    folder = tmp_path_factory.mktemp("store") / "s"
    Embeddings.from_arrays(vectors, made_from={"model": "m"}).save(folder)
    return Embeddings.load(folder)


@pytest.fixture(params=[1, 700, N])
def shards(request, monkeypatch):
    """Shards of one, of some and of all vectors."""
    rows = request.param
    count = 40 if rows == 1 else N
    monkeypatch.setattr(module, "_parts", lambda vectors, *_: list(module.blocks(len(vectors), rows)))
    return count


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@pytest.mark.parametrize("factory", ["IVF8,Flat", "IVF8,SQ8", "IVF4,PQ4x4"])
def test_it_is_the_index_that_is_built_at_once(vectors, shards, factory, metric, tmp_path):
    gallery = vectors[:shards]
    source = Streamed(gallery, metric=metric)
    kind = faiss.METRIC_INNER_PRODUCT if metric == "cosine" else faiss.METRIC_L2
    at_once = faiss.index_factory(DIM, factory, kind)
    built = build_sharded(source, faiss.index_factory(DIM, factory, kind), MEMORY, tmp_path)
    at_once.cp.seed, at_once.cp.max_points_per_centroid, at_once.cp.min_points_per_centroid = 1, 64, 1
    everything = source.part(0, len(gallery))
    at_once.train(everything)
    at_once.add(everything)
    assert built.ntotal == len(gallery)
    assert sorted(path.name for path in tmp_path.iterdir()) == [LISTS], "the shards are gone"
    built.nprobe = at_once.nprobe = 3
    for found, expected in zip(built.search(everything[:20], 5), at_once.search(everything[:20], 5)):
        np.testing.assert_array_equal(found, expected)


def test_saved_moved_and_loaded_it_answers_the_same(vectors, store, tmp_path, capfd):
    retriever = FaissRetriever("IVF16,Flat").fit_within(Streamed(store.vectors), MEMORY, tmp_path / "i")
    expected = retriever.kneighbors(vectors[:30], 7)
    retriever.save(tmp_path / "r")
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".tmp")]
    (tmp_path / "r").rename(tmp_path / "moved")
    for mmap in (False, True):
        again = load_retriever(tmp_path / "moved", mmap)
        for found, wanted in zip(again.kneighbors(vectors[:30], 7), expected):
            np.testing.assert_array_equal(found, wanted)
        for change in (lambda again=again: again.add(vectors[:1]), lambda again=again: again.remove([0])):
            with pytest.raises(UserError, match="cannot be changed"):
                change()
    again.save(tmp_path / "copy")
    np.testing.assert_array_equal(load_retriever(tmp_path / "copy").kneighbors(vectors[:30], 7)[1], expected[1])
    again.give_back()
    np.testing.assert_array_equal(again.kneighbors(vectors[:30], 7)[1], expected[1])
    assert not capfd.readouterr().out


@pytest.mark.parametrize("damage", ["cut", "gone", "other"])
def test_damaged_lists_are_one_clear_line(store, tmp_path, damage):
    FaissRetriever("IVF16,Flat").fit_within(Streamed(store.vectors), MEMORY, tmp_path / "i").save(tmp_path / "r")
    lists = tmp_path / "r" / LISTS
    content = lists.read_bytes()
    if damage == "gone":
        lists.unlink()
    else:
        lists.write_bytes(content[:-100] if damage == "cut" else b"x" * len(content))
    with pytest.raises(UserError, match=r"is damaged .*; rebuild it with `tfret index`") as damaged:
        load_retriever(tmp_path / "r", mmap=True)
    assert "\n" not in str(damaged.value)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@pytest.mark.parametrize("pca", [None, 6])
def test_the_limit_decides_how_an_index_is_built(vectors, store, tmp_path, monkeypatch, metric, pca):
    settings = IndexSettings("faiss", metric, pca)
    monkeypatch.setattr("tfretrieval.retrieval.index.beyond", lambda limit, vectors: True)
    index = build_index(tmp_path / "i", store, settings, memory_limit=resident_bytes() + MEMORY)
    assert index.retriever.factory == "IVF64,Flat"
    again = Index.load(tmp_path / "i", mmap=True)
    assert again.settings == settings
    index.retriever.set_search({"nprobe": 64})
    exact = Index.build(store, IndexSettings("knn", metric, pca))
    for found, expected in zip(index.search(vectors[:20], 5), exact.search(vectors[:20], 5)):
        np.testing.assert_allclose(found, expected, atol=2e-3)
    monkeypatch.undo()
    assert build_index(tmp_path / "j", store, settings, memory_limit=resident_bytes() + MEMORY).retriever.is_exact


def test_the_recall_of_streamed_vectors_is_that_of_vectors_in_memory(vectors, monkeypatch):
    monkeypatch.setattr("tfretrieval.retrieval.recall.ROWS_A_PART", 500)
    for metric in ("euclidean", "cosine"):
        retriever = FaissRetriever("IVF32,Flat", metric, {"nprobe": 2}).fit(vectors)
        streamed = recall_streamed(retriever, Streamed(vectors, metric=metric), n_queries=N)
        assert 0.3 < streamed < 0.999
        assert streamed == pytest.approx(recall_against_exact(retriever, vectors, n_queries=N), abs=1e-3)


def test_streamed_vectors_are_those_of_the_map(vectors, store):
    assert isinstance(store.vectors, np.memmap)
    np.testing.assert_array_equal(raw_rows(store.vectors, 17, 90), vectors[17:90])
    transform = Transform(pca=3).fit(vectors)
    streamed = Streamed(store.vectors, transform, "cosine")
    whole = np.concatenate([part for _, part in streamed.parts(999)])
    expected = transform.transform(vectors)
    np.testing.assert_allclose(whole, expected / np.linalg.norm(expected, axis=1, keepdims=True), atol=1e-6)
    rows, sample = streamed.sample(50, seed=3)
    assert len(set(rows.tolist())) == 50
    np.testing.assert_array_equal(sample, whole[rows])


def test_the_exact_neighbors_of_streamed_vectors(vectors):
    exact = FaissRetriever().fit(vectors)
    near, rows = Streamed(vectors).neighbors(vectors[:9], 6, rows=700)
    np.testing.assert_array_equal(rows, exact.kneighbors(vectors[:9], 6)[1])
    np.testing.assert_allclose(np.sqrt(np.maximum(near, 0)), exact.kneighbors(vectors[:9], 6)[0], atol=2e-3)


@pytest.mark.parametrize("factory", ["Flat", "HNSW8", "IVF8,PQ4x4fs", "OPQ4,IVF8,PQ4"])
def test_another_kind_of_index_is_refused(vectors, factory, tmp_path):
    with pytest.raises(UserError, match="an index of the kind IVFn,Flat, IVFn,SQ8 or IVFn,PQm can be built"):
        FaissRetriever(factory).fit_within(Streamed(vectors), MEMORY, tmp_path / "i")


def test_too_little_memory_is_refused(store, tmp_path):
    with pytest.raises(
        UserError,
        match=r"leaves \d+ MB beside the \d+ MB in use already; raise it so that 96 MB",
    ):
        Index.build(store, IndexSettings("faiss"), directory=tmp_path / "i", memory_limit=1000)
    with pytest.raises(UserError, match="room to learn 3000 centroids, not 4096"):
        FaissRetriever("IVF4096,Flat").fit_within(Streamed(store.vectors), MEMORY, tmp_path / "i")
    with pytest.raises(UserError, match="--retriever faiss builds one in shards"):
        Index.build(store, IndexSettings("knn"), directory=tmp_path / "i", memory_limit=1000)
    assert not list(tmp_path.iterdir())


def test_the_default_grows_with_the_gallery_as_far_as_the_memory_allows():
    assert default_factory(5_000_000, 128, 900 << 20) == "IVF8192,Flat"
    assert default_factory(5_000_000, 1280, 100 << 20) == "IVF128,Flat"
    assert default_factory(3, 8, MEMORY) == "IVF1,Flat"
