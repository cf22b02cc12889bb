"""A report as a browser shows it: alone, without a network, in light and dark, on a phone and on paper."""

from __future__ import annotations

import numpy as np
import pytest

from tfretrieval.report import ImageRow, ImageRows, Report, ReportFigure, ReportImage, Section
from tfretrieval.report.content import Table
from tfretrieval.report.page import write_report
from tfretrieval.visualize.confusion import plot_confusion
from tfretrieval.visualize.theme import save_both

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def page_file(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    save_both(plot_confusion(np.eye(3, dtype=int), ["a", "b", "c"], "Confusion"), folder / "a.png")
    gray = np.full((64, 64, 3), 128, np.uint8)
    row = ImageRow(
        ReportImage(gray, "a", "query"), [ReportImage(gray, "a", "0.1", True), ReportImage(gray, "b", "0.2", False)]
    )
    figures = [ReportFigure("Confusion", "A matrix", path, "What is taken for what.") for path in folder.glob("a.*")]
    table = Table(["Model", *(f"A rather long metric {i}" for i in range(12))], [["net", *([0.123] * 12)]], "A table")
    report = Report(
        "Title", "Summary", facts=[("Queries", 3)], table=table, figures=figures,
        sections=[Section("Neighbors", "Some.", images=[ImageRows("Some", [row] * 3, "Right and wrong.")])],
        provenance=[("Command", "tfret study --data " + "a/long/path/" * 20)],
    )  # fmt: skip
    write_report(folder / "report.html", report)
    return folder / "report.html"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_stands_alone_and_axe_finds_nothing_serious(browser, page_file, scheme):
    axe_core = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is missing")
    context = browser.new_context(color_scheme=scheme, offline=True, bypass_csp=True)
    page, asked, said = context.new_page(), [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.goto(page_file.as_uri())
    assert page.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 0)")
    assert page.evaluate("document.images.length") >= 11
    assert [url for url in asked if not url.startswith(("data:", page_file.as_uri()))] == []
    assert said == []
    found = axe_core.Axe().run(page).response["violations"]
    context.close()
    assert [fault["id"] for fault in found if fault["impact"] in ("serious", "critical")] == []


def test_a_phone_shows_it_without_scrolling_sideways(browser, page_file):
    page = browser.new_page(viewport={"width": 390, "height": 844})
    page.goto(page_file.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.close()


def test_it_prints(browser, page_file, tmp_path):
    page = browser.new_page()
    page.goto(page_file.as_uri())
    assert page.pdf(path=tmp_path / "a.pdf")[:4] == b"%PDF"
    page.close()
