import numpy as np
import pytest

from tfretrieval.errors import UserError
from tfretrieval.retrieval import FaissRetriever, KNNRetriever
from tfretrieval.retrieval.recall import recall_against_exact


def vectors(n, d=16, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


class Canned(KNNRetriever):
    """Returns the rows it is given."""

    rows = np.empty(0)

    def kneighbors(self, X, n_neighbors=5):
        rows = np.tile(self.rows, (len(X), 1))[:, :n_neighbors]
        return np.zeros(rows.shape, np.float32), rows


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_exact_kinds_recall_everything(metric):
    for kind in (KNNRetriever, FaissRetriever):
        retriever = kind(metric=metric).fit(vectors(300))
        assert recall_against_exact(retriever, vectors(300), vectors(50, seed=1)) == 1


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_an_index_that_looks_at_little_recalls_the_share_worked_out_by_sets(metric):
    gallery, queries = vectors(1300), vectors(60, seed=1)
    retriever = FaissRetriever("IVF32,Flat", metric, {"nprobe": 2}).fit(gallery)
    truth = KNNRetriever(metric).fit(gallery).kneighbors(queries, 10)[1]
    found = retriever.kneighbors(queries, 10)[1]
    expected = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(found, truth)])
    recall = recall_against_exact(retriever, gallery, queries, k=10)
    assert 0.1 < recall < 0.9
    assert recall == pytest.approx(expected)


def test_any_of_several_equally_near_items_counts_and_padding_does_not():
    gallery = np.array([[0.0], [1.0], [1.0], [1.0], [5.0]], np.float32)
    retriever = Canned().fit(gallery)
    for rows, share in (([0, 3], 1), ([3, 2], 1), ([0, 4], 0.5), ([0, -1], 0.5)):
        retriever.rows = np.array(rows)
        assert recall_against_exact(retriever, gallery, [[0.0]], k=2) == share


def test_the_sample_of_queries_follows_the_seed():
    gallery, queries = vectors(1300), vectors(400, seed=1)
    retriever = FaissRetriever("IVF32,Flat", search={"nprobe": 2}).fit(gallery)
    recalls = [recall_against_exact(retriever, gallery, queries, 10, 20, seed) for seed in (0, 0, 1, 2, 3)]
    assert recalls[0] == recalls[1]
    assert len(set(recalls)) > 1


def test_gallery_items_that_ask_do_not_find_themselves():
    gallery = vectors(1300)
    retriever = FaissRetriever("IVF32,Flat", search={"nprobe": 2}).fit(gallery)
    truth = KNNRetriever().fit(gallery).kneighbors(gallery, 11)[1][:, 1:]
    found = retriever.kneighbors(gallery, 11)[1][:, 1:]
    expected = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(found, truth)])
    assert recall_against_exact(retriever, gallery, k=10, n_queries=1300) == pytest.approx(expected)
    assert recall_against_exact(KNNRetriever().fit(gallery), gallery, k=10) == 1
    with pytest.raises(UserError, match="has 1299 neighbors"):
        recall_against_exact(retriever, gallery, k=1300)


def test_another_gallery_and_no_query_are_refused():
    retriever = KNNRetriever().fit(vectors(30))
    with pytest.raises(UserError, match="not fitted on these 31"):
        recall_against_exact(retriever, vectors(31), vectors(3))
    with pytest.raises(UserError, match="at least one query"):
        recall_against_exact(retriever, vectors(30), vectors(0))
