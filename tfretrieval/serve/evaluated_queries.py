"""Single queries of an evaluation: the hardest and the confused ones."""

import numpy as np
from starlette.exceptions import HTTPException

from tfretrieval.evaluation.confusion import confused_pairs, row_fractions
from tfretrieval.evaluation.result import Evaluation
from tfretrieval.serve.schemas import ConfusedPair, ConfusedPairs, EvaluatedQueries, EvaluatedQuery


def hardest_queries(evaluation: Evaluation, n: int) -> EvaluatedQueries:
    """Return the n queries with the lowest average precision, lowest first."""
    return EvaluatedQueries(total=evaluation.n_queries, queries=_describe(evaluation, evaluation.hardest_queries(n)))


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


def most_confused_pairs(evaluation: Evaluation, n: int) -> ConfusedPairs:
    """Return the n most frequently confused pairs of classes."""
    counts, names = evaluation.confusion, evaluation.class_names
    fractions = row_fractions(counts)
    pairs = [
        ConfusedPair(label=names[i], nearest_label=names[j], count=int(counts[i, j]), share=float(fractions[i, j]))
        for i, j in confused_pairs(counts, n)
    ]
    return ConfusedPairs(pairs=pairs)


def _nearest_class(evaluation: Evaluation) -> np.ndarray:
    """Class of each nearest neighbor, [q], as named in the confusion matrix."""
    nearest = evaluation.per_query["nearest_class"]
    is_unknown = (nearest == "") & (evaluation.per_query["nearest_id"] != "")
    return np.where(is_unknown, evaluation.class_names[-1], nearest)


def _describe(evaluation: Evaluation, rows: np.ndarray) -> list[EvaluatedQuery]:
    columns = evaluation.per_query
    return [EvaluatedQuery.model_validate({name: column[row] for name, column in columns.items()}) for row in rows]
