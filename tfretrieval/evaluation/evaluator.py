"""`evaluate`: measure how well an index finds items of each query's class."""

from collections.abc import Iterator, Sequence
from time import perf_counter

import numpy as np

from tfretrieval.embedding.store import Embeddings
from tfretrieval.errors import UserError
from tfretrieval.evaluation import metrics
from tfretrieval.evaluation.bootstrap import bootstrap_intervals
from tfretrieval.evaluation.confusion import confusion_counts
from tfretrieval.evaluation.curves import Curve
from tfretrieval.evaluation.matching import Matches, match
from tfretrieval.evaluation.rankers import GalleryRanker, NeighborRanker, measure_rankings
from tfretrieval.evaluation.result import Evaluation
from tfretrieval.progress import progress
from tfretrieval.retrieval.index import Index
from tfretrieval.retrieval.neighbors import Neighbors
from tfretrieval.retrieval.search_result import majority_vote
from tfretrieval.vectors import unit_rows

HEADLINE = ("precision_at_1", "map", "map_at_r", "r_precision", "mrr", "knn_accuracy")
KS = (1, 3, 5, 10)
VOTE_K = 5
APPROXIMATE_DEPTH = 1000
NEIGHBORS_PER_SEARCH = 1 << 24
UNKNOWN = "(unknown)"

Columns = dict[str, np.ndarray]


def evaluate(
    index: Index,
    queries: Embeddings,
    ks: Sequence[int] | None = None,
    vote_k: int | None = None,
    depth: int | None = None,
    n_bootstrap: int = 1000,
    seed: int = 0,
) -> Evaluation:
    """Evaluate an index with queries of known classes.

    Metrics at k, votes, confusion and search time come from `index.search`. Metrics of whole rankings and
    precision-recall curves come from all distances for an exact index in memory, else from a search to `depth`. A query
    whose id is in the gallery is excluded from its own neighbors. Classes match by name. Queries of unknown class and
    those without a relevant item are skipped and counted. Ties are ordered by gallery row; `map` treats tied distances
    as one threshold.

    Args:
        index: over n gallery items with labels.
        queries: q labeled items, with vectors [q, d] in the space of the gallery vectors before the transform.
        ks: cutoffs of the metrics at k; 1 is always included. By default 1, 3, 5 and 10, up to the gallery size.
        vote_k: number of neighbors that vote in `knn_accuracy`; by default 5, or all of a smaller gallery.
        depth: length of the rankings; relevant items below count as missed. By default n for an exact index, else
            1,000, and at most what the retriever can return.
        n_bootstrap: number of bootstrap resamples for the intervals; 0 for no intervals.
        seed: random seed of the resamples.

    Raises:
        UserError: k or depth is out of range, or no query has a relevant item.
    """
    matches = match(queries.items, index.items)
    if not len(matches.query_rows):
        raise UserError(f"none of the {len(queries)} queries has an item of its class in the gallery")
    max_k = min(matches.max_k, depth or len(index))
    ks = sorted({1, *(ks if ks is not None else (k for k in KS if k <= max_k))})
    vote_k = min(VOTE_K, max_k) if vote_k is None else vote_k
    rank_all = depth in (None, len(index)) and index.vectors is not None
    depth = _check_depths(index, matches, max(vote_k, *ks), min(vote_k, *ks), depth)

    started = perf_counter()
    evaluated = queries.subset(matches.query_rows)
    search_seconds, columns, curves, nearest = _measure(index, evaluated, matches, ks, vote_k, depth, rank_all)
    nearest_labels = nearest.labels(matches.gallery_labels)[:, 0]
    names = matches.class_names + ((UNKNOWN,) if (nearest_labels < 0).any() else ())
    per_class = _per_class(matches, columns, curves)
    intervals = {}
    if n_bootstrap:
        bounds = bootstrap_intervals(np.column_stack(list(columns.values())), n_bootstrap, seed=seed)
        intervals = dict(zip(columns, bounds.tolist()))
    return Evaluation(
        retriever=index.settings.retriever,
        n_queries=len(evaluated),
        n_gallery=len(index),
        n_skipped=len(queries) - len(evaluated),
        dim=index.dim,
        depth=depth,
        chance_precision=float(matches.chance.mean()),
        metrics={name: float(column.mean()) for name, column in columns.items()},
        macro={name: float(np.mean([values[name] for values in per_class.values()])) for name in HEADLINE},
        intervals=intervals,
        per_class=per_class,
        confusion=confusion_counts(matches.query_labels, nearest_labels % len(names), len(names)),
        class_names=names,
        curves={matches.class_names[label]: curve for label, curve in curves.items()},
        per_query=_per_query(index, evaluated, matches, columns, nearest),
        seconds={"search": search_seconds, "metrics": perf_counter() - started - search_seconds},
    )


def _check_depths(index: Index, matches: Matches, largest_k: int, smallest_k: int, depth: int | None) -> int:
    """The depth, after checking it and every k."""
    n = len(index)
    if depth is None:
        depth = n if index.retriever.is_exact else min(n, max(APPROXIMATE_DEPTH, largest_k))
        depth = min(depth, index.retriever.max_neighbors or n)
    if not 1 <= depth <= n:
        raise UserError(f"depth={depth} is out of range", f"choose 1 to {n}, the gallery's size")
    if smallest_k < 1:
        raise UserError(f"k={smallest_k} must be 1 or more")
    if largest_k > matches.max_k:
        raise UserError(f"k={largest_k} is more than the {matches.max_k} gallery items")
    if largest_k > depth:
        raise UserError(f"k={largest_k} is more than depth={depth}")
    return depth


