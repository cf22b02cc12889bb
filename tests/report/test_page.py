import base64
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from tfretrieval.errors import UserError
from tfretrieval.report.content import Case, Estimate, Picture, Report, ReportFigure, Section, Table
from tfretrieval.report.page import render_report, write_report
from tfretrieval.report.thumbnail import Thumbnail
from tfretrieval.visualize.theme import look, new_figure, save_figure

EVIL = "<script>alert('1')</script>"
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
    path = tmp_path_factory.mktemp("figures") / "a.png"
    with look():
        save_figure(new_figure(3, 2, "x"), path)
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
        summary="What is best?",
        facts=[("Queries", 807), ("Best mAP", Estimate(0.9, 0.88, 0.92))],
        table=table,
        sections=[
            Section("resnet", "As trained.", [ReportFigure("PR curves", f'curves "{EVIL}"', png)], [table]),
            Section(EVIL, figures=[ReportFigure("Neighbours", "pictures", png.read_bytes(), wide=True)]),
        ],
        provenance=[("Seed", 0), ("Command", "tfret study --data <folder>")],
    )


def test_the_page_is_well_formed_and_says_its_language_and_title(report):
    page = Page(render_report(report))
    assert page.all("html") == [{"lang": "en"}]
    assert [len(page.all(tag)) for tag in ("title", "h1", "main", "nav")] == [1, 1, 1, 1]


def test_text_from_outside_is_escaped_everywhere(report):
    page = Page(render_report(report))
    assert page.all("script") == []
    assert sum(EVIL in text for text in page.text) >= 5
    assert page.all("img")[0]["alt"] == f'curves "{EVIL}"'


def test_nothing_is_fetched_and_nothing_runs(report):
    html = render_report(report)
    assert not re.search(r"https?:|url\(|@import|//[a-z]", re.sub(r"base64,[^\"]*", "", html))
    page = Page(html)
    assert page.all("link") == []
    assert all(attrs["src"].startswith("data:image/") for attrs in page.all("img"))
    assert all(attrs["href"].startswith("#") for attrs in page.all("a"))
    assert not any(name.startswith("on") for _, attrs in page.tags for name in attrs)


def test_figures_hold_their_bytes_their_size_and_their_words(report, png):
    first, second = Page(render_report(report)).all("img")
    assert base64.b64decode(first["src"].partition(",")[2]) == png.read_bytes()
    assert (first["width"], first["height"]) == ("450", "300")
    assert second["alt"] == "pictures"


def test_the_contents_lead_to_every_section(report):
    page = Page(render_report(report))
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    targets = {attrs["href"][1:] for attrs in page.all("a")}
    assert targets <= set(ids)
    assert {"s1-resnet", "s2-script-alert-1-script", "provenance"} <= targets


def test_table_headers_have_a_scope_and_row_names_are_headers(report):
    page = Page(render_report(report))
    scopes = [attrs.get("scope") for attrs in page.all("th")]
    assert scopes == ["col", "col", "col", "row", "row", "row", "row"] * 2


def test_the_best_value_is_marked_by_more_than_colour_and_its_interval_stands_beside_it(report):
    html = render_report(report)
    assert html.count("<strong>0.900</strong>") == 2
    assert "<strong>0.800</strong>" not in html
    assert html.count("(best)") == 2
    assert "<small>0.880 to 0.920</small>" in html


@pytest.fixture
def cases():
    image = Thumbnail.of_pixels(np.zeros((4, 6, 3), np.uint8))
    asked = Picture(image, f"a.jpg, labelled {EVIL}", "Labelled cat", in_question=True)
    return [Case(EVIL, "Looks like a dog.", [asked, Picture(image, "b.jpg", "dog", "cosine 0.9")]), Case("c", "", [])]


def test_cases_show_their_pictures_side_by_side_with_words_for_each(cases):
    page = Page(render_report(Report("Audit", sections=[Section("Doubtful labels", cases=cases)])))
    assert [(attrs["alt"], attrs["width"], attrs["height"]) for attrs in page.all("img")] == [
        (f"a.jpg, labelled {EVIL}", "6", "4"),
        ("b.jpg", "6", "4"),
    ]
    assert all(attrs["src"].startswith("data:image/webp;base64,") for attrs in page.all("img"))
    assert [attrs.get("class") for attrs in page.all("figure")] == ["asked", None]
    for text in (EVIL, "Looks like a dog.", "Labelled cat", "dog", "cosine 0.9"):
        assert text in page.text
    assert page.all("script") == []


def test_the_page_knows_dark_print_and_phone(report):
    html = render_report(report)
    for query in ("prefers-color-scheme: dark", "@media print", "max-width", 'name="viewport"'):
        assert query in html


def test_provenance_is_written(report):
    text = Page(render_report(report)).text
    assert text.index("Seed") < text.index("0", text.index("Seed"))
    assert "tfret study --data <folder>" in text


def test_a_bare_report_has_a_title_and_no_contents():
    page = Page(render_report(Report("Nothing yet")))
    assert page.all("nav") == page.all("table") == page.all("img") == []
    assert page.text.count("Nothing yet") == 2


def test_the_same_report_is_written_with_the_same_bytes(report, tmp_path):
    write_report(tmp_path / "a.html", report)
    write_report(tmp_path / "b.html", report)
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()
    assert (tmp_path / "a.html").read_text("utf-8") == render_report(report)


def test_a_missing_figure_leaves_the_page_of_before(tmp_path):
    (tmp_path / "a.html").write_text("before")
    with pytest.raises(UserError, match=r"gone\.png"):
        write_report(tmp_path / "a.html", Report("x", figures=[ReportFigure("t", "a", tmp_path / "gone.png")]))
    assert (tmp_path / "a.html").read_text() == "before"
