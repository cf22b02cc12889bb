"""The operations of the server, without HTTP."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from starlette.exceptions import HTTPException

from tfretrieval.embedding.store import Embeddings
from tfretrieval.retrieval.index import Index
from tfretrieval.retrieval.settings import settings_for
from tfretrieval.serve.api import audit, search
from tfretrieval.serve.collection import Collection
from tfretrieval.serve.service import Service


@pytest.fixture(scope="module")
def collection(make_collection) -> Collection:
    vectors = np.array([[0.0, 0], [1, 0], [2, 0], [9, 0], [10, 0]])
    gallery = Embeddings.from_arrays(vectors, [0, 0, 1, 1, 1], ["a", "b"], [f"g{i}" for i in range(5)])
    indexes = {kind: Index.build(gallery, settings_for(kind, metric="euclidean")) for kind in ("knn", "faiss")}
    return make_collection(gallery, indexes=indexes)


@pytest.fixture
def line(collection) -> Service:
    return Service(collection)


def test_hits_have_rank_id_label_and_distance(line):
    response = search(line, "g0", 2, ["knn", "faiss"], [])
    assert (response.id, response.label) == ("g0", "a")
    assert [result.retriever for result in response.results] == ["knn", "faiss"]
    for result in response.results:
        assert [(hit.rank, hit.id, hit.label) for hit in result.hits] == [(1, "g1", "a"), (2, "g2", "b")]
        assert [hit.distance for hit in result.hits] == pytest.approx([1, 2])


def test_the_first_retriever_is_the_default_and_methods_are_not_repeated(line):
    assert [result.retriever for result in search(line, "g0", 1, [], []).results] == ["knn"]
    assert len(search(line, "g0", 1, ["knn", "knn"], []).results) == 1


def test_the_vote_is_the_majority_class_unless_classes_are_selected(line):
    assert search(line, "g4", 3, [], []).results[0].vote == "b"
    assert search(line, "g4", 3, [], ["a"]).results[0].vote is None


def test_missing_evaluations_and_unknown_maps_are_rejected(line):
    for call in (lambda: line.evaluation("knn"), lambda: line.map_task("pca")):
        with pytest.raises(HTTPException) as error:
            call()
        assert error.value.status_code == 404


def test_an_audit_is_described_with_its_duplicates(collection):
    group = {"kind": "near duplicate", "ids": ["g0", "gone", "g1"], "labels_differ": True, "splits_differ": False}
    result = {"n_label_issues": 0, "label_issues": [], "duplicates": [], "near_duplicates": [group]}
    service = Service(replace(collection, audit=lambda: result))
    service.audit.result(10)
    state = audit(service)
    assert state.state == "ready"
    (duplicates,) = state.duplicates
    assert (duplicates.kind, duplicates.labels_differ) == ("near duplicate", True)
    assert [item.id for item in duplicates.items] == ["g0", "g1"]


def test_large_galleries_have_no_tsne_map(collection, monkeypatch):
    from tfretrieval.serve import service

    monkeypatch.setattr(service, "MAX_ITEMS", {"umap": 3, "tsne": 3})
    assert list(Service(collection).maps) == ["umap"]
