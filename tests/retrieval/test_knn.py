import numpy as np
from sklearn.neighbors import NearestNeighbors

from tfretrieval.retrieval.knn import KNNRetriever


def test_neighbors_worked_by_hand():
    gallery = [[0.0, 0.0], [3.0, 4.0], [1.0, 0.0], [0.0, 2.0]]
    distances, rows = KNNRetriever().fit(gallery).kneighbors([[0.0, 0.0], [3.0, 0.0]], 4)
    assert rows.tolist() == [[0, 2, 3, 1], [2, 0, 3, 1]]
    np.testing.assert_allclose(distances, [[0, 1, 2, 5], [2, 3, 13**0.5, 4]], rtol=1e-6)


def test_the_cosine_distance_ignores_norms():
    distances, rows = KNNRetriever(metric="cosine").fit([[9.0, 0.0], [0.1, 0.1]]).kneighbors([[5.0, 5.0]], 2)
    assert rows.tolist() == [[1, 0]]
    np.testing.assert_allclose(distances, [[0, 1 - 0.5**0.5]], atol=1e-7)


def test_the_search_is_that_of_scikit_learn(monkeypatch):
    gallery = np.random.default_rng(0).normal(size=(100, 4))
    retriever = KNNRetriever().fit(gallery)
    searched = []
    search = NearestNeighbors.kneighbors

    def counted(self, x, *args, **options):
        searched.append(len(x))
        return search(self, x, *args, **options)

    monkeypatch.setattr(NearestNeighbors, "kneighbors", counted)
    retriever.kneighbors(gallery[:1], 3)
    retriever.kneighbors(gallery[:40], 100)
    assert searched == [1, 40]


def test_it_is_saved_as_the_vectors_it_searches(tmp_path):
    KNNRetriever(metric="cosine").fit([[3.0, 4.0]]).save(tmp_path)
    np.testing.assert_allclose(np.load(tmp_path / "vectors.npy", allow_pickle=False), [[0.6, 0.8]], rtol=1e-6)
