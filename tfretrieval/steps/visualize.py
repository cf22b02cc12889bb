"""From a run to its figures."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from matplotlib.figure import Figure

from tfretrieval.data.catalog import Catalog
from tfretrieval.data.read_picture import BrokenPicture, read_picture
from tfretrieval.embedding.store import Embeddings
from tfretrieval.errors import UserError
from tfretrieval.retrieval.index import Index
from tfretrieval.runs import Run
from tfretrieval.steps.evaluate import Evaluated, evaluate_run
from tfretrieval.steps.query import label_of
from tfretrieval.training.checkpoints import read_history
from tfretrieval.visualize.confusion import plot_confusion
from tfretrieval.visualize.history import plot_history
from tfretrieval.visualize.neighbours import NeighbourPanel, plot_neighbours
from tfretrieval.visualize.pr_curves import plot_pr_curves
from tfretrieval.visualize.projection import project, subsample
from tfretrieval.visualize.scatter import plot_scatter
from tfretrieval.visualize.theme import save_figure

log = logging.getLogger(__name__)

KINDS = ("pr", "confusion", "neighbours", "umap", "tsne", "history")
MAX_POINTS = 5000
NEIGHBOURS = 5
THUMBNAIL = 192


def draw_run(
    run: Run,
    catalog: Catalog,
    kinds: Sequence[str] = KINDS,
    retriever: str = "knn",
    k: int | None = None,
    n_queries: int = 6,
    seed: int = 0,
) -> dict[str, Path]:
    """Draw figures of a run into `figures/`.

    Args:
        run: with a trained model.
        catalog: its pictures.
        kinds: of `KINDS`.
        retriever: whose results are drawn.
        k: neighbours a query; by default 5, or all of a smaller gallery.
        n_queries: queries drawn at random, of the gallery's split and of the queries' split each.
        seed: of that draw and of the projections.

    Returns:
        name -> PNG file. "neighbours" makes two, one a split.

    Raises:
        UserError: whatever stands in the way of an evaluation, or a figure that cannot be written.
    """
    result = evaluate_run(run, catalog, retriever, seed=seed, keep=False)
    files: dict[str, Path] = {}
    for kind in kinds:
        for name, figure in _figures(kind, run, result, retriever, k, n_queries, seed).items():
            files[name] = run.figures / f"{name}.png"
            save_figure(figure, files[name])
            log.info("drew %s", files[name])
    return files


def _figures(
    kind: str, run: Run, result: Evaluated, retriever: str, k: int | None, n_queries: int, seed: int
) -> dict[str, Figure]:
    evaluation = result.evaluation
    if kind == "pr":
        title = f"Precision and recall by class ({retriever})"
        return {f"pr_{retriever}": plot_pr_curves(evaluation.curves, evaluation.chance_precision, title)}
    if kind == "confusion":
        title = f"Nearest neighbour by class ({retriever})"
        return {f"confusion_{retriever}": plot_confusion(evaluation.confusion, evaluation.class_names, title)}
    if kind == "neighbours":
        sides = {"queries": result.queries, "gallery": result.gallery}
        return {
            f"neighbours_{side}_{retriever}": draw_neighbours(result.index, items, result.gallery, k, n_queries, seed)
            for side, items in sides.items()
        }
    if kind == "history":
        rows = read_history(run.history_path) if run.history_path.is_file() else []
        return {"history": plot_history(rows, "Training")} if rows else {}
    method: Literal["umap", "tsne"] = "umap" if kind == "umap" else "tsne"
    return {kind: draw_map(result.queries, result.gallery, method, seed)}


def draw_neighbours(
    index: Index, items: Embeddings, gallery: Embeddings, k: int | None, n_queries: int, seed: int
) -> Figure:
    """The neighbours of random items, each without itself."""
    chosen = items.subset(subsample(len(items), n_queries, seed))
    most = len(gallery) - 1
    if k is not None and k > most:
        raise UserError(f"cannot draw {k} neighbours: the gallery has {most} items beside the query")
    k = min(NEIGHBOURS, most) if k is None else k
    distances, rows = index.search(chosen.vectors, k + 1)
    panels = []
    for i in range(len(chosen)):
        found = [j for j in range(k + 1) if rows[i, j] >= 0 and gallery.ids[rows[i, j]] != chosen.ids[i]][:k]
        images = _thumbnails([chosen.paths[i], *gallery.paths[rows[i, found]]])
        labels = [label_of(gallery, row) for row in rows[i, found]]
        panels.append(
            NeighbourPanel(images[0], label_of(chosen, i), images[1:], labels, [float(d) for d in distances[i, found]])
        )
    split = chosen.splits[0]
    return plot_neighbours(panels, f"The {k} nearest in {gallery.splits[0]} of random pictures of {split}")


def draw_answers(answers: Sequence[dict[str, Any]]) -> Figure:
    """The answers of `query_run`, a row a picture."""
    panels = []
    for answer in answers:
        found = answer["neighbours"]
        images = _thumbnails([answer["image"], *(item["path"] for item in found)])
        labels, distances = [item["label"] for item in found], [item["distance"] for item in found]
        panels.append(NeighbourPanel(images[0], "", images[1:], labels, distances))
    return plot_neighbours(panels, "Most similar pictures")


def draw_map(queries: Embeddings, gallery: Embeddings, method: Literal["umap", "tsne"], seed: int) -> Figure:
    """All embeddings, or 5,000 random ones, in two dimensions."""
    both = queries is not gallery and set(queries.ids) != set(gallery.ids)
    parts = [gallery, queries] if both else [gallery]
    vectors = np.concatenate([part.vectors for part in parts])
    labels = np.concatenate([part.labels for part in parts])
    splits = np.concatenate([part.splits for part in parts])
    rows = subsample(len(vectors), MAX_POINTS, seed)
    points = project(vectors[rows], method, seed)
    name = {"umap": "UMAP", "tsne": "t-SNE"}[method]
    return plot_scatter(points, labels[rows], gallery.class_names, splits[rows], f"{name} of the embeddings")


def _thumbnails(paths: Sequence[str]) -> list[np.ndarray]:
    """The pictures, each uint8 [s, s, 3] with borders; black where a file cannot be read any more."""
    images = np.zeros((len(paths), THUMBNAIL, THUMBNAIL, 3), np.uint8)
    for image, path in zip(images, paths):
        with contextlib.suppress(BrokenPicture):
            image[:] = read_picture(path, THUMBNAIL, fit="pad")
    return list(images)
