"""Search results for figures and reports: of random queries and of the hardest ones, with their images."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from tfretrieval.data.read_image import BrokenImageError, read_image
from tfretrieval.embedding.store import Embeddings
from tfretrieval.errors import UserError
from tfretrieval.report.content import ImageRow, ReportImage
from tfretrieval.retrieval.index import Index
from tfretrieval.retrieval.search_result import SearchResult, search_results
from tfretrieval.visualize.neighbors import NeighborPanel
from tfretrieval.visualize.projection import subsample
from tfretrieval.workflows.evaluate import Evaluated

DEFAULT_K = 5
FIGURE_IMAGE_SIZE, REPORT_IMAGE_SIZE = 192, 128


def random_results(index: Index, items: Embeddings, k: int | None, n_queries: int, seed: int) -> list[SearchResult]:
    """Results of random queries, each excluded from its own hits.

    Args:
        index: the index to search.
        items: the queries to choose from.
        k: hits per query; by default 5, or all of a smaller gallery.
        n_queries: number of queries, or all of fewer items.
        seed: random seed.

    Raises:
        UserError: k is larger than the gallery.
    """
    return _search(index, items.subset(subsample(len(items), n_queries, seed)), k)


def hardest_results(evaluated: Evaluated, k: int | None, n_queries: int) -> list[SearchResult]:
    """Results of the queries with the lowest average precision, lowest first.

    Raises:
        UserError: k is larger than the gallery.
    """
    per_query = evaluated.evaluation.per_query
    order = np.argsort(per_query["average_precision"], kind="stable")[:n_queries]
    queries = evaluated.queries.subset(evaluated.queries.items.rows_of(per_query["id"][order]))
    precisions = per_query["average_precision"][order]
    results = _search(evaluated.index, queries, k)
    return [replace(result, average_precision=float(value)) for result, value in zip(results, precisions)]


def neighbor_panels(results: Sequence[SearchResult]) -> list[NeighborPanel]:
    """Results with their images, for a figure."""
    panels = []
    for result in results:
        query, *hits = read_thumbnails([result.path, *(hit.path for hit in result.hits)], FIGURE_IMAGE_SIZE)
        labels, distances = [hit.label for hit in result.hits], [hit.distance for hit in result.hits]
        note = _note(result) if result.label else Path(result.path).name
        panels.append(NeighborPanel(query, result.label, hits, labels, distances, note))
    return panels


def image_rows(results: Sequence[SearchResult]) -> list[ImageRow]:
    """Results with their images, for a report."""
    rows = []
    for result in results:
        query, *images = read_thumbnails([result.path, *(hit.path for hit in result.hits)], REPORT_IMAGE_SIZE)
        hits = [
            ReportImage(
                pixels,
                hit.label,
                f"{hit.distance:.3f}",
                hit.label == result.label if hit.label and result.label else None,
                f"{hit.label or 'class unknown'}: {hit.id}",
            )
            for pixels, hit in zip(images, result.hits)
        ]
        name = f"query, {result.label}: {result.id}"
        rows.append(ImageRow(ReportImage(query, result.label, _note(result) or "query", None, name), hits))
    return rows


def read_thumbnails(paths: Sequence[str], size: int) -> list[np.ndarray]:
    """The images, padded to uint8 [size, size, 3]; black if a file cannot be read."""
    images = np.zeros((len(paths), size, size, 3), np.uint8)
    for image, path in zip(images, paths):
        with contextlib.suppress(BrokenImageError):
            image[:] = read_image(path, size, fit="pad")
    return list(images)


def _search(index: Index, queries: Embeddings, k: int | None) -> list[SearchResult]:
    largest = len(index) - 1
    if k is not None and k > largest:
        raise UserError(f"cannot show {k} neighbors: the gallery has {largest} items besides the query")
    neighbors = index.search(queries, min(DEFAULT_K, largest) if k is None else k, exclude_self=True)
    return search_results(neighbors, queries.items, index.items)


def _note(result: SearchResult) -> str:
    return "" if result.average_precision is None else f"AP {result.average_precision:.3f}"
