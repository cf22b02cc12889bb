"""Loading of a run as a collection."""

from __future__ import annotations

import shutil

from tfretrieval.runs import Run
from tfretrieval.serve.loading import open_collection
from tfretrieval.workflows.index import IndexRequest, ensure_index


def test_a_rebuilt_index_is_evaluated_again(served_run, tmp_path):
    run = Run(shutil.copytree(served_run.directory, tmp_path / "run"))
    first = open_collection(run, retrievers=("knn",))
    measured = (run.evaluation("knn") / "metrics.json").stat().st_mtime_ns
    assert first.evaluations["knn"].dim == first.gallery.dim
    open_collection(run, retrievers=("knn",))
    assert (run.evaluation("knn") / "metrics.json").stat().st_mtime_ns == measured
    ensure_index(run, first.gallery, IndexRequest("knn", {"pca": 2}))
    assert open_collection(run, retrievers=("knn",)).evaluations["knn"].dim == 2


def test_by_default_the_indexes_of_the_run_are_loaded(served_run, tmp_path):
    run = Run(shutil.copytree(served_run.directory, tmp_path / "run"))
    gallery = open_collection(run).gallery
    for kind in ("faiss", "knn"):
        ensure_index(run, gallery, IndexRequest(kind))
    assert list(open_collection(run).indexes) == ["faiss", "knn"]
