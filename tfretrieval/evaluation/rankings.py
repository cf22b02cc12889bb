"""Rankings of a matched set of queries, block by block: as deep as they are asked for, or as deep as they matter.

No metric depends on what comes after the last relevant item. Where the whole gallery is ranked by an exact
retriever, all distances are computed, but only items up to there are put in order.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from tfretrieval.evaluation.matching import Matched
from tfretrieval.retrieval.base import Retriever
from tfretrieval.retrieval.blocks import blocks
from tfretrieval.retrieval.order import sorted_pairs
from tfretrieval.retrieval.ranking import rank_gallery
from tfretrieval.retrieval.threads import in_threads


@dataclass(frozen=True, eq=False)
class Ranked:
    """The rankings of b queries.

    Attributes:
        part: which queries of the matched set.
        near: float32 [b, m], distances in rising order, infinity where there is no more.
        rows: int64 [b, m], gallery rows in this order, -1 where there is no more.
        distances: float32 [b, w], all distances that are known, in any order; infinity is none.
        labels: int [w] or [b, w], classes of those items.
        limits: float32 [b], finite; no query of the same class has a known relevant item farther away.
    """

    part: slice
    near: np.ndarray
    rows: np.ndarray
    distances: np.ndarray
    labels: np.ndarray
    limits: np.ndarray

    def some(self, here: slice) -> Ranked:
        """Those of some of the b queries."""
        part = slice(self.part.start + here.start, self.part.start + here.stop)
        labels = self.labels[here] if self.labels.ndim == 2 else self.labels
        return Ranked(part, self.near[here], self.rows[here], self.distances[here], labels, self.limits[here])

    def relevant(self, here: slice, label: int) -> np.ndarray:
        """Whether the items of some of the b queries are of a class, bool [w] or [some, w]."""
        return (self.labels[here] if self.labels.ndim == 2 else self.labels) == label


def rankings(
    retriever: Retriever, vectors: np.ndarray, matched: Matched, depth: int, least: int, block: int
) -> Iterator[Ranked]:
    """The rankings of all queries.

    Args:
        retriever: fitted on the gallery of n items.
        vectors: float32 [q, d], of the queries.
        matched: the same queries, in the order of their classes.
        depth: of each ranking, 1..n.
        least: so many of the nearest are always put in order, 1..depth.
        block: number of queries at once.
    """
    if not (retriever.is_exact and depth == retriever.n_items_):
        for part in blocks(len(vectors), block):
            yield _cut(retriever, vectors[part], matched, part, depth)
        return
    farthest, limits = _farthest_relevant(retriever, vectors, matched, block)
    for part in blocks(len(vectors), block):
        distances = retriever.distances(vectors[part])
        itself = np.flatnonzero(matched.self_rows[part] >= 0)
        distances[itself, matched.self_rows[part][itself]] = np.inf
        tops = in_threads(partial(_nearest, least, distances, farthest[part]), range(len(distances)))
        yield Ranked(part, *_padded(tops), distances, matched.gallery_labels, limits[part])


def _cut(retriever: Retriever, queries: np.ndarray, matched: Matched, part: slice, depth: int) -> Ranked:
    near, rows = rank_gallery(retriever, queries, matched.self_rows[part], depth)
    limits = np.full(len(near), np.finfo(np.float32).max, np.float32)
    return Ranked(part, near, rows, near, matched.labels_of(rows), limits)


def _farthest_relevant(
    retriever: Retriever, vectors: np.ndarray, matched: Matched, block: int
) -> tuple[np.ndarray, np.ndarray]:
    """Of each query the distance of its last relevant item, and the greatest of its class, float32 [q]."""
    farthest, limits = np.empty((2, len(vectors)), np.float32)
    for label, its in matched.of_each_class(slice(0, len(vectors))):
        relevant = np.flatnonzero(matched.gallery_labels == label)
        for inner in blocks(its.stop - its.start, block * retriever.n_items_ // len(relevant)):
            part = slice(its.start + inner.start, its.start + inner.stop)
            distances = retriever.distances(vectors[part], relevant)
            distances[relevant == matched.self_rows[part, None]] = -np.inf
            farthest[part] = distances.max(axis=1)
        limits[its] = farthest[its].max()
    return farthest, limits


def _padded(tops: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    near = np.full((len(tops), max(len(top) for top, _ in tops)), np.inf, np.float32)
    rows = np.full(near.shape, -1)
    for query, (top, its_rows) in enumerate(tops):
        near[query, : len(top)], rows[query, : len(top)] = top, its_rows
    return near, rows


def _nearest(least: int, every: np.ndarray, farthest: np.ndarray, query: int) -> tuple[np.ndarray, np.ndarray]:
    """Distances and rows of the items of a query up to a distance, and of at least so many, in order."""
    distances = every[query]
    rows = np.flatnonzero(distances <= farthest[query])
    if len(rows) < least:
        rows = np.flatnonzero(distances <= np.partition(distances, least - 1)[least - 1])
    return sorted_pairs(distances[rows], rows)
