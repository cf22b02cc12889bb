"""Re-ranking: a better order of the results of a search, from the vectors of what it returned.

Both methods need a search and vectors only, no labels.
"""

from collections.abc import Callable

import numpy as np

from tfretrieval.errors import UserError
from tfretrieval.retrieval.neighbors import Neighbors

RERANKERS = ("none", "expansion", "reciprocal")
EXPANSION_K, ALPHA = 10, 3.0
RECIPROCAL_K, CANDIDATES, DISTANCE_WEIGHT = 20, 100, 0.3


def rerank(
    name: str, search: Callable[[np.ndarray, int], Neighbors], vectors: np.ndarray, query: np.ndarray, k: int
) -> Neighbors:
    """The k nearest items of one query, re-ranked.

    Args:
        name: "none", "expansion" (`expand_query`) or "reciprocal" (`reciprocal_order`).
        search: from queries float32 [q, d] and k to their neighbors.
        vectors: gallery vectors as they are passed to `search`, float32 [n, d].
        query: float32 [d].
        k: number of neighbors.

    Returns:
        neighbors of the one query. Distances are those of the search: to the query, or to the expanded query.

    Raises:
        UserError: there is no such re-ranker.
    """
    if name == "none":
        return search(query[None], k)
    if name == "expansion":
        rows = search(query[None], EXPANSION_K).rows[0]
        return search(expand_query(query, vectors[rows[rows >= 0]])[None], k)
    if name != "reciprocal":
        raise UserError(f"there is no re-ranker {name!r}", f"choose from {', '.join(RERANKERS)}")
    candidates = search(query[None], max(k, CANDIDATES))
    returned = candidates.rows[0] >= 0
    distances, rows = candidates.distances[:, returned], candidates.rows[:, returned]
    if not rows.size:
        return Neighbors(distances, rows)
    neighbors = search(vectors[rows[0]], RECIPROCAL_K + 1)
    order = reciprocal_order(distances[0], rows[0], neighbors.rows, neighbors.distances[:, -1])[:k]
    return Neighbors(distances[:, order], rows[:, order])


def expand_query(query: np.ndarray, neighbors: np.ndarray, alpha: float = ALPHA) -> np.ndarray:
    """Alpha query expansion (Radenović et al. 2018, section 3.4): a query moved towards its neighbors.

    Each neighbor is weighted by its cosine similarity to the query to the power of alpha; by 0 if that is negative. The
    result has the norm of the query, so that it can be searched by either metric.

    Args:
        query: float32 [d].
        neighbors: float32 [m, d].
        alpha: 0 gives the plain mean; larger values give the nearest neighbors more weight.

    Returns:
        float32 [d].

    >>> expand_query(np.array([1.0, 0.0]), np.array([[0.0, 2.0]])).tolist()
    [1.0, 0.0]
    """
    norm = float(np.linalg.norm(query))
    if not len(neighbors) or norm == 0:
        return query
    units = neighbors / np.maximum(np.linalg.norm(neighbors, axis=1, keepdims=True), 1e-12)
    weights = np.maximum(units @ (query / norm), 0) ** alpha
    expanded = query / norm + weights @ units
    return (expanded * (norm / np.linalg.norm(expanded))).astype(query.dtype)


def reciprocal_order(
    distances: np.ndarray, rows: np.ndarray, neighbors: np.ndarray, radii: np.ndarray, weight: float = DISTANCE_WEIGHT
) -> np.ndarray:
    """Order of search results by k-reciprocal neighbors (Zhong et al. 2017, equations 1, 5 and 12).

    Two items are reciprocal if each is among the other's neighbors. The Jaccard distance between the reciprocal set of
    a result and that of the query is mixed with the result's distance, scaled to at most 1. Unlike in the paper, sets
    are not expanded and members have equal weights, so that no matrix of all distances is needed.

    Args:
        distances: float [m], from the query to the results, ascending.
        rows: int64 [m], rows of the results.
        neighbors: int64 [m, j], the j nearest rows of each result, itself included; -1 for none.
        radii: float [m], distance of the last of these neighbors.
        weight: weight of the distance, 0..1.

    Returns:
        int64 [m], indices into `rows`, best first.
    """
    known = {int(row): {int(other) for other in others if other >= 0} for row, others in zip(rows, neighbors)}
    j = neighbors.shape[1]
    query_set = {int(row) for row in rows[:j][distances[:j] <= radii[:j]]}
    jaccard = np.empty(len(rows))
    for i, row in enumerate(known):
        item_set = {other for other in known[row] if row in known.get(other, ())} | {row}
        jaccard[i] = 1 - len(query_set & item_set) / len(query_set | item_set)
    largest = float(distances.max(initial=0)) or 1.0
    return np.argsort((1 - weight) * jaccard + weight * distances / largest, kind="stable")
