"""Sections of a report: data and protocol, one model, costs."""

from collections.abc import Mapping

import numpy as np

from tfretrieval.data.catalog import Catalog
from tfretrieval.evaluation.result import Evaluation
from tfretrieval.report.content import Drawing, Section
from tfretrieval.report.tables import (
    Results,
    chance_map,
    class_table,
    data_table,
    index_costs_table,
    model_costs_table,
)
from tfretrieval.runs import Run
from tfretrieval.training.config import TrainConfig
from tfretrieval.visualize.comparison import short_name

Drawings = Mapping[str, Drawing]

WEIGHTS = {"none": "random initialization", "imagenet": "ImageNet weights"}


def data_section(config: TrainConfig, catalog: Catalog) -> Section:
    """Describe the data, the split into queries and gallery, and the metrics."""
    query_split, gallery_split = catalog.roles()
    if query_split == gallery_split:
        protocol = f"Queries and gallery are the split {query_split}; each query is excluded from its own results."
    else:
        protocol = f"Queries are the split {query_split}, the gallery is {gallery_split}."
        if "train" in catalog.split_names and query_split != "train":
            protocol += " The queries were not used for training."
    if config.epochs and config.validation_fraction:
        metric = short_name(config.monitor.removeprefix("val_"))
        selection = (
            f"The epoch was selected by {metric} on {config.validation_fraction:.0%} of each class of the training "
            "split."
        )
    else:
        selection = "The last epoch is used." if config.epochs else "The model was not trained on these data."
    prose = (
        f"{len(catalog):,} images of {catalog.n_classes} classes from {catalog.source}. {protocol} A neighbor is "
        f"relevant if it has the class of the query. {selection}\n\n"
        "P@k is the fraction of relevant items among the k nearest neighbors; mAP is the mean average precision of the "
        "whole ranking, with tied distances as one threshold. Metrics are means over queries with bootstrap intervals "
        "over queries. PCA is fitted on the gallery."
    )
    return Section("Data and protocol", prose, tables=[data_table(catalog)])


def model_sections(config: TrainConfig, results: Mapping[str, Evaluation], drawings: Drawings) -> list[Section]:
    """Describe one model: training, metrics by class, neighbors, hardest queries and maps."""
    first = next(iter(results.values()))
    model = Section("Training" if config.epochs else "Model", _describe_model(config), _figures(drawings, "history"))
    sections = [
        Section("Results by class", "", _figures(drawings, "pr", "confusion"), [class_table(first)]),
        Section("Neighbors", "Random queries with their nearest neighbors.", _figures(drawings, "neighbors")),
        Section("Hardest queries", _describe_hardest(first), _figures(drawings, "hardest")),
        Section(
            "Maps of the embedding",
            "Projections of the embeddings to two dimensions. Close points are close in the embedding; distances "
            "between distant clusters are not meaningful.",
            _figures(drawings, "umap", "tsne"),
        ),
    ]
    return [model, *(section for section in sections if section.figures or section.tables)]


def cost_section(runs: Mapping[str, Run], results: Results) -> Section:
    """Describe the recorded cost of models and indexes."""
    machine = next(iter(runs.values())).manifest().get("machine")
    prose = "Times depend on the machine and its load."
    if machine:
        prose = f"Measured on {machine['cpus']} CPUs, {machine['processor']}. {prose}"
    return Section("Cost", prose, tables=[model_costs_table(runs), index_costs_table(runs, results)])


def _figures(drawings: Drawings, *kinds: str) -> list[Drawing]:
    return [drawing for drawing in drawings.values() if drawing.kind in kinds]


def _describe_hardest(evaluation: Evaluation) -> str:
    precision = evaluation.per_query["average_precision"]
    chance = chance_map(evaluation)
    n_below = int((precision < chance).sum())
    return (
        f"Queries with the lowest average precision. Median over all queries: {np.median(precision):.3f}; "
        f"{n_below:,} of {len(precision):,} queries are below the {chance:.3f} of a random ranking."
    )


def _describe_model(config: TrainConfig) -> str:
    dim = "the backbone's features" if config.embedding_dim is None else f"{config.embedding_dim} dimensions"
    weights = WEIGHTS.get(config.weights, "weights from a file")
    training = f"optimizer {config.optimizer}, up to {config.epochs} epochs" if config.epochs else "not trained"
    return (
        f"Backbone {config.backbone} at {config.image_size} pixels, {weights}; loss {config.loss}, {training}, "
        f"seed {config.seed}. Embedding: {dim}, {config.metric} distance."
    )
