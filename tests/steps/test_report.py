"""The page and the table say what was measured."""

from __future__ import annotations

from tfretrieval.report.content import Estimate
from tfretrieval.steps.evaluate import evaluate_run
from tfretrieval.steps.report import summary_table, write_run_report
from tfretrieval.steps.visualize import draw_run


def test_the_table_holds_the_metrics_with_their_intervals(run, catalog):
    results = {"m": {kind: evaluate_run(run, catalog, kind).evaluation for kind in ("knn", "faiss")}}
    table = summary_table(results)
    assert list(table.columns) == ["Model", "Retriever", "Values", "P@1", "P@3", "P@5", "P@10", "mAP"]
    assert [row[:3] for row in table.rows] == [["m", "KNN", 10], ["m", "FAISS", 10]]
    knn = results["m"]["knn"]
    assert table.rows[0][3] == Estimate(knn.metrics["precision_at_1"], *knn.intervals["precision_at_1"])


def test_the_page_names_data_model_and_figures(run, catalog):
    evaluation = evaluate_run(run, catalog).evaluation
    page = write_run_report(run, {"knn": evaluation}, draw_run(run, catalog, ("pr", "history"))).read_text("utf-8")
    assert run.model_fingerprint() in page
    assert catalog.fingerprint in page
    assert f"{evaluation.metrics['map']:.3f}" in page
    assert page.count("<img") == 2
