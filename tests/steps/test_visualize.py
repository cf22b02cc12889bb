"""The figures of a run."""

from __future__ import annotations

import pytest

from tfretrieval.steps.evaluate import evaluate_run
from tfretrieval.steps.visualize import draw_neighbours, draw_run


def test_each_kind_makes_its_files(run, catalog):
    files = draw_run(run, catalog, ("pr", "confusion", "history"), "faiss")
    assert sorted(files) == ["confusion_faiss", "history", "pr_faiss"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in files.values())
    assert not run.evaluation("faiss").exists(), "drawing must not replace an evaluation"


def test_no_history_no_figure(run, catalog):
    run.history_path.unlink()
    assert draw_run(run, catalog, ("history",)) == {}


@pytest.mark.parametrize("side", ["queries", "gallery"])
def test_a_picture_is_not_its_own_neighbour(run, catalog, side, monkeypatch):
    from tfretrieval.steps import visualize

    shown = []
    monkeypatch.setattr(visualize, "_thumbnails", lambda paths: shown.append(list(paths)) or [None] * len(paths))
    monkeypatch.setattr(visualize, "plot_neighbours", lambda panels, title: panels)
    done = evaluate_run(run, catalog, keep=False)
    panels = draw_neighbours(done.index, getattr(done, side), done.gallery, k=17, n_queries=4, seed=0)
    assert len(panels) == 4
    for paths in shown:
        assert len(paths) == 18
        assert paths[0] not in paths[1:]
