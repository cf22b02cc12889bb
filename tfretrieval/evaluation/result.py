"""`Evaluation`: all that was measured of one retriever, in memory and on disk."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from tfretrieval.atomic import read_json, replaced_directory, write_json
from tfretrieval.errors import UserError

FORMAT = 1
PER_QUERY_NUMBERS = ("nearest_distance", "average_precision", "r_precision", "reciprocal_rank")

Curve = tuple[np.ndarray, np.ndarray, float]


@dataclass(frozen=True, eq=False)
class Evaluation:
    """How well a retriever finds items of the query's class.

    Attributes:
        retriever: its kind.
        n_queries: queries that were evaluated, q.
        n_gallery: items in the gallery, n.
        n_skipped: queries left out: of unknown class, or without a relevant item.
        dim: dimensions that were searched.
        depth: length of each ranking; below n items further down count as not found.
        chance_precision: the expected precision of a random ranking.
        metrics: name -> mean over queries, 0..1.
        macro: name -> mean over classes of the means over their queries.
        intervals: name -> [low, high], the 95 % bootstrap interval of each of `metrics`; may be empty.
        per_class: class -> n_queries, n_gallery, chance_precision, the headline metrics, and `ap`, that of
            the pooled curve; classes without evaluated queries are left out.
        confusion: int64 [c, c], row = class of the query, column = class of its nearest neighbor.
        class_names: the c names; "(unknown)" comes last where a nearest neighbor has no class.
        curves: class -> (precision, recall, AP): points of rising recall, at most 500, the AP that of all.
        per_query: name -> array [q]: id, class, nearest_id, nearest_class (str), nearest_distance,
            average_precision, r_precision, reciprocal_rank (float).
        seconds: search, metrics.
        made_from: fingerprints of what was evaluated; free keys.
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
    made_from: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain values for `json.dumps`: everything but curves and single queries."""
        return {
            "retriever": self.retriever,
            "n_queries": self.n_queries,
            "n_gallery": self.n_gallery,
            "n_skipped": self.n_skipped,
            "dim": self.dim,
            "depth": self.depth,
            "chance_precision": self.chance_precision,
            "metrics": self.metrics,
            "macro": self.macro,
            "intervals": self.intervals,
            "per_class": self.per_class,
            "confusion": self.confusion.tolist(),
            "class_names": list(self.class_names),
            "seconds": self.seconds,
        }

    def save(self, directory: str | os.PathLike[str], made_from: Mapping[str, Any] | None = None) -> Evaluation:
        """Write metrics.json and per_class, confusion, pr_curves and per_query as CSV, all or none.

        Returns:
            the evaluation as it was written, with `made_from` if that is given.

        Raises:
            UserError: the folder cannot be written.
        """
        written = self if made_from is None else replace(self, made_from=dict(made_from))
        with replaced_directory(directory, "metrics.json") as temporary:
            header = {"format": FORMAT, "made_from": dict(written.made_from)}
            write_json(temporary / "metrics.json", written.to_json() | header)
            for name, rows in written._tables().items():
                with open(temporary / f"{name}.csv", "w", encoding="utf-8", newline="") as file:
                    csv.writer(file).writerows(rows)
        return written

    @classmethod
    def load(cls, directory: str | os.PathLike[str]) -> Evaluation:
        """The evaluation that was saved in the folder.

        Raises:
            UserError: there is none, it is damaged, or it was written by another version.
        """
        directory = Path(directory)
        values = read_json(directory / "metrics.json", "rebuild it with `tfret evaluate`")
        if values.pop("format", None) != FORMAT:
            raise UserError(f"{directory / 'metrics.json'} is not of format {FORMAT}; rebuild it with `tfret evaluate`")
        try:
            values["confusion"] = np.array(values["confusion"], np.int64)
            values["class_names"] = tuple(values["class_names"])
            per_class = values["per_class"]
            values["curves"] = _read_curves(directory / "pr_curves.csv", per_class)
            values["per_query"] = _read_per_query(directory / "per_query.csv")
            if len(values["per_query"]["id"]) != values["n_queries"]:
                raise ValueError("per_query.csv does not belong to metrics.json")
            return cls(**values)
        except (OSError, ValueError, LookupError, TypeError, AttributeError, csv.Error) as error:
            raise UserError(
                f"the evaluation in {directory} is damaged ({error}); rebuild it with `tfret evaluate`"
            ) from None

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
