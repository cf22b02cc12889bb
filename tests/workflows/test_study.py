"""Every model with every retriever."""

from __future__ import annotations

import csv

import pytest

from tfretrieval.runs import Run
from tfretrieval.training.config import TrainConfig
from tfretrieval.workflows.evaluate import evaluate_run
from tfretrieval.workflows.study import run_study

QUICK = {"image_size": 16, "batch_size": 4, "images_per_class": 3, "steps_per_epoch": 1, "epochs": 1}


def test_the_summary_repeats_what_evaluate_measures(catalog, tmp_path):
    configs = {name: TrainConfig.for_recipe(name, **QUICK) for name in ("siamese", "triplet")}
    done = run_study(catalog, configs, tmp_path, pca=2, figures=("history",))
    with done.summary.open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["model"], row["retriever"], row["dim"]) for row in rows] == [
        ("siamese", "knn", "10"), ("siamese", "faiss", "2"), ("triplet", "knn", "10"), ("triplet", "faiss", "2")
    ]  # fmt: skip
    again = evaluate_run(Run(tmp_path / "triplet"), catalog, "faiss").evaluation
    assert float(rows[3]["map"]) == pytest.approx(again.metrics["map"])
    assert done.report.stat().st_size > 10_000
