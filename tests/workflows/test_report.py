"""Reports of runs."""

from __future__ import annotations

import re
import subprocess
import sys

from tfretrieval.runs import Run
from tfretrieval.training.config import TrainConfig
from tfretrieval.training.fit import train
from tfretrieval.workflows.evaluate import evaluate_run
from tfretrieval.workflows.index import IndexRequest
from tfretrieval.workflows.report import report_run, write_run_report
from tfretrieval.workflows.visualize import draw_run

QUICK = {"image_size": 16, "batch_size": 4, "images_per_class": 3, "steps_per_epoch": 2}


def test_the_report_has_data_model_and_figures(run, catalog):
    evaluation = evaluate_run(run, catalog, IndexRequest("knn")).evaluation
    drawn = draw_run(run, catalog, ("pr", "history"), "knn")
    page = write_run_report(run, catalog, {"knn": evaluation}, drawn).read_text("utf-8")
    assert run.model_fingerprint() in page
    assert catalog.fingerprint in page
    assert f"{evaluation.metrics['map']:.3f}" in page
    assert page.count("<img") == 2
    assert drawn["pr_knn"].caption in page


def test_the_report_of_an_untrained_model_says_so(catalog, tmp_path):
    run = Run(tmp_path / "frozen")
    train(catalog, TrainConfig.for_recipe("triplet", **QUICK | {"epochs": 0}), run)
    evaluation = evaluate_run(run, catalog).evaluation
    page = write_run_report(run, catalog, {"knn": evaluation}, {}).read_text("utf-8")
    assert ">Model</h2>" in page
    assert "convnet at 16 pixels" in page
    assert "not trained" in page
    assert "was not trained on these data" in page
    assert "was selected" not in page


def test_a_report_has_every_figure_and_evaluates_first(run, catalog):
    path, drawn = report_run(run, catalog, n_queries=2)
    assert path == run.report_path
    assert set(drawn) == {
        "history", "pr_faiss", "confusion_faiss", "neighbors_queries_faiss", "neighbors_gallery_faiss", "hardest_faiss",
        "umap", "tsne",
    }  # fmt: skip
    assert run.evaluation("faiss").is_dir()
    page = path.read_text("utf-8")
    assert re.findall(r"Figure (\d+)\.", page) == [str(i) for i in range(1, 9)]
    assert page.count('<div class="row"') == 6
    for heading in (
        "Data and protocol",
        "Training",
        "Results by class",
        "Neighbors",
        "Hardest queries",
        "Cost",
        "Provenance",
    ):
        assert f">{heading}</h2>" in page
    assert len(page) < 10e6


def test_a_report_uses_existing_evaluations_and_does_not_import_tensorflow(run, catalog):
    evaluate_run(run, catalog, IndexRequest("knn"), ks=(1, 2))
    code = (
        "import sys\n"
        "from tfretrieval.cli import main\n"
        "try: main(['report', '--run', sys.argv[1], '--queries', '1'])\n"
        "finally: print('tensorflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(run.directory)], capture_output=True, text=True)
    assert done.stdout == f"{run.report_path}\nFalse\n", done.stderr
    names = {path.name for path in run.figures.iterdir()}
    assert "pr_knn.png" in names
    assert "pr_faiss.png" not in names
