"""The parts of a report: data and protocol, what is told of a model, cost."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tfretrieval.data.catalog import Catalog
from tfretrieval.evaluation.result import Evaluation
from tfretrieval.report import ImageRows, ReportFigure, Section
from tfretrieval.report.image import lightest
from tfretrieval.retrieval import TITLES
from tfretrieval.runs import Run
from tfretrieval.workflows.model import run_config
from tfretrieval.workflows.report_tables import (
    Results,
    chance_map,
    class_table,
    data_table,
    index_costs_table,
    model_costs_table,
)
from tfretrieval.workflows.search_results import image_rows
from tfretrieval.workflows.visualize import Drawing

Drawings = Mapping[str, Drawing]


def data_section(run: Run, catalog: Catalog) -> Section:
    """What was searched, by whom, and how the figures are defined."""
    config, (asking, searched) = run_config(run), catalog.roles()
    apart = f"the images of {asking} were not learned from"
    whole = "a query is not compared with itself" if asking == searched else apart
    monitor = {"val_map": "mAP", "val_precision_at_1": "P@1"}[config.monitor]
    learned = (
        f"Of the training part, {config.validation_fraction:.0%} of each class were held out to choose the best epoch "
        f"by {monitor}."
        if config.epochs
        else "Nothing was learned: the network is as it came."
    )
    prose = (
        f"{len(catalog):,} images of {catalog.n_classes} classes from {catalog.source}. Those of {asking} ask, "
        f"those of {searched} are searched; {whole}. A found image is right where it has the query's class. "
        f"{learned}\n\n"
        "P@k is the share of right ones among the k nearest; mAP is the mean over queries of the average precision of "
        "the whole ranking, in which equal distances are one step. Means are over queries; intervals are bootstrapped "
        "over queries. PCA, where it is used, is fitted on the gallery alone."
    )
    return Section("Data and protocol", prose, tables=[data_table(catalog)])


def model_sections(run: Run, results: Mapping[str, Evaluation], drawn: Drawings) -> list[Section]:
    """What is told of one model: how it learned, what it finds, where it fails, how its embedding lies."""
    first = next(iter(results.values()))
    parts = [
        Section("Training" if run_config(run).epochs else "Model", _setup(run), _drawings(drawn, "history")),
        Section(
            "By class",
            "How well each class is found, and which classes are taken for each other.",
            _drawings(drawn, "pr", "confusion"),
            [class_table(first)],
        ),
        Section("Neighbors", "Random images with the nearest of the gallery.", images=_rows(drawn, "neighbors")),
        Section("Hardest queries", _hardest(first), images=_rows(drawn, "hardest")),
        Section(
            "Maps of the embedding",
            "The embeddings laid out in two dimensions. Near points are near in the embedding; distances between far "
            "groups mean nothing.",
            _drawings(drawn, "umap", "tsne"),
        ),
    ]
    return [part for part in parts if part is parts[0] or part.figures or part.tables or part.images]


def cost_section(runs: Mapping[str, Run], results: Results) -> Section:
    """What models and indexes took, as it was recorded."""
    machine = next(iter(runs.values())).manifest().get("machine")
    prose = "Times depend on the machine and on what else it did."
    if machine:
        prose = f"Made on {machine['cpus']} CPUs, {machine['processor']}. {prose}"
    return Section("Cost", prose, tables=[model_costs_table(runs), index_costs_table(runs, results)])


def _drawings(drawn: Drawings, *kinds: str) -> list[ReportFigure]:
    return [
        ReportFigure(*_words(name), lightest(drawing.path), drawing.caption, wide=name == "history")
        for name, drawing in drawn.items()
        if name.partition("_")[0] in kinds
    ]


def _rows(drawn: Drawings, kind: str) -> list[ImageRows]:
    how = "A solid frame and a tick: the query's class; a broken frame and a cross: another. Below each, its distance."
    return [
        ImageRows(_words(name)[0], image_rows(drawing.answers), f"{drawing.caption} {how}")
        for name, drawing in drawn.items()
        if name.partition("_")[0] == kind
    ]


def _words(name: str) -> tuple[str, str]:
    """Title of a figure, and what stands in its place, by its file name."""
    kind, _, rest = name.partition("_")
    retriever = TITLES.get(rest.rpartition("_")[2], "")
    described = {
        "pr": (f"Precision and recall by class, {retriever}", "Precision against recall, a curve a class"),
        "confusion": (f"Confusion, {retriever}", "Matrix of true class against class of the nearest neighbor"),
        "umap": ("UMAP", "The embeddings in two dimensions by UMAP, with the names of the classes"),
        "tsne": ("t-SNE", "The embeddings in two dimensions by t-SNE, with the names of the classes"),
        "history": ("Training", "Loss and validation figures by epoch"),
        "hardest": (f"The queries of the lowest average precision, {retriever}", "Queries and their nearest images"),
    }
    if kind == "neighbors":
        side = "queries" if "queries" in rest else "gallery images"
        return f"Neighbors of random {side}, {retriever}", f"Random {side} and their nearest images"
    return described[kind]


def _hardest(evaluation: Evaluation) -> str:
    precision = evaluation.per_query["average_precision"]
    chance = chance_map(evaluation)
    below = int((precision < chance).sum())
    return (
        f"The median average precision of a query is {np.median(precision):.3f}; {below:,} of {len(precision):,} "
        f"queries stay below the {chance:.3f} of a random ranking. These are the lowest, with what was found instead."
    )


def _setup(run: Run) -> str:
    config = run_config(run)
    values = "the backbone's features" if config.embedding_dim is None else f"{config.embedding_dim} values"
    weights = {"none": "from nothing", "imagenet": "from ImageNet weights"}.get(
        config.weights, "from weights in a file"
    )
    how = f"optimizer {config.optimizer}, up to {config.epochs} epochs" if config.epochs else "not trained"
    return (
        f"{config.backbone} at {config.image_size} pixels, {weights}, loss {config.loss}, "
        f"{how}, seed {config.seed}. "
        f"An embedding is {values}, compared by {config.metric} distance."
    )
