import base64
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from tfretrieval.report.content import Drawing, Estimate, Report, Section, Table
from tfretrieval.report.page import render_report, write_report
from tfretrieval.visualize.neighbors import ImageRow, LabeledImage
from tfretrieval.visualize.theme import new_figure, save_both, save_figure, themed

EVIL = "<script>alert('1')</script>"
GREY = np.full((4, 6, 3), 128, np.uint8)
ROW = ImageRow(
    [
        LabeledImage(GREY, EVIL, "AP 0.1", "query"),
        LabeledImage(GREY, "a", "0.5", "correct"),
        LabeledImage(GREY, "b", "0.6", "wrong"),
        LabeledImage(GREY, "", "0.7"),
    ]
)
VOID = {"meta", "img", "br", "hr", "link", "input"}


class Page(HTMLParser):
    """The tags, attributes and text of a page; fails where a tag is not closed in order."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.open, self.text = [], [], []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.text.append(data.strip())

    def all(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


@pytest.fixture(scope="module")
def png(tmp_path_factory):
    """A figure as PNG; "both.png" beside it has an SVG too."""
    path = tmp_path_factory.mktemp("figures") / "a.png"
    with themed():
        save_figure(new_figure(3, 2, "x"), path)
        save_both(new_figure(3, 2, "x"), path.with_name("both.png"))
    return path


@pytest.fixture
def report(png):
    table = Table(
        ["Model", "Retriever", "mAP"],
        [["resnet", "knn", Estimate(0.9, 0.88, 0.92)], [EVIL, "faiss", 0.8]],
        caption="Test against train",
        row_headers=2,
        best={"mAP": "max"},
    )
    return Report(
        title=f"Study {EVIL}",
        summary="A summary.",
        facts=[("Queries", 807), ("Best mAP", Estimate(0.9, 0.88, 0.92))],
        table=table,
        sections=[
            Section(
                "resnet", "As trained.", [Drawing("pr", png, "PR curves", f'curves "{EVIL}"', f"First {EVIL}")], [table]
            ),
            Section(
                EVIL,
                "One.\n\nTwo.",
                figures=[
                    Drawing("history", png.with_name("both.png"), "Map", "points"),
                    Drawing("neighbors", png, "Neighbors", "", "Nearest neighbors.", [ROW]),
                ],
                sections=[Section("A part", figures=[Drawing("pr", png, "Last", "last")])],
            ),
        ],
        provenance=[("Seed", 0), ("Command", "tfret study --data <folder>")],
    )


def test_the_page_is_well_formed_with_language_and_title(report):
    page = Page(render_report(report))
    assert page.all("html") == [{"lang": "en"}]
    assert [len(page.all(tag)) for tag in ("title", "h1", "main", "nav")] == [1, 1, 1, 1]


def test_text_is_escaped_everywhere(report):
    page = Page(render_report(report))
    assert page.all("script") == []
    assert sum(EVIL in text for text in page.text) >= 5
    assert page.all("img")[0]["alt"] == f'curves "{EVIL}"'


def test_the_page_has_no_scripts_and_fetches_nothing(report):
    html = render_report(report)
    assert not re.search(r"https?:|url\(|@import|//[a-z]", re.sub(r"base64,[^\"]*", "", html))
    page = Page(html)
    assert page.all("link") == []
    assert all(attrs["src"].startswith("data:image/") for attrs in page.all("img"))
    assert all(attrs["href"].startswith("#") for attrs in page.all("a"))
    assert not any(name.startswith("on") for _, attrs in page.tags for name in attrs)


def test_figures_are_embedded_with_size_and_alternative_text(report, png):
    first, second, *images, last = Page(render_report(report)).all("img")
    assert base64.b64decode(first["src"].partition(",")[2]) == png.read_bytes()
    assert second["src"].startswith("data:image/svg+xml;base64,")
    assert base64.b64decode(second["src"].partition(",")[2]) == png.with_name("both.svg").read_bytes()
    assert {(image["width"], image["height"]) for image in (first, second, last)} == {("288", "192")}
    assert second["alt"] == "points"
    assert [image["alt"] for image in images] == [EVIL, "a", "b", "class unknown"]


def test_figures_and_tables_are_numbered_in_reading_order(report):
    text = " ".join(Page(render_report(report)).text)
    assert re.findall(r"(?:Figure|Table) \d+\. (?:Test against train|PR curves|Map|Neighbors|Last)", text) == [
        "Table 1. Test against train", "Table 2. Test against train", "Figure 1. PR curves", "Figure 2. Map",
        "Figure 3. Neighbors", "Figure 4. Last",
    ]  # fmt: skip
    assert "Nearest neighbors. Solid frame" in text
    assert f"First {EVIL}" in text


def test_correct_and_wrong_differ_by_sign_text_and_frame(report):
    html = render_report(report)
    cells = re.findall(r'<div class="cell (\w+)">(.*?)</div>', html, flags=re.DOTALL)
    assert [role for role, _ in cells] == ["query", "correct", "wrong", "unknown"]
    said = [("✓" in cell, "✗" in cell, "correct: " in cell, "wrong: " in cell) for _, cell in cells]
    assert said == [(False,) * 4, (True, False, True, False), (False, True, False, True), (False,) * 4]
    frames = {
        role: re.search(rf"\.cell\.{role} img {{ border: 3px (\w+)", html)[1] for role in ("correct", "wrong", "query")
    }
    assert len(set(frames.values())) == 3


def test_paragraphs_and_subsections_are_rendered(report):
    page = render_report(report)
    assert "<p>One.</p>" in page
    assert "<p>Two.</p>" in page
    assert "<h3>A part</h3>" in page


def test_the_table_of_contents_links_to_every_section(report):
    page = Page(render_report(report))
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    targets = {attrs["href"][1:] for attrs in page.all("a")}
    assert targets <= set(ids)
    assert {"s1-resnet", "s2-script-alert-1-script", "provenance"} <= targets


def test_scrollable_regions_have_distinct_names(report):
    names = [attrs["aria-label"] for _, attrs in Page(render_report(report)).tags if attrs.get("role") == "region"]
    assert names == ["Table 1. Test against train", "Table 2. Test against train"]


def test_table_headers_have_a_scope(report):
    page = Page(render_report(report))
    scopes = [attrs.get("scope") for attrs in page.all("th")]
    assert scopes == ["col", "col", "col", "row", "row", "row", "row"] * 2


def test_the_best_value_is_marked_with_text_and_its_interval(report):
    html = render_report(report)
    assert html.count("<strong>0.900</strong>") == 2
    assert "<strong>0.800</strong>" not in html
    assert html.count("(best)") == 2
    assert "<small>0.880 to 0.920</small>" in html


def test_cases_show_images_with_labels_and_notes():
    query = LabeledImage(GREY, "Labeled cat", role="query", name=f"a.jpg, labeled {EVIL}")
    similar = LabeledImage(GREY, "dog", "cosine 0.9")
    cases = [ImageRow([query, similar], EVIL, "Looks like a dog."), ImageRow([], "c")]
    page = Page(render_report(Report("Audit", sections=[Section("Label issues", cases=cases)])))
    assert [attrs["alt"] for attrs in page.all("img")] == [f"a.jpg, labeled {EVIL}", "dog"]
    assert [attrs["class"] for attrs in page.all("div") if "cell" in attrs.get("class", "")] == [
        "cell query",
        "cell unknown",
    ]
    for text in (EVIL, "Looks like a dog.", "Labeled cat", "dog", "cosine 0.9"):
        assert text in page.text
    assert page.all("script") == []


def test_the_page_has_styles_for_dark_mode_print_and_phones(report):
    html = render_report(report)
    for query in ("prefers-color-scheme: dark", "@media print", "max-width", 'name="viewport"'):
        assert query in html


def test_provenance_is_listed(report):
    text = Page(render_report(report)).text
    assert text.index("Seed") < text.index("0", text.index("Seed"))
    assert "tfret study --data <folder>" in " ".join(word for word in text if word)


def test_an_empty_report_has_a_title_and_no_contents():
    page = Page(render_report(Report("Nothing yet")))
    assert page.all("nav") == page.all("table") == page.all("img") == []
    assert page.text.count("Nothing yet") == 2


def test_rendering_is_reproducible(report, tmp_path):
    write_report(tmp_path / "a.html", report)
    write_report(tmp_path / "b.html", report)
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()
    assert (tmp_path / "a.html").read_text("utf-8") == render_report(report)


def test_a_failed_report_keeps_the_previous_page(tmp_path):
    (tmp_path / "a.html").write_text("before")
    with pytest.raises(FileNotFoundError):
        write_report(tmp_path / "a.html", Report("x", figures=[Drawing("pr", tmp_path / "gone.png", "t", "a")]))
    assert (tmp_path / "a.html").read_text() == "before"
