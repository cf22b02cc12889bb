"""`tfret info`."""

from __future__ import annotations


def test_versions_engines_and_retrievers_are_listed(tfret):
    result = tfret("info", "--json").result
    assert "tensorflow" in result["versions"]
    assert result["engines"]["keras"] == ["float32"]
    assert {"knn", "faiss"} <= set(result["retrievers"])
    assert result["data"]["digits"]


def test_text_has_one_line_per_property(tfret):
    lines = tfret("info").out.splitlines()
    assert any(line.startswith("retrievers: knn, faiss") for line in lines)
    assert lines[-1].startswith("cache: ")
