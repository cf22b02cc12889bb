"""What an evaluation says of single queries: the hardest, and those that were confused."""

from __future__ import annotations

import numpy as np

from tfretrieval.evaluation.result import Evaluation
from tfretrieval.serve.http_errors import Refusal
from tfretrieval.serve.schemas import AskedQuery, ConfusedPair, QueriesAnswer


def hardest(evaluation: Evaluation, n: int) -> QueriesAnswer:
    """The queries of least average precision, the worst first."""
    order = np.argsort(evaluation.per_query["average_precision"], kind="stable")
    return QueriesAnswer(total=evaluation.n_queries, queries=_asked(evaluation, order[:n]))


def confused(evaluation: Evaluation, label: str, nearest_label: str, n: int) -> QueriesAnswer:
    """The queries of one class whose nearest neighbor is of another, or of the same; the nearest first.

    Raises:
        Refusal: there is no such class.
    """
    for name in (label, nearest_label):
        if name not in evaluation.class_names:
            raise Refusal(404, f"there is no class {name!r}")
    asked = evaluation.per_query
    rows = np.flatnonzero((asked["class"] == label) & (_nearest_class(evaluation) == nearest_label))
    rows = rows[np.argsort(asked["nearest_distance"][rows], kind="stable")]
    return QueriesAnswer(total=len(rows), queries=_asked(evaluation, rows[:n]))


def confused_pairs(evaluation: Evaluation, n: int) -> list[ConfusedPair]:
    """The pairs of different classes that are confused, the most frequent first."""
    counts = evaluation.confusion.copy()
    totals = np.maximum(counts.sum(1), 1)
    np.fill_diagonal(counts, 0)
    order = np.argsort(-counts, axis=None, kind="stable")[:n]
    names = evaluation.class_names
    return [
        ConfusedPair(
            label=names[row], nearest_label=names[column], count=int(counts[row, column]),
            share=float(counts[row, column] / totals[row]),
        )
        for row, column in zip(*np.unravel_index(order, counts.shape))
        if counts[row, column]
    ]  # fmt: skip


def _nearest_class(evaluation: Evaluation) -> np.ndarray:
    """[q] the class of each nearest neighbor, by the names of the confusion matrix."""
    nearest = evaluation.per_query["nearest_class"]
    unknown = (nearest == "") & (evaluation.per_query["nearest_id"] != "")
    return np.where(unknown, evaluation.class_names[-1], nearest)


def _asked(evaluation: Evaluation, rows: np.ndarray) -> list[AskedQuery]:
    asked = evaluation.per_query
    return [
        AskedQuery(
            id=str(asked["id"][row]),
            label=str(asked["class"][row]),
            nearest_id=str(asked["nearest_id"][row]) or None,
            nearest_label=str(asked["nearest_class"][row]) or None,
            nearest_distance=_finite(asked["nearest_distance"][row]),
            average_precision=float(asked["average_precision"][row]),
        )
        for row in rows
    ]


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
