"""Single queries of an evaluation: the hardest and the confused ones."""

from __future__ import annotations

import numpy as np
from starlette.exceptions import HTTPException

from tfretrieval.evaluation.confusion import confusion_row_shares
from tfretrieval.evaluation.result import Evaluation
from tfretrieval.serve.schemas import ConfusedPair, EvaluatedQueries, EvaluatedQuery


def hardest_queries(evaluation: Evaluation, n: int) -> EvaluatedQueries:
    """Return the n queries with the lowest average precision, lowest first."""
    order = np.argsort(evaluation.per_query["average_precision"], kind="stable")
    return EvaluatedQueries(total=evaluation.n_queries, queries=_describe(evaluation, order[:n]))


def confused_queries(evaluation: Evaluation, label: str, nearest_label: str, n: int) -> EvaluatedQueries:
    """Return queries of one class whose nearest neighbor has another class or the same, nearest first.

    Raises:
        HTTPException: 404 if a class is unknown.
    """
    for name in (label, nearest_label):
        if name not in evaluation.class_names:
            raise HTTPException(404, f"unknown class {name!r}")
    columns = evaluation.per_query
    rows = np.flatnonzero((columns["class"] == label) & (_nearest_class(evaluation) == nearest_label))
    rows = rows[np.argsort(columns["nearest_distance"][rows], kind="stable")]
    return EvaluatedQueries(total=len(rows), queries=_describe(evaluation, rows[:n]))


def confused_pairs(evaluation: Evaluation, n: int) -> list[ConfusedPair]:
    """Return the n most frequently confused pairs of classes."""
    errors, names = evaluation.confusion.copy(), evaluation.class_names
    shares = confusion_row_shares(evaluation.confusion)
    np.fill_diagonal(errors, 0)
    order = np.argsort(-errors, axis=None, kind="stable")[:n]
    return [
        ConfusedPair(
            label=names[row],
            nearest_label=names[column],
            count=int(errors[row, column]),
            share=float(shares[row, column]),
        )
        for row, column in zip(*np.unravel_index(order, errors.shape))
        if errors[row, column]
    ]


def _nearest_class(evaluation: Evaluation) -> np.ndarray:
    """Class of each nearest neighbor, [q], as named in the confusion matrix."""
    nearest = evaluation.per_query["nearest_class"]
    is_unknown = (nearest == "") & (evaluation.per_query["nearest_id"] != "")
    return np.where(is_unknown, evaluation.class_names[-1], nearest)


def _describe(evaluation: Evaluation, rows: np.ndarray) -> list[EvaluatedQuery]:
    columns = evaluation.per_query
    return [EvaluatedQuery.model_validate({name: column[row] for name, column in columns.items()}) for row in rows]
