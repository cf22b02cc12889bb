"""Which gallery items are relevant to which query."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tfretrieval.data.catalog import Catalog


@dataclass(frozen=True, eq=False)
class Matches:
    """Queries and gallery with common labels; q counts the queries that have a relevant item.

    Attributes:
        class_names: the c classes: those of the gallery, then those that only queries have.
        query_rows: int64 [q], rows of the queries, in the order of their classes.
        query_labels: int64 [q], 0..c-1.
        gallery_labels: int64 [n], -1 for unknown classes.
        own_rows: int64 [q], the gallery row with the query's own id, or -1.
        n_relevant: int64 [q], R >= 1: gallery items of the query's class, the query itself excluded.
    """

    class_names: tuple[str, ...]
    query_rows: np.ndarray
    query_labels: np.ndarray
    gallery_labels: np.ndarray
    own_rows: np.ndarray
    n_relevant: np.ndarray

    @property
    def chance(self) -> np.ndarray:
        """Expected precision of a random ranking, float64 [q]: R / number of items the query is compared with."""
        return self.n_relevant / (len(self.gallery_labels) - (self.own_rows >= 0))

    @property
    def max_k(self) -> int:
        """The largest k that is possible for every query."""
        return len(self.gallery_labels) - int((self.own_rows >= 0).any())

    def by_class(self, part: slice) -> Iterator[tuple[int, slice]]:
        """The classes of some queries: each label with the slice of its queries."""
        starts = part.start + np.flatnonzero(np.diff(self.query_labels[part], prepend=-1))
        for start, stop in zip(starts.tolist(), [*starts[1:].tolist(), part.stop]):
            yield int(self.query_labels[start]), slice(start, stop)


def match(queries: Catalog, gallery: Catalog) -> Matches:
    """Match queries and gallery: classes by name, items by id. Queries without a relevant item are skipped.

    >>> gallery = Catalog.from_lists(["a", "b", "c"], [0, 0, 1], ["cat", "dog"])
    >>> queries = Catalog.from_lists(["a", "c", "d"], [1, 0, 0], ["dog", "cat"])
    >>> matches = match(queries, gallery)
    >>> matches.query_rows, matches.query_labels, matches.own_rows, matches.n_relevant
    (array([0, 2]), array([0, 1]), array([ 0, -1]), array([1, 1]))
    """
    class_names = tuple(dict.fromkeys([*gallery.class_names, *queries.class_names]))
    gallery_labels = gallery.labels.astype(np.int64)
    query_labels = queries.labels_among(class_names).astype(np.int64)
    own_rows = gallery.rows_of(queries.ids)

    class_sizes = np.bincount(gallery_labels[gallery_labels >= 0], minlength=len(class_names) + 1)
    is_own_class = (own_rows >= 0) & (gallery_labels[own_rows] == query_labels)
    n_relevant = class_sizes[query_labels] - is_own_class
    rows = np.flatnonzero((query_labels >= 0) & (n_relevant > 0))
    rows = rows[np.argsort(query_labels[rows], kind="stable")]
    return Matches(class_names, rows, query_labels[rows], gallery_labels, own_rows[rows], n_relevant[rows])
