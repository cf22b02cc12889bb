"""The audit page."""

from __future__ import annotations

import base64
import re

from tfretrieval.audit import page as audit_page
from tfretrieval.audit.audit import audit
from tfretrieval.audit.page import write_audit_page
from tfretrieval.data.catalog import Catalog


def alts(html: str) -> list[str]:
    return re.findall(r'<img [^>]*alt="([^"]*)"', html)


def test_the_page_shows_duplicates_and_label_issues_side_by_side(flawed, frozen, result, tmp_path):
    write_audit_page(tmp_path / "a.html", Catalog.from_source(flawed), result, frozen)
    html = (tmp_path / "a.html").read_text("utf-8")
    shown = alts(html)
    at = shown.index("train/town/wrong.png, labeled town")
    assert all(alt.endswith("labeled sea") for alt in shown[at + 1 : at + 5])
    for pair in (("train/sea/0.png", "train/sea/twice.png"), ("test/field/again.jpg", "train/field/1.png")):
        names = [alt.partition(",")[0] for alt in shown]
        assert any(tuple(names[i : i + 2]) == pair for i in range(len(names)))
    assert "test/sea/broken.png" in html
    for heading in ("Label issues", "Leaks between splits", "Duplicates within a split", "Broken files"):
        assert f">{heading}</h2>" in html
    assert not re.search(r"<script|https?:|url\(", re.sub(r"base64,[^\"]*", "", html))
    assert all(base64.b64decode(data) for data in re.findall(r"webp;base64,([^\"]*)", html))


def test_a_page_without_a_run_names_the_option(flawed, tmp_path):
    catalog = Catalog.from_source(flawed)
    write_audit_page(tmp_path / "a.html", catalog, audit(catalog))
    assert "--run DIR" in (tmp_path / "a.html").read_text("utf-8")


def test_a_page_is_limited_in_size_and_says_so(flawed, frozen, result, tmp_path, monkeypatch):
    monkeypatch.setattr(audit_page, "MAX_BYTES", dict.fromkeys(audit_page.MAX_BYTES, 0))
    write_audit_page(tmp_path / "a.html", Catalog.from_source(flawed), result, frozen)
    html = (tmp_path / "a.html").read_text("utf-8")
    assert alts(html) == []
    assert f"0 of {result['n_label_issues']} shown" in html
