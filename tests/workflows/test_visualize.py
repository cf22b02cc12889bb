"""The figures of a run."""

from __future__ import annotations

import numpy as np

from tfretrieval.report.captions import say_confusion
from tfretrieval.workflows.evaluate import evaluate_run
from tfretrieval.workflows.visualize import draw_run


def test_each_kind_makes_its_files(run, catalog):
    drawn = draw_run(run, catalog, ("pr", "confusion", "history"), "faiss")
    assert sorted(drawn) == ["confusion_faiss", "history", "pr_faiss"]
    for drawing in drawn.values():
        assert drawing.path.read_bytes().startswith(b"\x89PNG")
        assert b"</svg>" in drawing.path.with_suffix(".svg").read_bytes()
    assert not run.evaluation("faiss").exists(), "drawing must not replace an evaluation"


def test_no_history_no_figure(run, catalog):
    run.history_path.unlink()
    assert draw_run(run, catalog, ("history",)) == {}


def test_a_caption_says_what_its_figure_shows(run, catalog):
    evaluation = evaluate_run(run, catalog).evaluation
    drawing = draw_run(run, catalog, ("confusion",))["confusion_knn"]
    assert drawing.caption == say_confusion(evaluation.confusion, evaluation.class_names)


def test_the_hardest_queries_are_those_of_the_lowest_precision(run, catalog):
    evaluation = evaluate_run(run, catalog).evaluation
    drawing = draw_run(run, catalog, ("hardest",), n_queries=4)["hardest_knn"]
    lowest = np.sort(evaluation.per_query["average_precision"])[:4]
    np.testing.assert_allclose([answer.average_precision for answer in drawing.answers], lowest)
