"""The tables of a report, from evaluations, catalogs and what a run has recorded."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tfretrieval.atomic import read_json
from tfretrieval.data.catalog import Catalog
from tfretrieval.evaluation.chance import expected_average_precision
from tfretrieval.evaluation.result import Evaluation
from tfretrieval.report import Estimate, Measured, Table
from tfretrieval.report.content import Cell
from tfretrieval.retrieval import TITLES, in_words
from tfretrieval.runs import Run
from tfretrieval.training.history import read_history

SUMMARY = ("precision_at_1", "precision_at_3", "precision_at_5", "precision_at_10", "map")
SHORT = {name: name.replace("precision_at_", "P@").replace("map", "mAP") for name in SUMMARY}
MOST_CLASSES = 40

Results = Mapping[str, Mapping[str, Evaluation]]


def summary_table(results: Results) -> Table:
    """The study's table: a row a model and retriever; values searched, P@1, P@3, P@5, P@10 and mAP with intervals.

    The last row is what a random ranking would reach.
    """
    rows: list[list[Cell]] = [
        [model, in_words(kind, evaluation.made_from), evaluation.dim, *(estimate(evaluation, name) for name in SUMMARY)]
        for model, by_retriever in results.items()
        for kind, evaluation in by_retriever.items()
    ]
    first = next(iter(next(iter(results.values())).values()))
    by_chance = {**dict.fromkeys(SUMMARY, first.chance_precision), "map": chance_map(first)}
    rows.append(["chance", "a random ranking", None, *by_chance.values()])
    return Table(
        ["Model", "Retriever", "Values", *SHORT.values()],
        rows,
        caption=(
            "Means over the queries, below each its 95 % bootstrap interval. Values: how many of an image were "
            "searched, fewer than it has where PCA came first: then a difference may be that of PCA. The best of each "
            "column is marked."
        ),
        row_headers=2,
        best=dict.fromkeys(SHORT.values(), "max"),
    )


def chance_map(evaluation: Evaluation) -> float:
    """The mAP that a random ranking of the gallery has on average over the queries."""
    made = evaluation.made_from
    n = evaluation.n_gallery - int("query_split" in made and made["query_split"] == made["gallery_split"])
    classes = evaluation.per_class.values()
    expected = [expected_average_precision(of["chance_precision"] * n, n) for of in classes]
    return float(np.average(expected, weights=[of["n_queries"] for of in classes]))


def estimate(evaluation: Evaluation, name: str) -> Estimate | float | None:
    """A metric with its interval, as far as they are there."""
    if name not in evaluation.metrics:
        return None
    value = evaluation.metrics[name]
    return Estimate(value, *evaluation.intervals[name]) if name in evaluation.intervals else value


def class_table(evaluation: Evaluation) -> Table:
    """A row a class, the class that is found worst first."""
    rows: list[list[Cell]] = [
        [label, int(of["n_queries"]), int(of["n_gallery"]), of["precision_at_1"], of["map"], of["ap"]]
        for label, of in sorted(evaluation.per_class.items(), key=lambda item: item[1]["map"])
    ]
    shown = rows[:MOST_CLASSES]
    left_out = f" Shown are the {MOST_CLASSES} lowest of {len(rows)} classes." if len(rows) > MOST_CLASSES else ""
    return Table(
        ["Class", "Queries", "Gallery", "P@1", "mAP", "AP (pooled)"],
        shown,
        caption=(
            f"By class with {TITLES[evaluation.retriever]}, the lowest mAP first. AP (pooled) is that of the "
            "class's curve of precision and recall, on which all its queries share one ranking by distance."
            f"{left_out}"
        ),
    )


def data_table(catalog: Catalog) -> Table:
    """How many images of each class each split has; of many classes only the least, the middle and the most."""
    splits = catalog.split_names
    counts = np.array(
        [[int(((catalog.labels == i) & (catalog.splits == s)).sum()) for s in splits] for i in range(catalog.n_classes)]
    ).reshape(catalog.n_classes, len(splits))
    unknown = [int(((catalog.labels < 0) & (catalog.splits == split)).sum()) for split in splits]
    sums_by_split = [int(n) for n in counts.sum(axis=0) + unknown]
    last: list[list[Cell]] = [["class unknown", *unknown, sum(unknown)]] if any(unknown) else []
    last.append(["all", *sums_by_split, sum(sums_by_split)])
    if catalog.n_classes <= MOST_CLASSES:
        rows: list[list[Cell]] = [
            [name, *(int(n) for n in row), int(row.sum())] for name, row in zip(catalog.class_names, counts)
        ]
    else:
        sums: dict[str, Any] = {
            "fewest of a class": np.min, "median of the classes": np.median, "most of a class": np.max
        }  # fmt: skip
        rows = [
            [name, *(round(float(of(column))) for column in counts.T), round(float(of(counts.sum(axis=1))))]
            for name, of in sums.items()
        ]
    return Table(
        ["Class", *splits, "Together"], [*rows, *last], caption=f"Images of {catalog.n_classes} classes by split."
    )


def model_costs_table(runs: Mapping[str, Run]) -> Table:
    """What each model is and took; a dash where it was not recorded."""
    rows: list[list[Cell]] = []
    for name, run in runs.items():
        costs = run.costs()
        training = costs.get("training", {})
        history = read_history(run.history_path) if run.history_path.is_file() else []
        seconds = sum(row.get("seconds", 0.0) for row in history)
        made = [of for what, of in costs.items() if what.startswith("embeddings/") and _stands(run, what, of)]
        items = sum(of["items"] for of in made)
        rows.append(
            [
                name,
                training.get("parameters"),
                _megabytes(run.model_path.stat().st_size),
                len(history),
                Measured(seconds, 1) if history else None,
                _megabytes(training.get("peak_memory")),
                Measured(1000 * sum(of["seconds"] for of in made) / items, 2) if items else None,
                ", ".join(dict.fromkeys(f"{of['engine']}, {of['precision']}" for of in made)) or None,
            ]
        )
    return Table(
        [
            "Model", "Parameters", "File, MB", "Epochs", "Training, s", "Peak memory, MB",
            "Embedding, ms an image", "Embedded by",
        ],
        rows,
        caption=(
            "What the models took. Training: all epochs with their validation. Peak memory: the most that the process "
            "had in RAM while it trained. Embedding: reading, decoding and computing, in batches. A dash: not recorded."
        ),
    )  # fmt: skip


def index_costs_table(runs: Mapping[str, Run], results: Results) -> Table:
    """What each index takes; a dash where it was not recorded."""
    rows: list[list[Cell]] = []
    for name, by_retriever in results.items():
        for kind, evaluation in by_retriever.items():
            folder = runs[name].index(kind)
            header = read_json(folder / "index.json") if folder.is_dir() else {}
            build = header.get("made_from", {}).get("build_seconds")
            one = evaluation.seconds.get("one_query")
            kept = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
            rows.append(
                [
                    name,
                    in_words(kind, evaluation.made_from),
                    4 * evaluation.dim,
                    Measured(kept / evaluation.n_gallery, 0) if kept and kind != "milvus" else None,
                    None if build is None else Measured(1000 * build, 1),
                    None if one is None else Measured(1000 * one, 2),
                    Measured(evaluation.seconds["search"], 2),
                ]
            )
    return Table(
        [
            "Model", "Retriever", "Vector, bytes", "Index, bytes an item", "Build, ms", "One query, ms",
            "All rankings, s",
        ],
        rows,
        caption=(
            "What the indexes take. Vector: the values searched of one image, in float32. Index: its files, with "
            "what was learned for PCA. One query: median time of a search for the 10 nearest, without embedding. "
            "All rankings: every query against the whole gallery."
        ),
        row_headers=2,
    )  # fmt: skip


def _stands(run: Run, what: str, of: Mapping[str, Any]) -> bool:
    """Whether the embeddings that a cost belongs to are those that are there."""
    header = Path(run.directory, what, "embeddings.json")
    return header.is_file() and read_json(header).get("fingerprint") == of.get("of")


def _megabytes(count: int | None) -> Measured | None:
    return None if count is None else Measured(count / 1e6, 1)
