"""What is served of a run is up to date."""

from __future__ import annotations

import shutil

from tfretrieval.runs import Run
from tfretrieval.serve.loading import open_collection
from tfretrieval.workflows.index import ensure_index


def test_an_index_that_was_built_anew_is_measured_anew(served_run, tmp_path):
    run = Run(shutil.copytree(served_run.directory, tmp_path / "run"))
    first = open_collection(run, retrievers=("knn",))
    measured = (run.evaluation("knn") / "metrics.json").stat().st_mtime_ns
    assert first.evaluations["knn"].dim == first.gallery.dim
    open_collection(run, retrievers=("knn",))
    assert (run.evaluation("knn") / "metrics.json").stat().st_mtime_ns == measured
    ensure_index(run, "knn", first.gallery, pca=2)
    assert open_collection(run, retrievers=("knn",)).evaluations["knn"].dim == 2


def test_without_names_the_indexes_of_the_run_are_served_knn_first(served_run, tmp_path):
    run = Run(shutil.copytree(served_run.directory, tmp_path / "run"))
    gallery = open_collection(run).gallery
    ensure_index(run, "faiss", gallery)
    assert list(open_collection(run).indexes) == ["knn", "faiss"]
