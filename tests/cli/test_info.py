"""`tfret info`."""

from __future__ import annotations


def test_versions_engines_and_retrievers_are_listed(tfret):
    result = tfret("info", "--json").result
    assert "tensorflow" in result["versions"]
    assert result["engines"]["keras"] == ["float32"]
    assert {"knn", "faiss"} <= set(result["retrievers"])
    assert result["data"]["digits"]


def test_text_lists_every_property(tfret):
    lines = tfret("info").out.splitlines()
    assert {"- knn", "- faiss"} <= set(lines)
    assert any(line.startswith("cache: ") for line in lines)
