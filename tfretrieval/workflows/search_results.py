"""Search results for figures and reports: of random queries and of the hardest ones, with their images."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from tfretrieval.data.read_image import BrokenImageError, read_image
from tfretrieval.embedding.store import Embeddings
from tfretrieval.errors import UserError
from tfretrieval.retrieval.index import Index
from tfretrieval.retrieval.search_result import Hit, SearchResult, search_results
from tfretrieval.visualize.neighbors import ImageRow, LabeledImage, Role
from tfretrieval.visualize.projection import subsample
from tfretrieval.workflows.evaluate import Evaluated

DEFAULT_K = 5
IMAGE_SIZE = 192  # pixels


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
    per_query, rows = evaluated.evaluation.per_query, evaluated.evaluation.hardest_queries(n_queries)
    queries = evaluated.queries.subset(evaluated.queries.items.rows_of(per_query["id"][rows]))
    precisions = per_query["average_precision"][rows]
    results = _search(evaluated.index, queries, k)
    return [replace(result, average_precision=float(value)) for result, value in zip(results, precisions)]


def image_rows(results: Sequence[SearchResult]) -> list[ImageRow]:
    """Results with their images, for figures and reports."""
    return [ImageRow([_query_image(result), *(_hit_image(hit, result) for hit in result.hits)]) for result in results]


def _search(index: Index, queries: Embeddings, k: int | None) -> list[SearchResult]:
    largest = len(index) - int((index.items.rows_of(queries.items.ids) >= 0).any())
    if k is not None and k > largest:
        raise UserError(f"cannot show {k} neighbors: a query is compared with {largest} gallery items")
    neighbors = index.search(queries, min(DEFAULT_K, largest) if k is None else k, exclude_self=True)
    return search_results(neighbors, queries.items, index.items)


def _query_image(result: SearchResult) -> LabeledImage:
    note = "" if result.label else Path(result.path).name
    if result.average_precision is not None:
        note = f"AP {result.average_precision:.3f}"
    name = f"query, {result.label or 'class unknown'}: {result.id}"
    return LabeledImage(_read_padded(result.path), result.label, note, "query", name)


def _hit_image(hit: Hit, result: SearchResult) -> LabeledImage:
    role: Role = "unknown"
    if hit.label and result.label:
        role = "correct" if hit.label == result.label else "wrong"
    name = f"{hit.label or 'class unknown'}: {hit.id}"
    return LabeledImage(_read_padded(hit.path), hit.label, f"{hit.distance:.3f}", role, name)


def _read_padded(path: str) -> np.ndarray:
    """An image, padded to a square; black if the file cannot be read."""
    try:
        return read_image(path, IMAGE_SIZE, resize_mode="pad")
    except BrokenImageError:
        return np.zeros((IMAGE_SIZE, IMAGE_SIZE, 3), np.uint8)
