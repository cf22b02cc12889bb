"""Tables of a report, from evaluations, catalogs and the recorded costs of runs."""

from collections.abc import Mapping

import numpy as np

from tfretrieval.data.catalog import Catalog
from tfretrieval.embedding.store import STORE
from tfretrieval.evaluation.metrics import expected_average_precision
from tfretrieval.evaluation.result import Evaluation
from tfretrieval.report.content import Cell, Estimate, Rounded, Table
from tfretrieval.retrieval.index import INDEX
from tfretrieval.runs import Run
from tfretrieval.training.history import read_history
from tfretrieval.visualize.comparison import short_name

SUMMARY = ("precision_at_1", "precision_at_3", "precision_at_5", "precision_at_10", "map")
SHORT = {name: short_name(name) for name in SUMMARY}
MAX_CLASSES = 40

Row = dict[str, Cell]
Results = Mapping[str, Mapping[str, Evaluation]]


def summary_table(results: Results) -> Table:
    """Return metrics with intervals and time per query, one row per model and index, chance last."""
    rows: list[Row] = [
        {
            "Model": model,
            "Retriever": evaluation.provenance["index"],
            "Dim": evaluation.dim,
            **{short: estimate(evaluation, name) for name, short in SHORT.items()},
            "ms/query": _milliseconds(evaluation.seconds.get("one_query")),
        }
        for model, evaluations in results.items()
        for evaluation in evaluations.values()
    ]
    first = next(iter(next(iter(results.values())).values()))
    chance = {**dict.fromkeys(SHORT.values(), first.chance_precision), "mAP": chance_map(first)}
    rows.append({"Model": "chance", "Retriever": "random ranking", "Dim": None, **chance, "ms/query": None})
    return Table.from_rows(
        rows,
        caption=(
            "Retrieval metrics by model and retriever: means over queries with 95 % bootstrap intervals. Dim: "
            "dimensions of the searched vectors, after PCA. ms/query: median time of one search. The best value of "
            "each column is marked. KNN and FAISS Flat are exact: on the same vectors their metrics are equal and only "
            "the search time differs."
        ),
        row_headers=2,
        best={**dict.fromkeys(SHORT.values(), "max"), "ms/query": "min"},
    )


def chance_map(evaluation: Evaluation) -> float:
    """Return the expected mAP of a random ranking of the gallery."""
    splits = evaluation.provenance
    excludes_query = "query_split" in splits and splits["query_split"] == splits["gallery_split"]
    n = evaluation.n_gallery - int(excludes_query)
    classes = evaluation.per_class.values()
    expected = [expected_average_precision(values["chance_precision"] * n, n) for values in classes]
    return float(np.average(expected, weights=[values["n_queries"] for values in classes]))


def estimate(evaluation: Evaluation, name: str) -> Estimate | float | None:
    """Return a metric with its interval, without one if there is none; None for a missing metric."""
    if name not in evaluation.metrics:
        return None
    value = evaluation.metrics[name]
    return Estimate(value, *evaluation.intervals[name]) if name in evaluation.intervals else value


def class_table(evaluation: Evaluation) -> Table:
    """Return metrics by class, lowest mAP first."""
    rows: list[list[Cell]] = [
        [label, int(v["n_queries"]), int(v["n_gallery"]), v["precision_at_1"], v["map"], v["ap"]]
        for label, v in sorted(evaluation.per_class.items(), key=lambda item: item[1]["map"])
    ]
    cut = f" The {MAX_CLASSES} lowest of {len(rows)} classes." if len(rows) > MAX_CLASSES else ""
    return Table(
        ["Class", "Queries", "Gallery", "P@1", "mAP", "AP (pooled)"],
        rows[:MAX_CLASSES],
        caption=(
            f"Metrics by class ({evaluation.provenance['index']}), lowest mAP first. AP (pooled): average precision of "
            f"the class's precision-recall curve, all its queries ranked together by distance.{cut}"
        ),
    )


