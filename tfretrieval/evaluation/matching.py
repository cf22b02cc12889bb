"""Which gallery items are relevant to which query: classes match by name, items by id."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from tfretrieval.embedding.store import Embeddings


@dataclass(frozen=True, eq=False)
class Matched:
    """Queries and gallery in one numbering of classes; q counts the queries that have anything to find.

    Attributes:
        class_names: the c classes: those of the gallery, then those that only queries have.
        query_rows: int64 [q], rows in the queries.
        query_labels: int64 [q], 0..c-1.
        gallery_labels: int64 [n], -1 for unknown.
        self_rows: int64 [q], the gallery row with the query's own id, or -1.
        n_relevant: int64 [q], R: gallery items of the query's class, itself not counted; 1 or more.
    """

    class_names: tuple[str, ...]
    query_rows: np.ndarray
    query_labels: np.ndarray
    gallery_labels: np.ndarray
    self_rows: np.ndarray
    n_relevant: np.ndarray

    @property
    def chance(self) -> np.ndarray:
        """The precision of a random ranking, float64 [q]: R / number of items it is compared with."""
        return self.n_relevant / (len(self.gallery_labels) - (self.self_rows >= 0))

    def labels_of(self, rows: np.ndarray) -> np.ndarray:
        """Classes of gallery rows, int32 in the shape of the rows; -1 for a row of -1."""
        return np.append(self.gallery_labels, -1).astype(np.int32)[rows]

    def taken(self, order: np.ndarray) -> Matched:
        """The queries in another order."""
        columns = ("query_rows", "query_labels", "self_rows", "n_relevant")
        return replace(self, **{name: getattr(self, name)[order] for name in columns})

    def of_each_class(self, part: slice) -> Iterator[tuple[int, slice]]:
        """The classes of a part of the queries, which are in the order of their classes, and where each lies."""
        labels = self.query_labels[part]
        starts = part.start + np.flatnonzero(np.diff(labels, prepend=-1))
        for start, stop in zip(starts.tolist(), [*starts[1:].tolist(), part.stop]):
            yield int(self.query_labels[start]), slice(start, stop)


def match(queries: Embeddings, gallery: Embeddings) -> Matched:
    """Match two stores; queries of unknown class or with nothing to find are left out.

    >>> gallery = Embeddings.from_arrays(np.eye(3), [0, 0, 1], ["cat", "dog"], ids=["a", "b", "c"])
    >>> queries = Embeddings.from_arrays(np.eye(3), [1, 0, 0], ["dog", "cat"], ids=["a", "c", "d"])
    >>> matched = match(queries, gallery)
    >>> matched.query_rows, matched.query_labels, matched.self_rows, matched.n_relevant
    (array([0, 2]), array([0, 1]), array([ 0, -1]), array([1, 1]))
    """
    class_names = tuple(dict.fromkeys([*gallery.class_names, *queries.class_names]))
    gallery_labels = _renumbered(gallery, class_names)
    query_labels = _renumbered(queries, class_names)
    row_of = {name: row for row, name in enumerate(gallery.ids)}
    self_rows = np.array([row_of.get(name, -1) for name in queries.ids], np.int64)

    of_class = np.bincount(gallery_labels[gallery_labels >= 0], minlength=len(class_names) + 1)
    is_itself = (self_rows >= 0) & (gallery_labels[self_rows] == query_labels)
    n_relevant = of_class[query_labels] - is_itself
    rows = np.flatnonzero((query_labels >= 0) & (n_relevant > 0))
    return Matched(class_names, rows, query_labels[rows], gallery_labels, self_rows[rows], n_relevant[rows])


def _renumbered(items: Embeddings, class_names: tuple[str, ...]) -> np.ndarray:
    number_of = {name: number for number, name in enumerate(class_names)}
    numbers = np.array([*(number_of[name] for name in items.class_names), -1], np.int64)
    return numbers[items.labels]
