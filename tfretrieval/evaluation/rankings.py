"""Rankings of a matched set of queries, block by block: as deep as they are asked for, or as deep as they matter.

No metric depends on what comes after the last relevant item. Where the whole gallery is ranked by an exact
retriever, only items up to there are looked for and put in order.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tfretrieval.evaluation.matching import Matched
from tfretrieval.retrieval.base import Retriever
from tfretrieval.retrieval.blocks import blocks, weighted_blocks
from tfretrieval.retrieval.order import nearest_first
from tfretrieval.retrieval.ranking import rank_gallery

BYTES_A_CELL = 64

Near = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True, eq=False)
class Ranked(ABC):
    """The rankings of b queries.

    Attributes:
        part: which queries of the matched set.
    """

    part: slice

    @property
    @abstractmethod
    def n_cells(self) -> int:
        """How many items are kept of all rankings together."""

    @abstractmethod
    def top(self, here: slice) -> Near:
        """Of some of the b queries what matters to them, nearest first.

        Returns:
            distances, float32 [b, m], infinity where there is no more, and gallery rows, int64 [b, m], -1 there.
        """

    @abstractmethod
    def pairs(self, here: slice) -> Near:
        """Of some of the b queries what matters to their class, in any order.

        That is all items as near as the farthest relevant one that any query of the class knows.

        Returns:
            distances, float32 [w], and gallery rows, int64 [w].
        """


@dataclass(frozen=True, eq=False)
class CutRanked(Ranked):
    """Rankings to a depth: `near` float32 [b, depth] and `rows` int64 [b, depth], as `Ranked.top` has them."""

    near: np.ndarray
    rows: np.ndarray

    @property
    def n_cells(self) -> int:
        return self.rows.size

    def top(self, here: slice) -> Near:
        return self.near[here], self.rows[here]

    def pairs(self, here: slice) -> Near:
        near, rows = self.top(here)
        known = rows >= 0
        return (near.ravel(), rows.ravel()) if known.all() else (near[known], rows[known])


@dataclass(frozen=True, eq=False)
class WholeRanked(Ranked):
    """Rankings of everything that matters.

    Attributes:
        found: of each query, the distances and rows of what matters to its class, in the order of the rows.
        farthest: float32 [b], distance of the last relevant item.
        least: so many of the nearest matter in any case; every query has found as many.
    """

    found: list[Near]
    farthest: np.ndarray
    least: int

    @property
    def n_cells(self) -> int:
        return sum(len(rows) for _, rows in self.found)

    def top(self, here: slice) -> Near:
        tops = []
        for (distances, rows), farthest in zip(self.found[here], self.farthest[here]):
            kept = np.flatnonzero(distances <= farthest)
            if len(kept) < self.least:
                order = nearest_first(distances)[: self.least]
            else:
                order = kept[nearest_first(distances[kept])]
            tops.append((distances[order], rows[order]))
        near = np.full((len(tops), max(len(rows) for _, rows in tops)), np.inf, np.float32)
        rows = np.full(near.shape, -1)
        for query, (distances, its_rows) in enumerate(tops):
            near[query, : len(distances)], rows[query, : len(distances)] = distances, its_rows
        return near, rows

    def pairs(self, here: slice) -> Near:
        distances, rows = (np.concatenate(column) for column in zip(*self.found[here]))
        return distances, rows


def rankings(
    retriever: Retriever, vectors: np.ndarray, matched: Matched, depth: int, least: int, block_bytes: int
) -> Iterator[Ranked]:
    """The rankings of all queries.

    Args:
        retriever: fitted on the gallery of n items.
        vectors: float32 [q, d], of the queries.
        matched: the same queries, in the order of their classes.
        depth: of each ranking, 1..n.
        least: so many of the nearest are always among them, 1..depth.
        block_bytes: memory for the rankings of queries that are ranked at once.
    """
    cells = block_bytes // BYTES_A_CELL
    if not (retriever.has_vectors and depth == retriever.n_items_):
        for part in blocks(len(vectors), cells // depth):
            yield CutRanked(part, *rank_gallery(retriever, vectors[part], matched.self_rows[part], depth))
        return
    farthest, limits = _farthest_relevant(retriever, vectors, matched, cells)
    for part in weighted_blocks(retriever.expected_within(vectors, limits), cells, len(vectors)):
        found = _found(retriever, vectors[part], matched.self_rows[part], limits[part], least)
        yield WholeRanked(part, found, farthest[part], least)


def _found(
    retriever: Retriever, queries: np.ndarray, self_rows: np.ndarray, limits: np.ndarray, least: int
) -> list[Near]:
    """What lies within the limits, and at least so many items of each query, itself left out."""
    found = retriever.radius_neighbors(queries, limits)
    for query in np.flatnonzero(self_rows >= 0).tolist():
        distances, rows = found[query]
        others = rows != self_rows[query]
        found[query] = distances[others], rows[others]
    for query in [query for query, (_, rows) in enumerate(found) if len(rows) < least]:
        here = slice(query, query + 1)
        (distances,), (rows,) = rank_gallery(retriever, queries[here], self_rows[here], least)
        order = np.argsort(rows)
        found[query] = distances[order], rows[order]
    return found


def _farthest_relevant(
    retriever: Retriever, vectors: np.ndarray, matched: Matched, cells: int
) -> tuple[np.ndarray, np.ndarray]:
    """Of each query the distance of its last relevant item, and the greatest of its class, float32 [q]."""
    farthest, limits = np.empty((2, len(vectors)), np.float32)
    for label, its in matched.of_each_class(slice(0, len(vectors))):
        relevant = np.flatnonzero(matched.gallery_labels == label)
        for inner in blocks(its.stop - its.start, cells // len(relevant)):
            part = slice(its.start + inner.start, its.start + inner.stop)
            distances = retriever.distances(vectors[part], relevant)
            distances[relevant == matched.self_rows[part, None]] = -np.inf
            farthest[part] = distances.max(axis=1)
        limits[its] = farthest[its].max()
    return farthest, limits
