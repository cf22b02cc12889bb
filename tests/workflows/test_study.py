"""Every model with every retriever."""

from __future__ import annotations

import csv

import pytest

from tfretrieval.runs import Run
from tfretrieval.training.config import TrainConfig
from tfretrieval.workflows.evaluate import evaluate_run
from tfretrieval.workflows.index import IndexRequest
from tfretrieval.workflows.study import StudyPlan, run_study

QUICK = {"image_size": 16, "batch_size": 4, "images_per_class": 3, "steps_per_epoch": 1, "epochs": 1}


def test_the_summary_repeats_what_evaluate_measures(catalog, tmp_path):
    configs = {name: TrainConfig.for_recipe(name, **QUICK) for name in ("siamese", "triplet")}
    done = run_study(catalog, StudyPlan(configs, pca=2, figures=("history",)), tmp_path)
    with done.summary.open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["model"], row["retriever"], row["pca"], row["dim"]) for row in rows] == [
        (model, retriever, pca, dim)
        for model in ("siamese", "triplet")
        for retriever in ("knn", "faiss")
        for pca, dim in (("", "10"), ("2", "2"))
    ]
    for first, second in ((0, 2), (1, 3), (4, 6), (5, 7)):  # KNN and FAISS search the same vectors
        assert float(rows[first]["map"]) == pytest.approx(float(rows[second]["map"]), abs=1e-6)
    request = IndexRequest("faiss", {"pca": 2}, name="faiss-pca")
    again = evaluate_run(Run(tmp_path / "triplet"), catalog, request).evaluation
    assert float(rows[7]["map"]) == pytest.approx(again.metrics["map"])
    assert all(float(row["ms_per_query"]) > 0 for row in rows)
    assert done.report.stat().st_size > 10_000
