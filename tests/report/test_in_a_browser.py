"""A report in a browser: offline, in light and dark mode, on a phone and printed."""

from __future__ import annotations

import numpy as np
import pytest

from tfretrieval.report.content import Drawing, Report, Section, Table
from tfretrieval.report.page import write_report
from tfretrieval.visualize.confusion import plot_confusion
from tfretrieval.visualize.neighbors import ImageRow, LabeledImage
from tfretrieval.visualize.theme import save_both, save_figure

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def page_file(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    confusion = plot_confusion(np.eye(3, dtype=int), ["a", "b", "c"], "Confusion")
    save_both(confusion, folder / "a.png")
    save_figure(confusion, folder / "b.png")
    gray = np.full((64, 64, 3), 128, np.uint8)
    row = ImageRow(
        [
            LabeledImage(gray, "a", role="query"),
            LabeledImage(gray, "a", "0.1", "correct"),
            LabeledImage(gray, "b", "0.2", "wrong"),
        ]
    )
    figures = [
        Drawing("confusion", folder / name, "Confusion", "A matrix", "A caption.") for name in ("a.png", "b.png")
    ]
    table = Table(["Model", *(f"A rather long metric {i}" for i in range(12))], [["net", *([0.123] * 12)]], "A table")
    report = Report(
        "Title", "Summary", facts=[("Queries", 3)], table=table, figures=figures,
        sections=[
            Section("Neighbors", "Some.", [Drawing("neighbors", folder / "a.png", "Some", "", "A caption.", [row] * 3)])
        ],
        provenance=[("Command", "tfret study --data " + "a/long/path/" * 20)],
    )  # fmt: skip
    write_report(folder / "report.html", report)
    return folder / "report.html"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_self_contained_and_accessible(browser, page_file, scheme):
    axe_core = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is missing")
    context = browser.new_context(color_scheme=scheme, offline=True, bypass_csp=True)
    page, requests, messages = context.new_page(), [], []
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: messages.append(message.text))
    page.goto(page_file.as_uri())
    assert page.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 0)")
    assert page.evaluate("document.images.length") >= 11
    assert [url for url in requests if not url.startswith(("data:", page_file.as_uri()))] == []
    assert messages == []
    violations = axe_core.Axe().run(page).response["violations"]
    context.close()
    assert [issue["id"] for issue in violations if issue["impact"] in ("serious", "critical")] == []


def test_the_page_fits_a_phone(browser, page_file):
    page = browser.new_page(viewport={"width": 390, "height": 844})
    page.goto(page_file.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.close()


def test_the_page_can_be_printed(browser, page_file, tmp_path):
    page = browser.new_page()
    page.goto(page_file.as_uri())
    assert page.pdf(path=tmp_path / "a.pdf")[:4] == b"%PDF"
    page.close()
