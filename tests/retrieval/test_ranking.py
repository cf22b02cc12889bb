import numpy as np

from tfretrieval.retrieval import KNNRetriever
from tfretrieval.retrieval.ranking import rank_gallery

RETRIEVER = KNNRetriever().fit([[0.0], [1.0], [3.0]])


def test_the_query_itself_is_dropped_by_its_row_and_not_by_its_distance():
    queries = np.array([[0.0], [0.0], [0.0]], np.float32)
    distances, rows = rank_gallery(RETRIEVER, queries, np.array([0, -1, 2]), depth=2)
    assert rows.tolist() == [[1, 2], [0, 1], [0, 1]]
    assert distances.tolist() == [[1, 3], [0, 1], [0, 1]]


def test_a_full_ranking_without_the_query_ends_in_padding():
    distances, rows = rank_gallery(RETRIEVER, np.zeros((2, 1), np.float32), np.array([1, -1]), depth=3)
    assert rows.tolist() == [[0, 2, -1], [0, 1, 2]]
    assert distances.tolist() == [[0, 3, np.inf], [0, 1, 3]]
