"""`evaluate`: from a fitted retriever to everything that is measured of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from tfretrieval.embedding.store import Embeddings
from tfretrieval.errors import UserError
from tfretrieval.evaluation import metrics as m
from tfretrieval.evaluation.bootstrap import bootstrap_intervals
from tfretrieval.evaluation.class_curves import ClassCurves
from tfretrieval.evaluation.confusion import confusion_counts
from tfretrieval.evaluation.matching import Matched, match
from tfretrieval.evaluation.rankings import Ranked, rankings
from tfretrieval.evaluation.result import Evaluation
from tfretrieval.evaluation.vote import knn_accuracy
from tfretrieval.progress import progress
from tfretrieval.retrieval.base import Retriever
from tfretrieval.retrieval.blocks import blocks
from tfretrieval.retrieval.threads import in_threads

if TYPE_CHECKING:
    from tfretrieval.retrieval.transform import Transform

HEADLINE = ("precision_at_1", "map", "map_at_r", "r_precision", "mrr", "knn_accuracy")
KS = (1, 3, 5, 10)
VOTE_K = 5
APPROXIMATE_DEPTH = 1000
CELLS, FEWEST = 1 << 18, 16
UNKNOWN = "(unknown)"


def evaluate(
    retriever: Retriever,
    queries: Embeddings,
    gallery: Embeddings,
    transform: Transform | None = None,
    ks: Sequence[int] | None = None,
    vote_k: int | None = None,
    depth: int | None = None,
    n_bootstrap: int = 1000,
    seed: int = 0,
    block_bytes: int = 1 << 28,
) -> Evaluation:
    """Measure how well `retriever` finds gallery items of each query's class.

    A query whose id is in the gallery is not compared with itself. Classes match by name. Queries of unknown
    class and those without any relevant item are left out and counted. Of equally near items the lower
    gallery row comes first; `map` counts them as one step.

    Args:
        retriever: fitted on `gallery.vectors`, or on what `transform` makes of them, row by row.
        queries: q items with labels.
        gallery: n items with labels.
        transform: fitted; applied to the queries.
        ks: the k of every metric at k, 1 always among them; by default those of 1, 3, 5, 10 that the gallery allows.
        vote_k: neighbors that vote in `knn_accuracy`; by default 5, or all of a smaller gallery.
        depth: length of each ranking; items below count as not found. By default all n, or as many
            as the retriever can return; 1,000 of an index that is not exact.
        n_bootstrap: resamples for the intervals; 0 for none.
        seed: of the resamples.
        block_bytes: memory for the rankings of one block of queries; it does not change the result.

    Raises:
        UserError: the retriever was not fitted on this gallery, a k is out of range or above `depth`, or no
            query has anything to find.
    """
    if getattr(retriever, "n_items_", None) != len(gallery):
        raise UserError(
            f"the retriever was not fitted on this gallery of {len(gallery)} items; rebuild it with `tfret index`"
        )
    matched = match(queries, gallery)
    if not len(matched.query_rows):
        raise UserError(f"none of the {len(queries)} queries has an item of its class in the gallery")
    allowed = min(_compared(matched), len(gallery) if depth is None else depth)
    ks = sorted({1, *(ks if ks is not None else (k for k in KS if k <= allowed))})
    vote_k = min(VOTE_K, allowed) if vote_k is None else vote_k
    if depth is None:
        deepest = len(gallery) if retriever.is_exact else max(APPROXIMATE_DEPTH, vote_k, *ks)
        depth = min(deepest, len(gallery), retriever.most_neighbors or deepest)
    _check_depths(ks, vote_k, depth, matched)

    started = perf_counter()
    vectors = queries.vectors[matched.query_rows]
    if transform is not None:
        vectors = transform.transform(vectors)
    searching = perf_counter() - started

    found = _found(retriever, vectors, matched, depth, ks, vote_k, block_bytes)
    searching += found.searching
    values = found.values

    nearest_labels = np.where(found.nearest >= 0, matched.gallery_labels[found.nearest], -1)
    names = matched.class_names + ((UNKNOWN,) if (nearest_labels < 0).any() else ())
    intervals = {}
    if n_bootstrap:
        ends = bootstrap_intervals(np.column_stack(list(values.values())), n_bootstrap, seed=seed)
        intervals = dict(zip(values, ends.tolist()))
    drawn = found.curves.drawn()
    per_class = _per_class(matched, values, {name: ap for name, (_, _, ap) in drawn.items()})
    named = np.array([*matched.class_names, ""], dtype=object)
    ids = np.array([*gallery.ids, ""], dtype=object)
    return Evaluation(
        retriever=retriever.kind,
        n_queries=len(vectors),
        n_gallery=len(gallery),
        n_skipped=len(queries) - len(vectors),
        dim=vectors.shape[1],
        depth=depth,
        chance_precision=float(matched.chance.mean()),
        metrics={name: float(column.mean()) for name, column in values.items()},
        macro={name: float(np.mean([of[name] for of in per_class.values()])) for name in HEADLINE},
        intervals=intervals,
        per_class=per_class,
        confusion=confusion_counts(matched.query_labels, nearest_labels % len(names), len(names)),
        class_names=names,
        curves=drawn,
        per_query={
            "id": queries.ids[matched.query_rows],
            "class": named[matched.query_labels],
            "nearest_id": ids[found.nearest],
            "nearest_class": named[nearest_labels],
            "nearest_distance": found.nearest_distance.astype(np.float64),
            "average_precision": values["map"],
            "r_precision": values["r_precision"],
            "reciprocal_rank": values["mrr"],
        },
        seconds={"search": searching, "metrics": perf_counter() - started - searching},
    )


@dataclass
class _Found:
    """What the rankings of q queries gave.

    Attributes:
        values: of every metric the value of each query, float64 [q].
        nearest: gallery row of each query's nearest item, int64 [q]; -1 where none was found.
        nearest_distance: its distance, float32 [q].
        curves: of every class.
        searching: seconds that went into the rankings.
    """

    values: dict[str, np.ndarray]
    nearest: np.ndarray
    nearest_distance: np.ndarray
    curves: ClassCurves
    searching: float = 0.0


def _found(
    retriever: Retriever,
    vectors: np.ndarray,
    matched: Matched,
    depth: int,
    ks: Sequence[int],
    vote_k: int,
    block_bytes: int,
) -> _Found:
    """Rank and measure block by block, the queries of a class together."""
    q = len(vectors)
    order = np.argsort(matched.query_labels, kind="stable")
    by_class = matched.taken(order)
    found = _Found({}, np.empty(q, np.int64), np.empty(q, np.float32), ClassCurves(by_class))
    asked = perf_counter()
    bar = progress(None, "evaluate", total=q, unit="query")
    for ranked in rankings(retriever, vectors[order], by_class, depth, max(vote_k, *ks), block_bytes):
        found.searching += perf_counter() - asked
        parts = list(_in_parts(ranked))
        additions = found.curves.additions(ranked)  # first: they take longest
        work: list[Callable[[], Any]] = [partial(_measure, by_class, ranked, part, ks, vote_k) for part in parts]
        measured = in_threads(lambda do: do(), [*additions, *work])[len(additions) :]
        for part, (columns, its_nearest, its_distance) in zip(parts, measured):
            for name, column in columns.items():
                found.values.setdefault(name, np.empty(q))[order[part]] = column
            found.nearest[order[part]], found.nearest_distance[order[part]] = its_nearest, its_distance
        bar.update(ranked.part.stop - ranked.part.start)
        asked = perf_counter()
    bar.close()
    return found


def _check_depths(ks: Sequence[int], vote_k: int, depth: int, matched: Matched) -> None:
    n = len(matched.gallery_labels)
    compared = _compared(matched)
    if not 1 <= depth <= n:
        raise UserError(f"depth={depth} is out of range: the gallery has {n} items")
    for name, k in [*(("k", k) for k in ks), ("vote_k", vote_k)]:
        if k < 1:
            raise UserError(f"{name}={k} must be at least 1")
        if k > compared:
            raise UserError(f"{name}={k} is more than the {compared} gallery items a query is compared with")
        if k > depth:
            raise UserError(f"{name}={k} is more than depth={depth}")


def _compared(matched: Matched) -> int:
    """How many gallery items every query has, itself left out."""
    return len(matched.gallery_labels) - int((matched.self_rows >= 0).any())


def _in_parts(ranked: Ranked) -> Iterator[slice]:
    """Parts of the ranked queries whose rankings stay in a core's cache while they are measured."""
    q = ranked.part.stop - ranked.part.start
    for here in blocks(q, max(FEWEST, CELLS * q // max(1, ranked.n_cells))):
        yield slice(ranked.part.start + here.start, ranked.part.start + here.stop)


def _measure(
    matched: Matched, ranked: Ranked, part: slice, ks: Sequence[int], vote_k: int
) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Every metric of some of the queries, float64 [p] each; the row and the distance of the nearest item, [p]."""
    near, rows = ranked.top(slice(part.start - ranked.part.start, part.stop - ranked.part.start))
    query_labels, n_relevant = matched.query_labels[part], matched.n_relevant[part]
    labels = matched.labels_of(rows)
    relevant = labels == query_labels[:, None]
    metrics = {
        **{f"precision_at_{k}": m.precision_at_k(relevant, k) for k in ks},
        "map": m.average_precision(relevant, n_relevant, near),
        "map_at_r": m.map_at_r(relevant, n_relevant),
        "r_precision": m.r_precision(relevant, n_relevant),
        **{f"hit_rate_at_{k}": m.hit_rate_at_k(relevant, k) for k in ks},
        **{f"recall_at_{k}": m.recall_at_k(relevant, n_relevant, k) for k in ks},
        **{f"ndcg_at_{k}": m.ndcg_at_k(relevant, n_relevant, k) for k in ks},
        **{f"map_at_{k}": m.map_at_k(relevant, n_relevant, k) for k in ks},
        "mrr": m.reciprocal_rank(relevant),
        "knn_accuracy": knn_accuracy(labels[:, :vote_k], query_labels),
    }
    return metrics, rows[:, 0], near[:, 0]


def _per_class(matched: Matched, values: dict[str, np.ndarray], ap_of: dict[str, float]) -> dict[str, dict[str, float]]:
    chance = matched.chance
    per_class: dict[str, dict[str, float]] = {}
    for label in np.unique(matched.query_labels):
        its = matched.query_labels == label
        name = matched.class_names[label]
        per_class[name] = {
            "n_queries": int(its.sum()),
            "n_gallery": int((matched.gallery_labels == label).sum()),
            "chance_precision": float(chance[its].mean()),
            **{metric: float(values[metric][its].mean()) for metric in HEADLINE},
            "ap": ap_of[name],
        }
    return per_class