def data_table(catalog: Catalog) -> Table:
    """Return the number of images by class and split; for many classes their minimum, median and maximum."""
    splits = catalog.split_names
    columns = [*(catalog.labels[catalog.splits == split] for split in splits), catalog.labels]
    counts = np.array([np.bincount(labels + 1, minlength=catalog.n_classes + 1) for labels in columns])
    unknown, known = counts[:, 0], counts[:, 1:]
    named = list(zip(catalog.class_names, known.T))
    if catalog.n_classes > MAX_CLASSES:
        low, median, high = np.percentile(known, [0, 50, 100], axis=1)
        named = [("minimum per class", low), ("median per class", median), ("maximum per class", high)]
    if unknown.any():
        named.append(("class unknown", unknown))
    named.append(("all", counts.sum(axis=1)))
    rows: list[list[Cell]] = [[name, *(round(float(n)) for n in row)] for name, row in named]
    return Table(["Class", *splits, "Total"], rows, caption=f"Images of {catalog.n_classes} classes by split.")


def model_costs_table(runs: Mapping[str, Run]) -> Table:
    """Return size, training time and embedding time of each model; a dash for values that were not recorded."""
    rows: list[Row] = []
    for name, run in runs.items():
        training = run.manifest().get("training", {})
        history = read_history(run.history_path) if run.history_path.is_file() else []
        stores = [STORE.read_header(path.parent) for path in sorted(run.directory.glob("embeddings/*/embeddings.json"))]
        timed = [store for store in stores if "embedding_seconds" in store["provenance"]]
        n_items = sum(store["n"] for store in timed)
        seconds = sum(store["provenance"]["embedding_seconds"] for store in timed)
        engines = dict.fromkeys("{engine}, {precision}".format(**store["provenance"]) for store in timed)
        rows.append(
            {
                "Model": name,
                "Parameters": training.get("parameters"),
                "File, MB": _megabytes(run.model_path.stat().st_size),
                "Epochs": len(history),
                "Training, s": Rounded(sum(row.get("seconds", 0.0) for row in history), 1) if history else None,
                "Peak memory, MB": _megabytes(training.get("peak_memory")),
                "Embedding, ms/image": Rounded(1000 * seconds / n_items, 2) if n_items else None,
                "Engine": ", ".join(engines) or None,
            }
        )
    return Table.from_rows(
        rows,
        caption=(
            "Cost of the models. Training: all epochs including validation. Peak memory: resident memory of the "
            "training process. Embedding: reading, decoding and inference, in batches. A dash: not recorded."
        ),
    )


def index_costs_table(runs: Mapping[str, Run], results: Results) -> Table:
    """Return size, build time and search time of each index; a dash for values that were not recorded."""
    rows: list[Row] = []
    for name, by_retriever in results.items():
        for kind, evaluation in by_retriever.items():
            folder = runs[name].index(kind)
            provenance = INDEX.read_header(folder)["provenance"] if INDEX.exists(folder) else {}
            build_seconds = provenance.get("build_seconds")
            is_stored = evaluation.retriever != "milvus"
            n_bytes = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
            rows.append(
                {
                    "Model": name,
                    "Retriever": evaluation.provenance["index"],
                    "Vector, bytes": 4 * evaluation.dim,
                    "Index, bytes/item": Rounded(n_bytes / evaluation.n_gallery) if n_bytes and is_stored else None,
                    "Build, ms": None if build_seconds is None else Rounded(1000 * build_seconds, 1),
                    "One query, ms": _milliseconds(evaluation.seconds.get("one_query")),
                    "All queries, s": Rounded(evaluation.seconds["search"], 2),
                }
            )
    return Table.from_rows(
        rows,
        caption=(
            "Cost of the indexes. Vector: float32 vector of one image after PCA. Index: files on disk, including the "
            "PCA. One query: median time of a search for the 10 nearest neighbors, without embedding. All queries: "
            "search of all queries."
        ),
        row_headers=2,
    )


def _milliseconds(seconds: float | None) -> Rounded | None:
    return None if seconds is None else Rounded(1000 * seconds, 2)


def _megabytes(n_bytes: int | None) -> Rounded | None:
    return None if n_bytes is None else Rounded(n_bytes / 1e6, 1)
