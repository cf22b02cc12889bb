"""Figures of a run."""

import logging
from collections.abc import Iterator, Sequence

from matplotlib.figure import Figure

from tfretrieval.data.catalog import Catalog
from tfretrieval.evaluation.result import Evaluation
from tfretrieval.report.captions import (
    confusion_caption,
    curves_caption,
    history_caption,
    map_caption,
    neighbors_caption,
)
from tfretrieval.report.content import Drawing
from tfretrieval.retrieval.search_result import SearchResult
from tfretrieval.runs import Run
from tfretrieval.training.history import read_history
from tfretrieval.visualize.confusion import plot_confusion
from tfretrieval.visualize.history import plot_history
from tfretrieval.visualize.neighbors import plot_neighbors
from tfretrieval.visualize.pr_curves import plot_pr_curves
from tfretrieval.visualize.projection import TITLES, Method, project, subsample
from tfretrieval.visualize.scatter import plot_scatter
from tfretrieval.visualize.theme import save_both
from tfretrieval.workflows.evaluate import Evaluated, evaluate_run
from tfretrieval.workflows.index import IndexRequest
from tfretrieval.workflows.model import run_config
from tfretrieval.workflows.search_results import hardest_results, image_rows, random_results

log = logging.getLogger(__name__)

KINDS = ("history", "pr", "confusion", "neighbors", "hardest", "umap", "tsne")
MAX_POINTS = 5000

Plot = tuple[Figure, Drawing]


def draw_run(
    run: Run,
    catalog: Catalog,
    kinds: Sequence[str] = KINDS,
    retriever: str = "faiss",
    k: int | None = None,
    n_queries: int = 6,
    seed: int = 0,
) -> dict[str, Drawing]:
    """Draw figures of a run into `figures/`, each as PNG and SVG.

    Args:
        run: run with a trained model.
        catalog: its images.
        kinds: figures to draw, of `KINDS`.
        retriever: retriever type, or name of another index of the run, whose results are drawn.
        k: neighbors per query; by default 5, or all of a smaller gallery.
        n_queries: queries per figure: random queries, random gallery images and hardest queries.
        seed: random seed of the queries and projections.

    Returns:
        file name without suffix -> drawing. "neighbors" gives two, of queries and of gallery images; "history" none
        without a trained epoch.

    Raises:
        UserError: the run cannot be evaluated, or a figure cannot be written.
    """
    result = evaluate_run(run, catalog, IndexRequest.named(retriever), seed=seed, reuse=True)
    evaluation = result.evaluation
    plots: dict[str, Iterator[Plot]] = {
        "history": _plot_history(run),
        "pr": _plot_curves(run, evaluation),
        "confusion": _plot_confusion(run, evaluation),
        "neighbors": _plot_random(run, result, k, n_queries, seed),
        "hardest": _plot_hardest(run, result, k, n_queries),
        "umap": _plot_map("umap", run, result, seed),
        "tsne": _plot_map("tsne", run, result, seed),
    }
    drawings: dict[str, Drawing] = {}
    for kind in kinds:
        for figure, drawing in plots[kind]:
            save_both(figure, drawing.path)
            drawings[drawing.path.stem] = drawing
            log.info("wrote %s", drawing.path)
    return drawings


def _plot_history(run: Run) -> Iterator[Plot]:
    history = read_history(run.history_path) if run.history_path.is_file() else []
    if history:
        path, alt = run.figures / "history.png", "Loss and validation metrics by epoch"
        monitor = run_config(run).monitor
        caption = history_caption(history, monitor)
        yield plot_history(history, monitor, "Training"), Drawing("history", path, "Training", alt, caption)


def _plot_curves(run: Run, evaluation: Evaluation) -> Iterator[Plot]:
    title, path = f"Precision-recall by class ({evaluation.provenance['index']})", f"pr_{evaluation.retriever}.png"
    caption = curves_caption(evaluation.curves, evaluation.chance_precision)
    drawing = Drawing("pr", run.figures / path, title, "Precision against recall, one curve per class", caption)
    yield plot_pr_curves(evaluation.curves, evaluation.chance_precision, title), drawing


def _plot_confusion(run: Run, evaluation: Evaluation) -> Iterator[Plot]:
    title, path = f"Confusion matrix ({evaluation.provenance['index']})", f"confusion_{evaluation.retriever}.png"
    caption = confusion_caption(evaluation.confusion, evaluation.class_names)
    alt = "Matrix of true class against class of the nearest neighbor"
    drawing = Drawing("confusion", run.figures / path, title, alt, caption)
    yield plot_confusion(evaluation.confusion, evaluation.class_names, title), drawing


def _plot_random(run: Run, result: Evaluated, k: int | None, n_queries: int, seed: int) -> Iterator[Plot]:
    retriever, index = result.evaluation.retriever, result.evaluation.provenance["index"]
    for role, queries in (("queries", result.queries), ("gallery", result.gallery)):
        results = random_results(result.index, queries, k, n_queries, seed)
        title = f"Neighbors of random {queries.items.splits[0]} images ({index})"
        yield _plot_rows("neighbors", run, f"neighbors_{role}_{retriever}", title, results)


def _plot_hardest(run: Run, result: Evaluated, k: int | None, n_queries: int) -> Iterator[Plot]:
    title = f"Queries with the lowest average precision ({result.evaluation.provenance['index']})"
    results = hardest_results(result, k, n_queries)
    yield _plot_rows("hardest", run, f"hardest_{result.evaluation.retriever}", title, results)


def _plot_rows(kind: str, run: Run, name: str, title: str, results: Sequence[SearchResult]) -> Plot:
    rows, alt = image_rows(results), "Queries and their nearest neighbors"
    drawing = Drawing(kind, run.figures / f"{name}.png", title, alt, neighbors_caption(rows), rows)
    return plot_neighbors(rows, title), drawing


def _plot_map(method: Method, run: Run, result: Evaluated, seed: int) -> Iterator[Plot]:
    """Project all embeddings, or 5,000 random ones."""
    title = f"{TITLES[method]} of the embeddings"
    is_new = result.gallery.items.rows_of(result.queries.items.ids) < 0
    embeddings = result.gallery.concat(result.queries.subset(is_new))
    sample = embeddings.subset(subsample(len(embeddings), MAX_POINTS, seed))
    labels, class_names = sample.items.labels, sample.items.class_names
    points = project(sample.vectors, method, seed)
    figure = plot_scatter(points, labels, class_names, sample.items.splits, result.gallery.items.splits[0], title)
    caption = map_caption(points, labels, class_names)
    if len(sample) < len(embeddings):
        caption = f"A random sample of {len(sample):,} of {len(embeddings):,} points. {caption}"
    alt = f"Embeddings projected to two dimensions by {TITLES[method]}, with class names"
    yield figure, Drawing(method, run.figures / f"{method}.png", title, alt, caption)
