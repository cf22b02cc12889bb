"""Maps: cache, sampling and the position of a query."""

from __future__ import annotations

import numpy as np
import pytest

from tfretrieval.embedding.store import Embeddings
from tfretrieval.errors import UserError
from tfretrieval.serve import maps
from tfretrieval.serve.collection import Collection
from tfretrieval.serve.maps import Map, compute_map


@pytest.fixture
def collection(make_collection, tmp_path):
    """Create a collection of n random items; all of a test have one cache directory."""

    def create(n: int, seed: int = 0) -> Collection:
        vectors = np.random.default_rng(seed).normal(size=(n, 6)).astype(np.float32)
        return make_collection(Embeddings.from_arrays(vectors, labels=np.arange(n) % 3), directory=tmp_path)

    return create


def test_a_query_is_at_the_medoid_of_its_neighbors():
    points = np.array([[0, 0], [1, 0], [0.9, 0.1], [0.8, -0.1], [-1, 1]], np.float32)
    computed = Map(np.array([2, 4, 6, 8, 9], np.int32), points)
    assert computed.query_position(np.array([9, 4, 6, 8, 2])) == pytest.approx([0.9, 0.1])
    assert computed.query_position(np.array([9])) == [-1, 1]


def test_neighbors_outside_the_map_are_ignored():
    computed = Map(np.array([2, 4], np.int32), np.array([[0, 0], [1, 1]], np.float32))
    assert computed.query_position(np.array([3, 4])) == [1, 1]
    assert computed.query_position(np.array([3, 99])) is None
    assert computed.query_position(np.array([], np.int64)) is None


def test_a_map_is_cached_until_the_gallery_changes(collection, monkeypatch):
    first = compute_map(collection(30), "tsne")
    with monkeypatch.context() as patch:
        patch.setattr(maps, "project", lambda *_: pytest.fail("the map was computed again"))
        again = compute_map(collection(30), "tsne")
    np.testing.assert_array_equal(first.points, again.points)
    assert np.abs(first.points).max() == pytest.approx(1)
    other = compute_map(collection(30, seed=1), "tsne")
    assert not np.allclose(other.points, first.points)


def test_a_damaged_map_is_recomputed(collection, tmp_path):
    first = compute_map(collection(30), "tsne")
    (tmp_path / "tsne" / "points.npy").write_bytes(b"damaged")
    np.testing.assert_array_equal(compute_map(collection(30), "tsne").points, first.points)


def test_large_galleries_are_sampled(collection, monkeypatch):
    monkeypatch.setitem(maps.MAX_ITEMS, "tsne", 12)
    computed = compute_map(collection(40), "tsne")
    assert len(computed.rows) == len(computed.points) == 12
    assert (np.diff(computed.rows) > 0).all()


def test_too_few_items_raise(collection):
    with pytest.raises(UserError, match="at least 4"):
        compute_map(collection(3), "umap")
