"""The figures of a run."""

from __future__ import annotations

import numpy as np

from tfretrieval.report.captions import confusion_caption
from tfretrieval.workflows.evaluate import evaluate_run
from tfretrieval.workflows.index import IndexRequest
from tfretrieval.workflows.visualize import draw_run


def test_each_kind_writes_png_and_svg(run, catalog):
    drawn = draw_run(run, catalog, ("pr", "confusion", "history"), "faiss")
    assert sorted(drawn) == ["confusion_faiss", "history", "pr_faiss"]
    for drawing in drawn.values():
        assert drawing.path.read_bytes().startswith(b"\x89PNG")
        assert b"</svg>" in drawing.path.with_suffix(".svg").read_bytes()


def test_without_a_history_there_is_no_history_figure(run, catalog):
    run.history_path.unlink()
    assert draw_run(run, catalog, ("history",)) == {}


def test_a_drawing_has_the_caption_of_its_values(run, catalog):
    evaluation = evaluate_run(run, catalog, IndexRequest("knn")).evaluation
    drawing = draw_run(run, catalog, ("confusion",), "knn")["confusion_knn"]
    assert drawing.title == "Confusion matrix (KNN)"
    assert drawing.caption == confusion_caption(evaluation.confusion, evaluation.class_names)


def test_the_hardest_queries_have_the_lowest_average_precision(run, catalog):
    evaluation = evaluate_run(run, catalog, IndexRequest("knn")).evaluation
    drawing = draw_run(run, catalog, ("hardest",), "knn", n_queries=4)["hardest_knn"]
    lowest = np.sort(evaluation.per_query["average_precision"])[:4]
    assert [row.images[0].note for row in drawing.rows] == [f"AP {value:.3f}" for value in lowest]
