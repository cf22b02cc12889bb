"""`tfret visualize`."""

from __future__ import annotations

from pathlib import Path


def test_all_figures_are_written_as_png_and_svg(tfret, run):
    result = tfret("visualize", "--run", run, "-k", 2, "--queries", 2, "--json").result
    assert set(result["figures"]) == {
        "pr_faiss", "confusion_faiss", "neighbors_queries_faiss", "neighbors_gallery_faiss", "hardest_faiss",
        "umap", "tsne", "history",
    }  # fmt: skip
    for path in map(Path, result["figures"].values()):
        assert path.stat().st_size > 1000
        assert path.with_suffix(".svg").stat().st_size > 1000


def test_too_many_neighbors_are_an_error(tfret, run):
    assert "30" in tfret("visualize", "neighbors", "--run", run, "-k", 30).failure
