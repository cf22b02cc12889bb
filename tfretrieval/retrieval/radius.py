"""Every gallery row within a radius: matrix products say which may be, differences which are.

The gallery is taken in tiles. One matrix product gives the squared distances of a tile, in a buffer that stays in a
core's cache. Only pairs that may lie within the radius are computed by difference, while their vectors are still there.
"""

from __future__ import annotations

import faiss
import numpy as np

from tfretrieval.retrieval.blocks import blocks, weighted_blocks
from tfretrieval.retrieval.distances import indexed_distances
from tfretrieval.retrieval.threads import n_threads

TILE = 1024
MOST_QUERIES = 256
SAMPLE = 1024
ROUNDING = 1e-5  # of a squared distance from a matrix product, as a share of both squared norms
PART_BYTES, BYTES_A_ROW = 1 << 26, 48

Near = tuple[np.ndarray, np.ndarray]


def within_radius(queries: np.ndarray, vectors: np.ndarray, radii: np.ndarray, metric: str) -> list[Near]:
    """All rows at most so far from each query, found in one thread.

    Args:
        queries: float32 [q, d], prepared for the metric; see `parts_within` for how many at once.
        vectors: float32 [n, d], the gallery, likewise.
        radii: float32 [q], distances; infinity is no limit.
        metric: "euclidean" or "cosine".

    Returns:
        of each query, distances float32 [m] and rows int64 [m], in the order of the rows.

    >>> vectors = np.float32([[0, 0], [3, 4], [0, 1]])
    >>> within_radius(vectors[:1], vectors, np.float32([1]), "euclidean")
    [(array([0., 1.], dtype=float32), array([0, 2]))]
    """
    limits = _squared_limits(queries, radii, metric)[:, None]
    buffer = np.empty(len(queries) * min(TILE, len(vectors)), np.float32)
    found: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    for tile in blocks(len(vectors), TILE):
        part = vectors[tile]
        squared = buffer[: len(queries) * len(part)].reshape(len(queries), len(part))
        its_queries, its_rows = np.divmod(np.flatnonzero(_squared(queries, part, squared) <= limits), len(part))
        distances = indexed_distances(queries, part, its_queries, its_rows, metric)
        kept = distances <= radii[its_queries]
        found.append((its_queries[kept].astype(np.uint16), distances[kept], its_rows[kept] + tile.start))
    of_query, distances, rows = (np.concatenate(parts) for parts in zip(*found))
    order = np.argsort(of_query, kind="stable")  # a radix sort: NumPy has it for 16 bits
    distances, rows = distances[order], rows[order]
    ends = np.cumsum(np.bincount(of_query, minlength=len(queries))).tolist()
    return [(distances[start:end], rows[start:end]) for start, end in zip([0, *ends], ends)]


def parts_within(queries: np.ndarray, vectors: np.ndarray, radii: np.ndarray, metric: str) -> list[slice]:
    """Parts of the queries for `within_radius`, one thread each: few enough for their rows to find room."""
    most = min(MOST_QUERIES, -(-len(queries) // n_threads()))
    expected = expected_within(queries, vectors, radii, metric)
    return list(weighted_blocks(expected, PART_BYTES // BYTES_A_ROW, most))


def expected_within(queries: np.ndarray, vectors: np.ndarray, radii: np.ndarray, metric: str) -> np.ndarray:
    """About how many rows `within_radius` will find for each query, by a sample: float64 [q], above 0."""
    sample = vectors[sampled_rows(len(vectors), min(SAMPLE, len(vectors)))]
    limits = _squared_limits(queries, radii, metric)[:, None]
    found = np.empty(len(queries))
    for part in blocks(len(queries), MOST_QUERIES):
        squared = np.empty((part.stop - part.start, len(sample)), np.float32)
        found[part] = np.count_nonzero(_squared(queries[part], sample, squared) <= limits[part], axis=1)
    return np.minimum(1 + found, len(sample)) * (len(vectors) / len(sample))


def sampled_rows(n: int, size: int) -> np.ndarray:
    """Different rows of 0..n-1, the same at every call, in rising order."""
    return np.sort(np.random.default_rng(0).choice(n, size, replace=False))


def _squared(queries: np.ndarray, vectors: np.ndarray, out: np.ndarray) -> np.ndarray:
    """Squared Euclidean distances [q, n], rounded as a matrix product is."""
    of_queries, of_vectors, of_out = (faiss.swig_ptr(array) for array in (queries, vectors, out))
    faiss.pairwise_L2sqr(queries.shape[1], len(queries), of_queries, len(vectors), of_vectors, of_out)
    return out


def _squared_limits(queries: np.ndarray, radii: np.ndarray, metric: str) -> np.ndarray:
    """The rounded squared distance that no pair within the radius exceeds, float32 [q].

    The norm of a vector within the radius is at most that of the query and the radius together.
    """
    squared = 2 * radii.astype(np.float64) if metric == "cosine" else radii.astype(np.float64) ** 2
    norms = np.linalg.norm(queries, axis=1).astype(np.float64)
    return (squared + ROUNDING * (norms**2 + (norms + np.sqrt(squared)) ** 2)).astype(np.float32)
