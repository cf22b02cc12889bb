"""Search in a collection, worked by hand: items on a line."""

from __future__ import annotations

import numpy as np
import pytest
from starlette.exceptions import HTTPException

from tfretrieval.embedding.store import Embeddings
from tfretrieval.retrieval.index import Index
from tfretrieval.retrieval.settings import settings_for
from tfretrieval.serve.collection import Collection


@pytest.fixture(scope="module")
def collection(make_collection) -> Collection:
    gallery = Embeddings.from_arrays(
        np.array([[0.0], [1], [3], [7]]), [0, 1, 0, -1], ["a", "b"], ["g0", "g1", "g3", "g7"]
    )
    queries = Embeddings.from_arrays(np.array([[2.9]]), [1], ["a", "b"], ["q"])
    index = Index.build(gallery, settings_for("knn", metric="euclidean"))
    return make_collection(gallery, queries, {"knn": index})


def test_neighbors_are_sorted_by_distance(collection):
    neighbors = collection.search(np.float32([2.9]), 3, "knn")
    assert neighbors.rows.tolist() == [[2, 1, 0]]
    np.testing.assert_allclose(neighbors.distances, [[0.1, 1.9, 2.9]], atol=1e-5)


def test_an_item_can_be_excluded(collection):
    assert collection.search(np.float32([3]), 2, "knn", exclude="g3").rows.tolist() == [[1, 0]]


def test_excluding_a_query_that_is_not_in_the_gallery_changes_nothing(collection):
    assert collection.search(np.float32([2.9]), 2, "knn", exclude="q").rows.tolist() == [[2, 1]]


def test_a_class_can_have_fewer_items_than_k(collection):
    assert collection.search(np.float32([0]), 4, "knn", classes=["b"]).rows.tolist() == [[1]]


@pytest.mark.parametrize(
    ("retriever", "reranker", "classes"), [("faiss", "none", ()), ("knn", "x", ()), ("knn", "none", ["c"])]
)
def test_unknown_names_are_rejected(collection, retriever, reranker, classes):
    with pytest.raises(HTTPException) as error:
        collection.search(np.float32([0]), 1, retriever, reranker, classes)
    assert error.value.status_code == 404


def test_items_are_located_in_gallery_and_queries(collection):
    assert collection.locate("g3") == (collection.gallery, 2)
    assert collection.locate("q") == (collection.queries, 0)
    assert "q" in collection
    assert "nobody" not in collection
    with pytest.raises(HTTPException):
        collection.locate("nobody")


def test_an_item_without_a_file_has_no_path(collection):
    with pytest.raises(HTTPException, match="no file"):
        collection.path_of("g3")
