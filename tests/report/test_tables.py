"""Tables of a report from evaluations, catalogs and recorded costs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tfretrieval.embedding.store import Embeddings
from tfretrieval.report.content import Estimate, Rounded
from tfretrieval.report.tables import (
    chance_map,
    class_table,
    data_table,
    index_costs_table,
    model_costs_table,
    summary_table,
)
from tfretrieval.workflows.evaluate import evaluate_run
from tfretrieval.workflows.index import IndexRequest


def rows_of(table):
    return [dict(zip(table.columns, row)) for row in table.rows]


def test_summary_has_metrics_with_intervals_and_chance_last(run, catalog):
    results = {"m": {kind: evaluate_run(run, catalog, IndexRequest(kind)).evaluation for kind in ("knn", "faiss")}}
    table = summary_table(results)
    assert list(table.columns) == ["Model", "Retriever", "Dim", "P@1", "P@3", "P@5", "P@10", "mAP", "ms/query"]
    assert [row[:3] for row in table.rows] == [
        ["m", "KNN", 10], ["m", "FAISS", 10], ["chance", "random ranking", None]
    ]  # fmt: skip
    knn = results["m"]["knn"]
    assert table.rows[0][3] == Estimate(knn.metrics["precision_at_1"], *knn.intervals["precision_at_1"])
    assert table.rows[2][3] == knn.chance_precision
    assert not any(table.is_best(2, column) for column in range(8))


def test_summary_names_pca_and_index_type(run, catalog):
    plain = evaluate_run(run, catalog, IndexRequest("knn")).evaluation
    reduced = evaluate_run(run, catalog, IndexRequest("faiss", {"pca": 0.5, "factory": "HNSW8,Flat"})).evaluation
    table = summary_table({"triplet": {"knn": plain, "faiss": reduced}})
    assert [row[1] for row in table.rows] == ["KNN", "FAISS HNSW8,Flat, PCA 0.5", "random ranking"]


def test_chance_map_is_the_mean_of_random_rankings(run, catalog):
    evaluation = evaluate_run(run, catalog).evaluation
    rng = np.random.default_rng(0)
    relevant = np.arange(18) < 6
    reached = []
    for _ in range(4000):
        ranks = np.flatnonzero(rng.permutation(relevant)) + 1
        reached.append(np.mean(np.arange(1, 7) / ranks))
    assert chance_map(evaluation) == pytest.approx(np.mean(reached), abs=0.01)


def test_classes_are_sorted_by_map(run, catalog):
    values = [row["mAP"] for row in rows_of(class_table(evaluate_run(run, catalog).evaluation))]
    assert len(values) == 3
    assert values == sorted(values)


def test_images_are_counted_by_class_and_split(catalog):
    rows = rows_of(data_table(catalog))
    assert rows[0] == {"Class": "field", "test": 3, "train": 6, "Total": 9}
    assert rows[-1] == {"Class": "all", "test": 9, "train": 18, "Total": 27}
    assert len(rows) == 4


def test_unlabelled_images_are_counted_and_many_classes_summarized(catalog):
    labels = np.where(np.arange(27) < 2, -1, catalog.labels)
    rows = rows_of(data_table(replace(catalog, labels=labels)))
    assert rows[-2]["Total"] == 2
    assert rows[-1]["Total"] == 27
    many = replace(catalog, labels=np.arange(27, dtype=np.int32) // 2, class_names=tuple(map(str, range(50))))
    names = [row["Class"] for row in rows_of(data_table(many))]
    assert names == ["minimum per class", "median per class", "maximum per class", "all"]


def test_costs_are_those_of_the_training_and_of_stored_embeddings(run, catalog):
    run.record_training(parameters=12345)
    evaluation = evaluate_run(run, catalog, IndexRequest("faiss", {"pca": 2})).evaluation
    (row,) = rows_of(model_costs_table({"m": run}))
    seconds = sum(Embeddings.load(run.embeddings(name)).provenance["embedding_seconds"] for name in ("train", "test"))
    assert (row["Parameters"], row["Epochs"], row["Peak memory, MB"]) == (12345, 1, None)
    assert row["Embedding, ms/image"].value == pytest.approx(1000 * seconds / 27)
    (index,) = rows_of(index_costs_table({"m": run}, {"m": {"faiss": evaluation}}))
    assert index["Vector, bytes"] == 8
    assert index["One query, ms"] == Rounded(1000 * evaluation.seconds["one_query"], 2)
    size = sum(path.stat().st_size for path in run.index("faiss").rglob("*") if path.is_file())
    assert index["Index, bytes/item"].value == pytest.approx(size / 18)


def test_costs_that_were_not_recorded_are_none(run):
    run.record_training()
    (row,) = rows_of(model_costs_table({"m": run}))
    assert row["Parameters"] is row["Peak memory, MB"] is row["Embedding, ms/image"] is None
