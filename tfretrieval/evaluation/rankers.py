"""Rankings of many queries, from all distances or from search results, and what is measured of them."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import numpy as np
from threadpoolctl import threadpool_limits

from tfretrieval.evaluation import metrics
from tfretrieval.evaluation.curves import Curve, curve_thresholds, downsample_curve, pooled_curve
from tfretrieval.evaluation.matching import Matches
from tfretrieval.evaluation.ranking import Ranking, rank_gallery, rank_neighbors
from tfretrieval.retrieval.distances import all_distances, blocks
from tfretrieval.retrieval.neighbors import Neighbors

MAX_DISTANCES = 1 << 24  # in memory at a time, in all threads
MAX_QUERIES_PER_BLOCK = 256
THRESHOLD_SAMPLE = 1 << 22


class Ranker(Protocol):
    """Ranks the queries of `matches`. Its methods are called from several threads."""

    depth: int

    def thresholds(self, label: int, part: slice) -> np.ndarray:
        """Distances at which the precision-recall curve of a class has points, float32 [t]."""

    def rank(self, part: slice) -> Iterator[tuple[int, slice, Ranking]]:
        """The label, the slice and the rankings of each class among some queries."""


class GalleryRanker:
    """Rankings of the whole gallery by all distances.

    Args:
        vectors: float32 [q, d], queries, prepared for the metric.
        gallery: float32 [n, d], likewise.
        metric: "euclidean" or "cosine".
        matches: of queries and gallery.
    """

    def __init__(self, vectors: np.ndarray, gallery: np.ndarray, metric: str, matches: Matches) -> None:
        self.depth = len(gallery)
        self._vectors, self._gallery, self._metric, self._matches = vectors, gallery, metric, matches
        labels = matches.gallery_labels
        self._rows_of = np.split(np.argsort(labels, kind="stable"), np.cumsum(np.bincount(labels + 1)))

    def thresholds(self, label: int, part: slice) -> np.ndarray:
        rows, own_rows = self._rows_of[label + 1], self._matches.own_rows[part]
        step = 1 + len(own_rows) * len(rows) // THRESHOLD_SAMPLE
        sample = all_distances(self._vectors[part][::step], self._gallery[rows], self._metric)
        sample[rows == own_rows[::step, None]] = np.inf
        return curve_thresholds(sample)

    def rank(self, part: slice) -> Iterator[tuple[int, slice, Ranking]]:
        distances = all_distances(self._vectors[part], self._gallery, self._metric)
        for label, queries in self._matches.by_class(part):
            local = slice(queries.start - part.start, queries.stop - part.start)
            own_rows = self._matches.own_rows[queries]
            yield label, queries, rank_gallery(distances[local], self._rows_of[label + 1], own_rows)


class NeighborRanker:
    """Rankings cut at the depth of a search.

    Args:
        neighbors: of the queries `part`.
        matches: of queries and gallery.
        part: which queries.
    """

    def __init__(self, neighbors: Neighbors, matches: Matches, part: slice) -> None:
        self.depth = neighbors.rows.shape[1]
        self._neighbors, self._matches, self._start = neighbors, matches, part.start
        self._relevant = neighbors.labels(matches.gallery_labels) == matches.query_labels[part, None]

    def thresholds(self, label: int, part: slice) -> np.ndarray:
        local = self._local(part)
        return curve_thresholds(self._neighbors.distances[local][self._relevant[local]])

    def rank(self, part: slice) -> Iterator[tuple[int, slice, Ranking]]:
        for label, queries in self._matches.by_class(part):
            local = self._local(queries)
            yield label, queries, rank_neighbors(self._neighbors.distances[local], self._relevant[local])

    def _local(self, part: slice) -> slice:
        return slice(part.start - self._start, part.stop - self._start)


def measure_rankings(ranker: Ranker, matches: Matches, part: slice) -> tuple[dict[str, np.ndarray], dict[int, Curve]]:
    """Metrics of the rankings of some queries, float64 [p] each, and the curve of each of their classes.

    Args:
        ranker: of these queries.
        matches: of queries and gallery.
        part: which queries; all those of their classes.
    """
    classes = dict(matches.by_class(part))

    def measure(block: slice) -> list[tuple[int, dict[str, np.ndarray], np.ndarray]]:
        return [
            (label, _metrics(ranking, matches.n_relevant[queries]), ranking.n_within(thresholds[label]))
            for label, queries, ranking in ranker.rank(block)
        ]

    n_threads = os.cpu_count() or 1
    size = min(MAX_QUERIES_PER_BLOCK, max(1, MAX_DISTANCES // n_threads // ranker.depth))
    parts = [slice(part.start + b.start, part.start + b.stop) for b in blocks(part.stop - part.start, size)]
    columns: dict[str, list[np.ndarray]] = {}
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(n_threads) as pool:
        thresholds = dict(zip(classes, pool.map(ranker.thresholds, classes, classes.values())))
        counts = {label: np.zeros((2, len(thresholds[label])), np.int64) for label in classes}
        for measured in pool.map(measure, parts):
            for label, values, within in measured:
                counts[label] += within
                for name, column in values.items():
                    columns.setdefault(name, []).append(column)
    curves = {}
    for label, queries in classes.items():
        precision, recall, ap = pooled_curve(counts[label][0], counts[label][1], int(matches.n_relevant[queries].sum()))
        curves[label] = (*downsample_curve(precision, recall), ap)
    return {name: np.concatenate(parts) for name, parts in columns.items()}, curves


def _metrics(ranking: Ranking, n_relevant: np.ndarray) -> dict[str, np.ndarray]:
    return {
        "map": metrics.average_precision(ranking.precisions(), n_relevant),
        "map_at_r": metrics.map_at_r(ranking.ranks, n_relevant),
        "r_precision": metrics.r_precision(ranking.ranks, n_relevant),
        "mrr": metrics.reciprocal_rank(ranking.ranks),
    }
