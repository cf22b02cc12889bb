"""`tfret report`."""

from __future__ import annotations

from pathlib import Path


def test_the_report_holds_every_figure(tfret, run):
    result = tfret("report", "--run", run, "--retriever", "knn", "--queries", 2, "--json").result
    page = Path(result["report"])
    assert page == run / "report.html"
    assert page.stat().st_size == result["bytes"]
    text = page.read_text(encoding="utf-8")
    assert text.count("<figure") == len(result["figures"]) == 8
    assert "KNN" in text
