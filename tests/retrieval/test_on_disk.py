"""An index built in shards and searched from disk equals one built in memory."""

from __future__ import annotations

import faiss
import numpy as np
import pytest

from tfretrieval.artifacts import CorruptArtifact
from tfretrieval.embedding.store import Embeddings
from tfretrieval.errors import UserError
from tfretrieval.retrieval import on_disk as module
from tfretrieval.retrieval.faiss import LISTS, FaissRetriever
from tfretrieval.retrieval.index import Index
from tfretrieval.retrieval.on_disk import allocated_bytes, default_factory, exceeds, fit_on_disk
from tfretrieval.retrieval.settings import FaissSettings, KNNSettings, load_retriever
from tfretrieval.retrieval.transformed import TransformedVectors
from tfretrieval.workflows.index import IndexRequest, build_index

N, DIM = 3000, 16
MEMORY = 200 << 20


@pytest.fixture(scope="module")
def vectors():
    rng = np.random.default_rng(0)
    centers = rng.normal(size=(60, DIM))
    return (centers[rng.integers(0, 60, N)] + 0.4 * rng.normal(size=(N, DIM))).astype(np.float32)


@pytest.fixture(scope="module")
def store(vectors, tmp_path_factory):
    directory = tmp_path_factory.mktemp("store") / "s"
    Embeddings.from_arrays(vectors, provenance={"model": "m"}).save(directory)
    return Embeddings.load(directory)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@pytest.mark.parametrize("factory", ["IVF8,Flat", "IVF8,SQ8", "IVF4,PQ4x4"])
@pytest.mark.parametrize("rows", [700, N])
def test_it_equals_an_index_built_in_memory(vectors, factory, metric, rows, tmp_path, monkeypatch):
    blocks = module.blocks
    monkeypatch.setattr(module, "blocks", lambda total, size: blocks(total, rows))
    source = TransformedVectors(vectors, metric=metric)
    built = fit_on_disk(FaissRetriever(factory, metric, {"nprobe": 3}), source, MEMORY, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [LISTS]
    expected = faiss.index_factory(DIM, factory, built.index_.metric_type)
    expected.cp.seed, expected.cp.max_points_per_centroid, expected.cp.min_points_per_centroid = 1, 64, 1
    expected.train(source[:])
    expected.add(source[:])
    expected.nprobe = 3
    assert built.n_items_ == N
    np.testing.assert_array_equal(built.index_.search(source[:20], 5)[1], expected.search(source[:20], 5)[1])


def test_a_saved_and_moved_index_gives_the_same_neighbors(vectors, tmp_path, capfd):
    (tmp_path / "work").mkdir()
    retriever = fit_on_disk(FaissRetriever("IVF16,Flat"), TransformedVectors(vectors), MEMORY, tmp_path / "work")
    expected = retriever.kneighbors(vectors[:30], 7)
    retriever.save(tmp_path / "r")
    (tmp_path / "r").rename(tmp_path / "moved")
    for mmap in (False, True):
        loaded = load_retriever(tmp_path / "moved", mmap)
        for found, wanted in zip(loaded.kneighbors(vectors[:30], 7), expected):
            np.testing.assert_array_equal(found, wanted)
        for change in (lambda loaded=loaded: loaded.add(vectors[:1]), lambda loaded=loaded: loaded.remove([0])):
            with pytest.raises(UserError, match="mmap"):
                change()
    loaded.save(tmp_path / "copy")
    np.testing.assert_array_equal(load_retriever(tmp_path / "copy").kneighbors(vectors[:30], 7)[1], expected[1])
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize("damage", ["cut", "gone", "other"])
def test_corrupt_lists_are_reported_in_one_line(vectors, tmp_path, damage):
    (tmp_path / "work").mkdir()
    fit_on_disk(FaissRetriever("IVF16,Flat"), TransformedVectors(vectors), MEMORY, tmp_path / "work").save(
        tmp_path / "r"
    )
    lists = tmp_path / "r" / LISTS
    content = lists.read_bytes()
    lists.unlink()
    if damage != "gone":
        lists.write_bytes(content[:-100] if damage == "cut" else b"x" * len(content))
    with pytest.raises(CorruptArtifact) as error:
        load_retriever(tmp_path / "r", mmap=True)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@pytest.mark.parametrize("pca", [None, 6])
def test_the_memory_limit_decides_how_an_index_is_built(vectors, store, tmp_path, monkeypatch, metric, pca):
    settings = FaissSettings(metric, pca)
    request = IndexRequest(memory_limit=allocated_bytes() + MEMORY)
    monkeypatch.setattr(module, "exceeds", lambda limit, vectors: True)
    index = build_index(tmp_path / "i", store, settings, request)
    assert index.retriever.factory == "IVF64,Flat"
    assert index.settings == settings
    assert sorted(path.name for path in tmp_path.iterdir()) == ["i"]
    index.retriever.set_search({"nprobe": 64})
    exact = Index.build(store, KNNSettings(metric, pca)).search(vectors[:20], 5)
    found = index.search(vectors[:20], 5)
    np.testing.assert_array_equal(found.rows, exact.rows)
    np.testing.assert_allclose(found.distances, exact.distances, atol=2e-3)
    monkeypatch.undo()
    assert not exceeds(request.memory_limit, store.vectors)
    assert build_index(tmp_path / "j", store, settings, request).retriever.is_exact


@pytest.mark.parametrize("factory", ["Flat", "HNSW8", "IVF8,PQ4x4fs", "OPQ4,IVF8,PQ4"])
def test_other_index_types_are_refused(vectors, factory, tmp_path):
    with pytest.raises(UserError, match="IVFn"):
        fit_on_disk(FaissRetriever(factory), TransformedVectors(vectors), MEMORY, tmp_path)


def test_too_little_memory_is_refused_and_nothing_is_left(store, tmp_path):
    with pytest.raises(UserError, match="memory limit"):
        build_index(tmp_path / "i", store, FaissSettings(), IndexRequest(memory_limit=1000))
    with pytest.raises(UserError, match="3000 centroids"):
        fit_on_disk(FaissRetriever("IVF4096,Flat"), TransformedVectors(store.vectors), MEMORY, tmp_path)
    with pytest.raises(UserError, match="--memory-limit"):
        build_index(tmp_path / "i", store, KNNSettings(), IndexRequest(memory_limit=1000))
    assert not list(tmp_path.iterdir())


def test_the_default_number_of_lists_grows_with_the_gallery_and_the_memory():
    assert default_factory(5_000_000, 128, 900 << 20) == "IVF8192,Flat"
    assert default_factory(5_000_000, 1280, 100 << 20) == "IVF128,Flat"
    assert default_factory(3, 8, MEMORY) == "IVF1,Flat"