def _measure(
    index: Index, queries: Embeddings, matches: Matches, ks: Sequence[int], vote_k: int, depth: int, rank_all: bool
) -> tuple[float, Columns, dict[int, Curve], Neighbors]:
    """Seconds of the search, the value of every metric for every query, the curve of every class, nearest neighbors."""
    k = max(vote_k, *ks) if rank_all else depth
    gallery_ranker = _gallery_ranker(index, queries.vectors, matches) if rank_all else None
    columns: dict[str, list[np.ndarray]] = {}
    curves: dict[int, Curve] = {}
    nearest: list[Neighbors] = []
    seconds = 0.0
    with progress(None, "evaluate", total=len(queries), unit="query") as bar:
        for part in _groups(matches, NEIGHBORS_PER_SEARCH // k):
            started = perf_counter()
            neighbors = index.search(queries.subset(np.arange(part.start, part.stop)), k, exclude_self=True)
            seconds += perf_counter() - started
            nearest.append(Neighbors(neighbors.distances[:, :1].copy(), neighbors.rows[:, :1].copy()))
            ranker = gallery_ranker or NeighborRanker(neighbors, matches, part)
            measured, class_curves = measure_rankings(ranker, matches, part)
            curves |= class_curves
            for name, column in {**measured, **_metrics_at_k(neighbors, matches, part, ks, vote_k)}.items():
                columns.setdefault(name, []).append(column)
            bar.update(part.stop - part.start)
    first = Neighbors(np.concatenate([n.distances for n in nearest]), np.concatenate([n.rows for n in nearest]))
    return seconds, {name: np.concatenate(parts) for name, parts in columns.items()}, curves, first


def _groups(matches: Matches, size: int) -> Iterator[slice]:
    """Queries of consecutive classes, at most `size` together, or one class with more."""
    group = slice(0, 0)
    for _, part in matches.by_class(slice(0, len(matches.query_rows))):
        if group.stop > group.start and part.stop - group.start > size:
            yield group
            group = slice(part.start, part.start)
        group = slice(group.start, part.stop)
    yield group


def _gallery_ranker(index: Index, vectors: np.ndarray, matches: Matches) -> GalleryRanker:
    assert index.vectors is not None
    vectors = index.transform.transform(vectors)
    prepared = unit_rows(vectors) if index.settings.metric == "cosine" else vectors
    return GalleryRanker(prepared, index.vectors, index.settings.metric, matches)


def _metrics_at_k(neighbors: Neighbors, matches: Matches, part: slice, ks: Sequence[int], vote_k: int) -> Columns:
    labels = neighbors.first(max(vote_k, *ks)).labels(matches.gallery_labels)
    query_labels, n_relevant = matches.query_labels[part], matches.n_relevant[part]
    ranks = metrics.ranks_of(labels[:, : max(ks)] == query_labels[:, None])
    return {
        **{f"precision_at_{k}": metrics.precision_at_k(ranks, k) for k in ks},
        **{f"hit_rate_at_{k}": metrics.hit_rate_at_k(ranks, k) for k in ks},
        **{f"recall_at_{k}": metrics.recall_at_k(ranks, n_relevant, k) for k in ks},
        **{f"ndcg_at_{k}": metrics.ndcg_at_k(ranks, n_relevant, k) for k in ks},
        **{f"map_at_{k}": metrics.map_at_k(ranks, n_relevant, k) for k in ks},
        "knn_accuracy": (majority_vote(labels[:, :vote_k]) == query_labels).astype(np.float64),
    }


def _per_class(matches: Matches, columns: Columns, curves: dict[int, Curve]) -> dict[str, dict[str, float]]:
    chance = matches.chance
    return {
        matches.class_names[label]: {
            "n_queries": part.stop - part.start,
            "n_gallery": int((matches.gallery_labels == label).sum()),
            "chance_precision": float(chance[part].mean()),
            **{name: float(columns[name][part].mean()) for name in HEADLINE},
            "ap": curves[label][2],
        }
        for label, part in matches.by_class(slice(0, len(matches.query_rows)))
    }


def _per_query(
    index: Index, queries: Embeddings, matches: Matches, columns: Columns, nearest: Neighbors
) -> dict[str, np.ndarray]:
    """One row per query, in the order in which they were given."""
    rows = nearest.rows[:, 0]
    names = np.array([*matches.class_names, ""], dtype=object)
    table = {
        "id": queries.items.ids,
        "class": names[matches.query_labels],
        "nearest_id": np.array([*index.items.ids, ""], dtype=object)[rows],
        "nearest_class": names[nearest.labels(matches.gallery_labels)[:, 0]],
        "nearest_distance": nearest.distances[:, 0].astype(np.float64),
        "average_precision": columns["map"],
        "r_precision": columns["r_precision"],
        "reciprocal_rank": columns["mrr"],
    }
    order = np.argsort(matches.query_rows)
    return {name: column[order] for name, column in table.items()}
