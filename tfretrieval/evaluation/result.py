"""`Evaluation`: the metrics of one index, in memory and on disk."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from tfretrieval.artifacts import ArtifactType
from tfretrieval.evaluation.curves import Curve

EVALUATION = ArtifactType("evaluation", "metrics.json", 2, "rebuild it with `tfret evaluate`")
PER_QUERY_NUMBERS = ("nearest_distance", "average_precision", "r_precision", "reciprocal_rank")


@dataclass(frozen=True, eq=False)
class Evaluation:
    """How well an index finds items of each query's class.

    Attributes:
        retriever: type of the retriever.
        n_queries: number of evaluated queries, q.
        n_gallery: number of gallery items, n.
        n_skipped: queries of unknown class or without a relevant item, which are not evaluated.
        dim: dimension of the searched vectors.
        depth: length of the rankings; below n, relevant items further down count as not found.
        chance_precision: expected precision of a random ranking.
        metrics: name -> mean over queries, 0..1.
        macro: name -> mean over classes of the means over their queries.
        intervals: name -> [low, high], 95 % bootstrap interval of each of `metrics`; may be empty.
        per_class: class -> n_queries, n_gallery, chance_precision, the headline metrics, and `ap`, that of the pooled
            curve; classes without queries are left out.
        confusion: int64 [c, c], row = class of the query, column = class of its nearest neighbor.
        class_names: the c names; "(unknown)" is the last if a nearest neighbor has no class.
        curves: class -> (precision, recall, AP): at most 500 points in the order of recall, the AP of all points.
        per_query: name -> array [q]: id, class, nearest_id, nearest_class (str), nearest_distance, average_precision,
            r_precision, reciprocal_rank (float).
        seconds: time of the search and of the metrics.
        provenance: fingerprints of what was evaluated; further keys are allowed.
    """

    retriever: str
    n_queries: int
    n_gallery: int
    n_skipped: int
    dim: int
    depth: int
    chance_precision: float
    metrics: dict[str, float]
    macro: dict[str, float]
    intervals: dict[str, list[float]]
    per_class: dict[str, dict[str, float]]
    confusion: np.ndarray
    class_names: tuple[str, ...]
    curves: dict[str, Curve]
    per_query: dict[str, np.ndarray]
    seconds: dict[str, float]
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain values for `json.dumps`: everything but the curves and the table of queries."""
        names = [column.name for column in fields(self) if column.name not in ("curves", "per_query", "provenance")]
        values = {name: getattr(self, name) for name in names}
        return values | {"confusion": self.confusion.tolist(), "class_names": list(self.class_names)}

    def hardest_queries(self, n: int) -> np.ndarray:
        """Return the rows of `per_query` with the lowest average precision, lowest first, int64 [n] or fewer."""
        return np.argsort(self.per_query["average_precision"], kind="stable")[:n]

    def save(self, directory: str | os.PathLike[str], provenance: Mapping[str, Any] | None = None) -> Evaluation:
        """Write metrics.json and per_class, confusion, pr_curves and per_query as CSV, all or none.

        Returns:
            the evaluation as written, with `provenance` if given.

        Raises:
            UserError: the directory cannot be written.
        """
        written = self if provenance is None else replace(self, provenance=dict(provenance))
        with EVALUATION.replaced(directory) as temporary:
            EVALUATION.write_header(temporary, written.to_json() | {"provenance": dict(written.provenance)})
            for name, rows in written._tables().items():
                with open(temporary / f"{name}.csv", "w", encoding="utf-8", newline="") as file:
                    csv.writer(file).writerows(rows)
        return written

    @classmethod
    def load(cls, directory: str | os.PathLike[str]) -> Evaluation:
        """Read an evaluation.

        Raises:
            MissingArtifact: there is none.
            CorruptArtifact: it is damaged.
        """
        directory = Path(directory)
        values = EVALUATION.read_header(directory)
        with EVALUATION.reading(directory):
            del values["format"]
            values["confusion"] = np.array(values["confusion"], np.int64)
            values["class_names"] = tuple(values["class_names"])
            values["curves"] = _read_curves(directory / "pr_curves.csv", values["per_class"])
            values["per_query"] = _read_per_query(directory / "per_query.csv")
            if len(values["per_query"]["id"]) != values["n_queries"]:
                raise ValueError("per_query.csv does not belong to metrics.json")
            return cls(**values)

    def _tables(self) -> dict[str, Iterable[Iterable[Any]]]:
        columns = list(next(iter(self.per_class.values())))
        return {
            "per_class": [
                ["class", *columns],
                *([name, *values.values()] for name, values in self.per_class.items()),
            ],
            "confusion": [
                ["class", *self.class_names],
                *([name, *row] for name, row in zip(self.class_names, self.confusion.tolist())),
            ],
            "pr_curves": [
                ["class", "recall", "precision"],
                *(
                    [name, *point]
                    for name, (precision, recall, _) in self.curves.items()
                    for point in zip(recall.tolist(), precision.tolist())
                ),
            ],
            "per_query": [list(self.per_query), *zip(*(a.tolist() for a in self.per_query.values()))],
        }


def _read_curves(path: Path, per_class: dict[str, dict[str, float]]) -> dict[str, Curve]:
    points: dict[str, list[tuple[float, float]]] = {name: [] for name in per_class}
    for row in _read_table(path):
        points[row["class"]].append((float(row["precision"]), float(row["recall"])))
    return {
        name: (*np.array(pairs, np.float64).reshape(-1, 2).T, per_class[name]["ap"]) for name, pairs in points.items()
    }


def _read_per_query(path: Path) -> dict[str, np.ndarray]:
    rows = list(_read_table(path))
    return {
        name: np.array([row[name] for row in rows], np.float64 if name in PER_QUERY_NUMBERS else object)
        for name in rows[0]
    }


def _read_table(path: Path) -> Iterable[dict[str, str]]:
    with open(path, encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)
