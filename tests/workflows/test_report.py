"""The page and the tables say what was measured."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from tfretrieval.report.content import Estimate, Measured
from tfretrieval.runs import Run
from tfretrieval.training.config import TrainConfig
from tfretrieval.training.fit import train
from tfretrieval.workflows.evaluate import evaluate_run
from tfretrieval.workflows.report import report_run, write_run_report
from tfretrieval.workflows.report_tables import (
    chance_map,
    class_table,
    data_table,
    index_costs_table,
    model_costs_table,
    summary_table,
)
from tfretrieval.workflows.visualize import draw_run

QUICK = {"image_size": 16, "batch_size": 4, "images_per_class": 3, "steps_per_epoch": 2}


def rows_of(table):
    return [dict(zip(table.columns, row)) for row in table.rows]


def test_the_table_holds_the_metrics_with_their_intervals_and_ends_with_chance(run, catalog):
    results = {"m": {kind: evaluate_run(run, catalog, kind).evaluation for kind in ("knn", "faiss")}}
    table = summary_table(results)
    assert list(table.columns) == ["Model", "Retriever", "Values", "P@1", "P@3", "P@5", "P@10", "mAP"]
    assert [row[:3] for row in table.rows] == [
        ["m", "KNN", 10], ["m", "FAISS", 10], ["chance", "a random ranking", None]
    ]  # fmt: skip
    knn = results["m"]["knn"]
    assert table.rows[0][3] == Estimate(knn.metrics["precision_at_1"], *knn.intervals["precision_at_1"])
    assert table.rows[2][3] == knn.chance_precision
    assert not any(table.is_best(2, column) for column in range(8))


def test_the_table_tells_of_pca_and_of_the_kind_of_index(run, catalog):
    plain = evaluate_run(run, catalog, "knn").evaluation
    reduced = evaluate_run(run, catalog, "faiss", pca=0.5, factory="HNSW8,Flat").evaluation
    table = summary_table({"triplet": {"knn": plain, "faiss": reduced}})
    assert [row[1] for row in table.rows] == ["KNN", "FAISS, HNSW8,Flat, PCA 0.5", "a random ranking"]


def test_the_map_of_chance_is_what_random_rankings_reach(run, catalog):
    evaluation = evaluate_run(run, catalog).evaluation
    rng = np.random.default_rng(0)
    relevant = np.arange(18) < 6
    reached = []
    for _ in range(4000):
        ranks = np.flatnonzero(rng.permutation(relevant)) + 1
        reached.append(np.mean(np.arange(1, 7) / ranks))
    assert chance_map(evaluation) == pytest.approx(np.mean(reached), abs=0.01)


def test_classes_come_with_the_worst_first(run, catalog):
    values = [row["mAP"] for row in rows_of(class_table(evaluate_run(run, catalog).evaluation))]
    assert len(values) == 3
    assert values == sorted(values)


def test_the_data_are_counted_by_class_and_split(catalog):
    rows = rows_of(data_table(catalog))
    assert rows[0] == {"Class": "field", "test": 3, "train": 6, "Together": 9}
    assert rows[-1] == {"Class": "all", "test": 9, "train": 18, "Together": 27}
    assert len(rows) == 4


def test_images_of_no_class_are_counted_and_many_classes_summed_up(catalog):
    labels = np.where(np.arange(27) < 2, -1, catalog.labels)
    rows = rows_of(data_table(replace(catalog, labels=labels)))
    assert rows[-2]["Together"] == 2
    assert rows[-1]["Together"] == 27
    many = replace(catalog, labels=np.arange(27, dtype=np.int32) // 2, class_names=tuple(map(str, range(50))))
    names = [row["Class"] for row in rows_of(data_table(many))]
    assert names == ["fewest of a class", "median of the classes", "most of a class", "all"]


def test_costs_are_those_recorded_and_of_what_is_there(run, catalog):
    run.record_cost("training", parameters=12345)
    evaluation = evaluate_run(run, catalog, "faiss", pca=2).evaluation
    (row,) = rows_of(model_costs_table({"m": run}))
    costs = run.costs()
    made = [costs["embeddings/train"], costs["embeddings/test"]]
    assert (row["Parameters"], row["Epochs"], row["Peak memory, MB"]) == (12345, 1, None)
    assert row["Embedding, ms an image"].value == pytest.approx(1000 * sum(of["seconds"] for of in made) / 27)
    run.record_cost("embeddings/train", **{**made[0], "of": "another"})
    (row,) = rows_of(model_costs_table({"m": run}))
    assert row["Embedding, ms an image"].value == pytest.approx(1000 * made[1]["seconds"] / 9)
    (index,) = rows_of(index_costs_table({"m": run}, {"m": {"faiss": evaluation}}))
    assert index["Vector, bytes"] == 8
    assert index["One query, ms"] == Measured(1000 * evaluation.seconds["one_query"], 2)
    size = sum(path.stat().st_size for path in run.index("faiss").rglob("*") if path.is_file())
    assert index["Index, bytes an item"].value == pytest.approx(size / 18)


def test_what_was_not_recorded_is_a_dash(run):
    run.costs_path.unlink()
    (row,) = rows_of(model_costs_table({"m": run}))
    assert row["Parameters"] is row["Peak memory, MB"] is row["Embedding, ms an image"] is None


def test_the_page_names_data_model_and_figures(run, catalog):
    evaluation = evaluate_run(run, catalog).evaluation
    drawn = draw_run(run, catalog, ("pr", "history"))
    page = write_run_report(run, catalog, {"knn": evaluation}, drawn).read_text("utf-8")
    assert run.model_fingerprint() in page
    assert catalog.fingerprint in page
    assert f"{evaluation.metrics['map']:.3f}" in page
    assert page.count("<img") == 2
    assert drawn["pr_knn"].caption in page


def test_of_a_network_as_it_came_the_page_says_so(catalog, tmp_path):
    run = Run(tmp_path / "frozen")
    train(catalog, TrainConfig.for_recipe("triplet", **QUICK | {"epochs": 0}), run)
    evaluation = evaluate_run(run, catalog).evaluation
    page = write_run_report(run, catalog, {"knn": evaluation}, {}).read_text("utf-8")
    assert ">Model</h2>" in page
    assert "convnet at 16 pixels" in page
    assert "not trained" in page
    assert "Nothing was learned" in page
    assert "held out" not in page


def test_a_report_holds_every_figure_and_evaluates_what_has_not_been(run, catalog):
    path, drawn = report_run(run, catalog, n_queries=2)
    assert path == run.report_path
    assert set(drawn) == {
        "history", "pr_knn", "confusion_knn", "neighbors_queries_knn", "neighbors_gallery_knn", "hardest_knn", "umap",
        "tsne",
    }  # fmt: skip
    assert run.evaluation("knn").is_dir()
    page = path.read_text("utf-8")
    assert re.findall(r"Figure (\d+)\.", page) == [str(i) for i in range(1, 9)]
    assert page.count('<div class="row"') == 6
    for heading in ("Data and protocol", "Training", "By class", "Neighbors", "Hardest queries", "Cost", "Provenance"):
        assert f">{heading}</h2>" in page
    assert len(page) < 10e6


def test_a_report_shows_the_retrievers_that_the_run_was_evaluated_with(run, catalog):
    evaluate_run(run, catalog, "faiss", ks=(1, 2))
    _, drawn = report_run(run, catalog, n_queries=1)
    assert "pr_faiss" in drawn
    assert "pr_knn" not in drawn


def test_a_run_that_has_been_evaluated_is_reported_without_tensorflow(run, catalog):
    evaluate_run(run, catalog)
    code = (
        "import sys\n"
        "from tfretrieval.cli import main\n"
        "try: main(['report', '--run', sys.argv[1], '--queries', '1'])\n"
        "finally: print('tensorflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(run.directory)], capture_output=True, text=True)
    assert done.stdout == f"{run.report_path}\nFalse\n", done.stderr
