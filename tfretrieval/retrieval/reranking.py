"""Re-ranking: a better order of what a search found, from the vectors of what it found.

Both ways know only a search and vectors; neither looks at a label.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tfretrieval.errors import UserError

RERANKERS = ("none", "expansion", "reciprocal")
EXPANDED_BY, ALPHA = 10, 3.0
RECIPROCAL_K, CANDIDATES, WEIGHT = 20, 100, 0.3

Search = Callable[[np.ndarray, int], tuple[np.ndarray, np.ndarray]]


def rerank(name: str, search: Search, vectors: np.ndarray, query: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The k nearest items of a query, re-ranked.

    Args:
        name: "none", "expansion" (`expanded_query`) or "reciprocal" (`reciprocal_order`).
        search: queries float32 [q, d] and k -> distances float32 [q, k], rows int64 [q, k], -1 where there is no more.
        vectors: float32 [n, d] of the gallery, as they are searched for.
        query: float32 [d].
        k: how many.

    Returns:
        distances float32 [k] to the query as the search measures them, or to the expanded query; rows int64 [k].

    Raises:
        UserError: an unknown name.
    """
    if name == "none":
        distances, rows = search(query[None], k)
    elif name == "expansion":
        _, near = search(query[None], EXPANDED_BY)
        distances, rows = search(expanded_query(query, vectors[near[0][near[0] >= 0]])[None], k)
    elif name == "reciprocal":
        distances, rows = search(query[None], max(k, CANDIDATES))
        found = rows[0] >= 0
        distances, rows = distances[:, found], rows[:, found]
        if len(rows[0]):
            far, neighbors = search(vectors[rows[0]], RECIPROCAL_K + 1)
            order = reciprocal_order(distances[0], rows[0], neighbors, far[:, -1])[:k]
            distances, rows = distances[:, order], rows[:, order]
    else:
        raise UserError(f"there is no re-ranker {name!r}; choose from {', '.join(RERANKERS)}")
    return distances[0], rows[0]


def expanded_query(query: np.ndarray, neighbors: np.ndarray, alpha: float = ALPHA) -> np.ndarray:
    """Alpha query expansion (Radenović et al. 2018, section 3.4): the query moved towards its neighbors.

    Each neighbor counts with its cosine to the query to the power of alpha, none where that is negative. The result
    has the length of the query, so that it can be searched by either metric.

    Args:
        query: float32 [d].
        neighbors: float32 [m, d].
        alpha: 0 is the plain mean; the greater, the more the nearest count.

    Returns:
        float32 [d].

    >>> expanded_query(np.array([1.0, 0.0]), np.array([[0.0, 2.0]])).tolist()
    [1.0, 0.0]
    """
    length = float(np.linalg.norm(query))
    if not len(neighbors) or length == 0:
        return query
    units = neighbors / np.maximum(np.linalg.norm(neighbors, axis=1, keepdims=True), 1e-12)
    weights = np.maximum(units @ (query / length), 0) ** alpha
    moved = query / length + weights @ units
    return (moved * (length / np.linalg.norm(moved))).astype(query.dtype)


def reciprocal_order(
    distances: np.ndarray, rows: np.ndarray, neighbors: np.ndarray, reach: np.ndarray, weight: float = WEIGHT
) -> np.ndarray:
    """The order of found items by k-reciprocal neighbors (Zhong et al. 2017, equations 1, 5 and 12).

    Two items are reciprocal where each is among the other's neighbors. The Jaccard distance of a found item's
    reciprocal set to the query's is mixed with its distance, scaled to at most 1. Sets are not expanded and their
    members count alike, so that no matrix of all distances is needed.

    Args:
        distances: float [m] of the found items to the query, rising.
        rows: int64 [m] of the found items.
        neighbors: int64 [m, j], the rows of the j items nearest to each found item, itself among them; -1 for none.
        reach: float [m], how far the last of those is.
        weight: of the distance, 0..1.

    Returns:
        int64 [m], places of `rows`, the best first.
    """
    known = {int(row): {int(other) for other in near if other >= 0} for row, near in zip(rows, neighbors)}
    of_query = {int(row) for row in rows[: neighbors.shape[1]][(distances <= reach)[: neighbors.shape[1]]]}
    jaccard = np.empty(len(rows))
    for place, row in enumerate(known):
        of_item = {other for other in known[row] if row in known.get(other, ())} | {row}
        jaccard[place] = 1 - len(of_query & of_item) / len(of_query | of_item)
    greatest = float(distances.max(initial=0)) or 1.0
    return np.argsort((1 - weight) * jaccard + weight * distances / greatest, kind="stable")
