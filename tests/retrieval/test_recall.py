"""Recall of an index against exact search."""

from __future__ import annotations

import numpy as np
import pytest

from tfretrieval.errors import UserError
from tfretrieval.retrieval.faiss import FaissRetriever
from tfretrieval.retrieval.knn import KNNRetriever
from tfretrieval.retrieval.recall import is_true_neighbor, recall_at_k, true_neighbors
from tfretrieval.retrieval.transformed import TransformedVectors


def vectors(n, d=16, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_exact_retrievers_have_a_recall_of_1(metric):
    for retriever in (KNNRetriever(metric), FaissRetriever(metric=metric)):
        assert recall_at_k(retriever.fit(vectors(300)), TransformedVectors(vectors(300), metric=metric)) == 1


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@pytest.mark.parametrize("block", [100, 1 << 16])
def test_recall_is_the_overlap_with_the_true_neighbors(metric, block, monkeypatch):
    monkeypatch.setattr("tfretrieval.retrieval.recall.ROWS_PER_BLOCK", block)
    gallery = vectors(1300)
    retriever = FaissRetriever("IVF32,Flat", metric, {"nprobe": 2}).fit(gallery)
    truth = KNNRetriever(metric).fit(gallery).kneighbors(gallery, 11)[1][:, 1:]
    found = retriever.kneighbors(gallery, 11)[1][:, 1:]
    expected = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(found, truth)])
    recall = recall_at_k(retriever, TransformedVectors(gallery, metric=metric), 10, n_queries=1300)
    assert 0.1 < recall < 0.9
    assert recall == pytest.approx(expected, abs=1e-3)


def test_any_of_several_equally_near_items_is_right_and_missing_ones_are_wrong():
    gallery = TransformedVectors(np.float32([[0], [1], [1], [1], [5]]))
    query = np.float32([[0]])
    limits = true_neighbors(gallery, query, 2).distances[:, -1:]
    for rows, right in (([0, 3], [1, 1]), ([3, 2], [1, 1]), ([0, 4], [1, 0]), ([0, -1], [1, 0])):
        assert is_true_neighbor(gallery, query, np.array([rows]), limits).tolist() == [list(map(bool, right))]


def test_the_sample_of_queries_follows_the_seed():
    gallery = vectors(1300)
    retriever = FaissRetriever("IVF32,Flat", search={"nprobe": 2}).fit(gallery)
    recalls = [recall_at_k(retriever, TransformedVectors(gallery), 10, 20, seed) for seed in (0, 0, 1, 2, 3)]
    assert recalls[0] == recalls[1]
    assert len(set(recalls)) > 1


def test_another_gallery_and_k_out_of_range_are_refused():
    retriever = KNNRetriever().fit(vectors(30))
    with pytest.raises(UserError, match="31"):
        recall_at_k(retriever, TransformedVectors(vectors(31)))
    with pytest.raises(UserError, match="29"):
        recall_at_k(retriever, TransformedVectors(vectors(30)), k=30)
