"""Maps: kept, drawn from many, and where a query belongs."""

from __future__ import annotations

import numpy as np
import pytest

from tfretrieval.embedding.store import Embeddings
from tfretrieval.errors import UserError
from tfretrieval.serve import maps
from tfretrieval.serve.collection import Collection, Found
from tfretrieval.serve.maps import Map, map_of


def collection(n: int, directory=None, seed: int = 0) -> Collection:
    vectors = np.random.default_rng(seed).normal(size=(n, 6)).astype(np.float32)
    gallery = Embeddings.from_arrays(vectors, labels=np.arange(n) % 3)
    return Collection("made up", gallery, gallery, {}, directory=directory)


def test_a_query_lies_where_the_neighbor_in_the_midst_of_the_others_does():
    points = np.array([[0, 0], [1, 0], [0.9, 0.1], [0.8, -0.1], [-1, 1]], np.float32)
    made = Map(np.array([2, 4, 6, 8, 9], np.int32), points)
    found = [Found(row, 0.1) for row in (9, 4, 6, 8, 2)]
    assert made.place(found) == pytest.approx([0.9, 0.1])
    assert made.place([Found(9, 0.1)]) == [-1, 1]


def test_neighbors_that_are_not_on_the_map_do_not_count():
    made = Map(np.array([2, 4], np.int32), np.array([[0, 0], [1, 1]], np.float32))
    assert made.place([Found(3, 0.1), Found(4, 0.2)]) == [1, 1]
    assert made.place([Found(3, 0.1), Found(99, 0.2)]) is None
    assert made.place([]) is None


def test_a_map_is_kept_until_the_gallery_changes(tmp_path, monkeypatch):
    first = map_of(collection(30, tmp_path), "tsne")
    with monkeypatch.context() as patch:
        patch.setattr(maps, "project", lambda *_: pytest.fail("it was laid out again"))
        again = map_of(collection(30, tmp_path), "tsne")
    np.testing.assert_array_equal(first.points, again.points)
    assert np.abs(first.points).max() == pytest.approx(1)
    other = map_of(collection(30, tmp_path, seed=1), "tsne")
    assert not np.allclose(other.points, first.points)


def test_a_map_that_was_damaged_is_made_anew(tmp_path):
    first = map_of(collection(30, tmp_path), "tsne")
    (tmp_path / "tsne" / "points.npy").write_bytes(b"damaged")
    np.testing.assert_array_equal(map_of(collection(30, tmp_path), "tsne").points, first.points)


def test_of_too_many_items_some_are_drawn(monkeypatch):
    monkeypatch.setitem(maps.MOST, "tsne", 12)
    made = map_of(collection(40), "tsne")
    assert len(made.rows) == len(made.points) == 12
    assert (np.diff(made.rows) > 0).all()


def test_too_few_items_are_a_users_mistake():
    with pytest.raises(UserError, match="at least 4"):
        map_of(collection(3), "umap")
