"""From a run to its figures."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from matplotlib.figure import Figure

from tfretrieval.data.catalog import Catalog
from tfretrieval.embedding.store import Embeddings
from tfretrieval.report.captions import say_confusion, say_curves, say_found, say_history, say_map
from tfretrieval.retrieval import TITLES
from tfretrieval.runs import Run
from tfretrieval.training.history import read_history
from tfretrieval.visualize.confusion import plot_confusion
from tfretrieval.visualize.history import plot_history
from tfretrieval.visualize.neighbors import plot_neighbors
from tfretrieval.visualize.pr_curves import plot_pr_curves
from tfretrieval.visualize.projection import project, subsample
from tfretrieval.visualize.scatter import plot_scatter
from tfretrieval.visualize.theme import save_both
from tfretrieval.workflows.evaluate import Evaluated, evaluate_run
from tfretrieval.workflows.search_results import Answer, hardest_answers, panels, random_answers

log = logging.getLogger(__name__)

KINDS = ("history", "pr", "confusion", "neighbors", "hardest", "umap", "tsne")
MAX_POINTS = 5000


@dataclass(frozen=True)
class Drawing:
    """A figure on disk.

    Attributes:
        path: of the PNG; the SVG lies beside it.
        caption: what there is to see in it, worked out from what it shows.
        answers: the queries in it, where it shows some.
    """

    path: Path
    caption: str
    answers: Sequence[Answer] = ()


@dataclass(frozen=True)
class _Sketch:
    figure: Figure
    caption: str
    answers: Sequence[Answer] = ()


def draw_run(
    run: Run,
    catalog: Catalog,
    kinds: Sequence[str] = KINDS,
    retriever: str = "knn",
    k: int | None = None,
    n_queries: int = 6,
    seed: int = 0,
) -> dict[str, Drawing]:
    """Draw figures of a run into `figures/`, each as PNG and as SVG.

    Args:
        run: with a trained model.
        catalog: its images.
        kinds: of `KINDS`.
        retriever: whose results are drawn.
        k: neighbors a query; by default 5, or all of a smaller gallery.
        n_queries: queries drawn at random, of the gallery's split and of the queries' split each, and the hardest ones.
        seed: of that draw and of the projections.

    Returns:
        name -> drawing. "neighbors" makes two, one a split; no epoch, no "history".

    Raises:
        UserError: whatever stands in the way of an evaluation, or a figure that cannot be written.
    """
    result = evaluate_run(run, catalog, retriever, seed=seed, keep=False, reuse=True)
    drawn: dict[str, Drawing] = {}
    for kind in kinds:
        for name, sketch in _sketches(kind, run, result, retriever, k, n_queries, seed).items():
            path = run.figures / f"{name}.png"
            save_both(sketch.figure, path)
            drawn[name] = Drawing(path, sketch.caption, sketch.answers)
            log.info("drew %s", path)
    return drawn


def _sketches(
    kind: str, run: Run, result: Evaluated, retriever: str, k: int | None, n_queries: int, seed: int
) -> dict[str, _Sketch]:
    evaluation = result.evaluation
    if kind == "pr":
        curves, chance = evaluation.curves, evaluation.chance_precision
        figure = plot_pr_curves(curves, chance, f"Precision and recall by class ({TITLES[retriever]})")
        return {f"pr_{retriever}": _Sketch(figure, say_curves(curves, chance))}
    if kind == "confusion":
        counts, names = evaluation.confusion, evaluation.class_names
        figure = plot_confusion(counts, names, f"Nearest neighbor by class ({TITLES[retriever]})")
        return {f"confusion_{retriever}": _Sketch(figure, say_confusion(counts, names))}
    if kind == "neighbors":
        sides = {"queries": result.queries, "gallery": result.gallery}
        return {
            f"neighbors_{side}_{retriever}": _neighbors(
                random_answers(result.index, items, result.gallery, k, n_queries, seed),
                f"random images of {items.splits[0]}",
                result.gallery,
            )
            for side, items in sides.items()
        }
    if kind == "hardest":
        hardest = hardest_answers(result, k, n_queries)
        return {f"hardest_{retriever}": _neighbors(hardest, "the hardest queries", result.gallery)}
    if kind == "history":
        rows = read_history(run.history_path) if run.history_path.is_file() else []
        return {"history": _Sketch(plot_history(rows, "Training"), say_history(rows))} if rows else {}
    method: Literal["umap", "tsne"] = "umap" if kind == "umap" else "tsne"
    return {kind: _map(result.queries, result.gallery, method, seed)}


def _neighbors(found: Sequence[Answer], whose: str, gallery: Embeddings) -> _Sketch:
    k = max(len(answer.labels) for answer in found)
    figure = plot_neighbors(panels(found), f"The {k} nearest in {gallery.splits[0]} of {whose}")
    return _Sketch(figure, say_found([(answer.label, answer.labels) for answer in found]), found)


def _map(queries: Embeddings, gallery: Embeddings, method: Literal["umap", "tsne"], seed: int) -> _Sketch:
    """All embeddings, or 5,000 random ones, in two dimensions."""
    both = queries is not gallery and set(queries.ids) != set(gallery.ids)
    parts = [gallery, queries] if both else [gallery]
    vectors = np.concatenate([part.vectors for part in parts])
    labels = np.concatenate([part.labels for part in parts])
    splits = np.concatenate([part.splits for part in parts])
    rows = subsample(len(vectors), MAX_POINTS, seed)
    points = project(vectors[rows], method, seed)
    name = {"umap": "UMAP", "tsne": "t-SNE"}[method]
    figure = plot_scatter(points, labels[rows], gallery.class_names, splits[rows], f"{name} of the embeddings")
    shown = "" if len(rows) == len(vectors) else f"{len(rows):,} of {len(vectors):,} points, drawn at random. "
    return _Sketch(figure, shown + say_map(points, labels[rows], gallery.class_names))
