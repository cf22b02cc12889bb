"""`Catalog`: a table of labeled images."""

from __future__ import annotations

import hashlib
import logging
import os
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from tfretrieval.data.sources import read_source
from tfretrieval.errors import UserError

TEST_FRACTION = 0.25

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Catalog:
    """A table of n images. Immutable: methods that select or combine items return a new catalog.

    Embeddings, indexes and search results keep their items in a catalog.

    Attributes:
        ids: [n] unique, stable names, dtype object (str). For an image folder, the path relative to it.
        paths: [n] location of each file, dtype object (str); "" for items without a file.
        labels: int32 [n], an index into `class_names`, or -1 if the class is unknown.
        class_names: the c class names.
        splits: [n] "train", "test", ..., dtype object (str).
        is_query: bool [n] or None: the items marked as queries by the source.
        is_gallery: bool [n] or None: the items marked as gallery by the source.
        source: folder, CSV file or built-in data set that the catalog was read from; "" for none.

    >>> catalog = Catalog.from_lists(["a/1.jpg", "b/2.jpg"], labels=[0, 1], class_names=["a", "b"])
    >>> len(catalog), catalog.class_names, catalog.counts().tolist()
    (2, ('a', 'b'), [1, 1])
    """

    ids: np.ndarray
    paths: np.ndarray
    labels: np.ndarray
    class_names: tuple[str, ...]
    splits: np.ndarray
    is_query: np.ndarray | None = None
    is_gallery: np.ndarray | None = None
    source: str = ""

    @classmethod
    def from_lists(
        cls,
        paths: Sequence[str],
        labels: Sequence[int] | np.ndarray | None = None,
        class_names: Sequence[str] = (),
        splits: Sequence[str] | None = None,
        ids: Sequence[str] | None = None,
        source: str = "",
    ) -> Catalog:
        """Create a catalog from sequences of length n.

        Args:
            paths: location of each file.
            labels: class of each item; -1 or None for unknown classes.
            class_names: names of the classes.
            splits: split of each item; "all" by default.
            ids: unique names; the paths by default.
            source: where the items come from.

        Raises:
            UserError: the sequences differ in length, an id repeats, a label is out of range, or a path is not UTF-8.
        """
        n = len(paths)
        catalog = cls(
            ids=as_strings(paths if ids is None else ids),
            paths=as_strings(paths),
            labels=np.full(n, -1, np.int32) if labels is None else np.asarray(labels, np.int32),
            class_names=tuple(class_names),
            splits=as_strings(["all"] * n if splits is None else splits),
            source=source,
        )
        catalog._validate()
        return catalog

    @classmethod
    def from_source(cls, source: str | os.PathLike[str], split: str | None = None) -> Catalog:
        """Read a folder, a CSV file, or a built-in data set (`digits`, `mit-split`).

        Without splits in the source, 25 % of each class is held out as "test".

        Args:
            source: path or name.
            split: assign all items to this split. A single class is enough then.

        Raises:
            UserError: the source does not exist or cannot be used.
        """
        columns = read_source(source, allow_single_class=split is not None)
        classes = columns["classes"]
        class_names = sorted(set(classes) - {""})
        splits = columns.get("splits") if split is None else [split] * len(classes)
        labels = label_indices(classes, class_names)
        catalog = cls.from_lists(columns["paths"], labels, class_names, splits, columns["ids"], columns["source"])
        flags = {name: columns[name] for name in ("is_query", "is_gallery") if name in columns and split is None}
        if splits is None and not flags:
            return catalog._with_test_split()
        return replace(catalog, **flags)

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def n_classes(self) -> int:
        """Number of classes, c."""
        return len(self.class_names)

    @property
    def split_names(self) -> tuple[str, ...]:
        """Names of the splits in order of appearance."""
        return tuple(dict.fromkeys(self.splits))

    def counts(self) -> np.ndarray:
        """Number of images of each class, int64 [c]."""
        return np.bincount(self.labels[self.labels >= 0], minlength=self.n_classes)

    def class_of(self, row: int) -> str:
        """Class name of an item; "" if the class is unknown."""
        label = int(self.labels[row])
        return self.class_names[label] if label >= 0 else ""

    def item_class_names(self) -> np.ndarray:
        """Class name of every item, [n] of dtype object (str); "" for unknown classes."""
        return np.array([*self.class_names, ""], dtype=object)[self.labels]

    def labels_among(self, class_names: Sequence[str]) -> np.ndarray:
        """Labels as indices into `class_names`, int32 [n]; -1 for unknown classes and those not in `class_names`."""
        return label_indices([*self.class_names, ""], class_names)[self.labels]

    def rows_of(self, ids: Sequence[str] | np.ndarray) -> np.ndarray:
        """Rows of the items with these ids, int64 [m]; -1 for ids that the catalog does not have."""
        return np.array([self._row_of.get(name, -1) for name in ids], np.int64)

    def rows_where(self, classes: Collection[str] = (), splits: Collection[str] = ()) -> np.ndarray:
        """Rows of the items of some classes and some splits, int64 [m]; an empty collection selects all.

        Raises:
            UserError: the catalog has no such class or split.
        """
        selected = np.ones(len(self), bool)
        for kind, wanted, known in (("class", classes, self.class_names), ("split", splits, self.split_names)):
            if unknown := [name for name in wanted if name not in known]:
                raise UserError(f"the gallery has no {kind} {unknown[0]!r}", f"choose from {', '.join(sorted(known))}")
        if classes:
            selected &= np.isin(self.labels, [self.class_names.index(name) for name in classes])
        if splits:
            selected &= np.isin(self.splits.astype(str), list(splits))
        return np.flatnonzero(selected)

    def subset(self, rows: np.ndarray) -> Catalog:
        """The items at `rows`, an index array or a boolean mask [n]. Class names stay the same."""
        names = ("ids", "paths", "labels", "splits", "is_query", "is_gallery")
        columns: dict[str, Any] = {name: getattr(self, name) for name in names}
        return replace(self, **{name: column[rows] for name, column in columns.items() if column is not None})

    def concat(self, other: Catalog) -> Catalog:
        """The items of this catalog followed by those of another. Classes match by name; new classes come last.

        If only this catalog marks queries and gallery, the items of the other become gallery items. Marks that only the
        other catalog has are dropped.

        Raises:
            UserError: an id is in both.
        """
        if common := set(self.ids) & set(other.ids):
            raise UserError(
                f"{other.source or 'the other catalog'} has an id that exists already: {min(common)}",
                "ids must be unique",
            )
        class_names = tuple(dict.fromkeys([*self.class_names, *other.class_names]))
        flags: dict[str, Any] = {}
        for name, default in (("is_query", False), ("is_gallery", True)):
            own, added = getattr(self, name), getattr(other, name)
            if own is not None:
                flags[name] = np.concatenate([own, np.full(len(other), default) if added is None else added])
        strings: dict[str, Any] = {
            name: np.concatenate([getattr(self, name), getattr(other, name)]) for name in ("ids", "paths", "splits")
        }
        labels = np.concatenate([self.labels, other.labels_among(class_names)])
        return replace(self, labels=labels, class_names=class_names, **strings, **flags)

    def split(self, name: str) -> Catalog:
        """The items of one split. "query" and "gallery" also select the items marked so, "all" selects every item.

        Raises:
            UserError: the catalog has no such split.
        """
        if name in self.split_names:
            return self.subset(self.splits == name)
        flags = {"query": self.is_query, "gallery": self.is_gallery}
        marked = {kind: flag for kind, flag in flags.items() if flag is not None}
        if name in marked:
            return self.subset(marked[name])
        if name == "all":
            return self
        known = ", ".join([*self.split_names, *marked])
        raise UserError(f"{self.source or 'the catalog'} has no split {name!r}", f"choose from {known}")

    def roles(self) -> tuple[str, str]:
        """Names of the splits used as (queries, gallery).

        Items marked by the source come first. Otherwise queries are "test" and the gallery is "train". If the two share
        no class, as in data sets of unseen classes, "test" is both, and so is a single split. Without "test", they are
        the splits "query" and "gallery", or else the last and the first split in order of appearance.
        """
        if self.is_query is not None and self.is_gallery is not None:
            return "query", "gallery"
        names = self.split_names
        if "test" in names:
            known = set(self.split("train").labels) if "train" in names else set()
            return "test", "train" if known & set(self.split("test").labels) - {-1} else "test"
        if {"query", "gallery"} <= set(names):
            return "query", "gallery"
        return names[-1], names[0]

    def hold_out(self, fraction: float, seed: int, keep: int = 2) -> tuple[Catalog, Catalog]:
        """Split the items of every class into (rest, held out) by a hash of seed and id.

        The result does not depend on the order of the items, and an additional item moves at most one other item of
        its class. Items of unknown class stay in the rest.

        Args:
            fraction: fraction of each class to hold out, 0 <= fraction < 1. Above 0, at least one item of each class
                that has more than `keep`.
            seed: random seed.
            keep: least number of items of a class that stay in the rest.
        """
        held = np.zeros(len(self), bool)
        for label in range(self.n_classes):
            rows = np.flatnonzero(self.labels == label)
            wanted = max(1, round(fraction * len(rows))) if fraction > 0 else 0
            by_hash = sorted(rows, key=lambda row: _hash(f"{seed}:{self.ids[row]}"))
            held[by_hash[: max(0, min(wanted, len(rows) - keep))]] = True
        return self.subset(~held), self.subset(held)

    @cached_property
    def fingerprint(self) -> str:
        """A short hash of ids, classes, splits and file contents."""
        from tfretrieval.data.content_digests import content_digests  # imports SQLite, which a query does not need

        digest = hashlib.sha256("\n".join(self.class_names).encode())
        digests = content_digests(list(self.paths))
        for name, label, split, content in zip(self.ids, self.labels, self.splits, digests):
            digest.update(f"{name}\t{label}\t{split}\t{content}\n".encode(errors="surrogateescape"))
        return digest.hexdigest()[:16]

    @cached_property
    def _row_of(self) -> dict[str, int]:
        return {name: row for row, name in enumerate(self.ids)}

    def _with_test_split(self) -> Catalog:
        _, held = self.hold_out(TEST_FRACTION, seed=0)
        log.info(
            "%s has no splits: 25 %% of each class (%d of %d images) is held out as the test split",
            self.source, len(held), len(self),
        )  # fmt: skip
        is_test = np.isin(self.ids.astype(str), held.ids.astype(str))
        return replace(self, splits=np.where(is_test, as_strings(["test"]), as_strings(["train"])))

    def _validate(self) -> None:
        name, n = self.source or "the catalog", len(self.paths)
        for column in ("ids", "labels", "splits"):
            if len(getattr(self, column)) != n:
                raise UserError(f"{name} has {n} paths but {len(getattr(self, column))} {column}")
        if len(set(self.ids)) != n:
            repeated = Counter(self.ids).most_common(1)[0][0]
            raise UserError(f"{name} lists {repeated} more than once", "ids must be unique")
        if n and not -1 <= self.labels.min() <= self.labels.max() < self.n_classes:
            raise UserError(f"{name} has a label outside -1..{self.n_classes - 1}")
        for path in self.paths:
            try:
                path.encode()
            except UnicodeEncodeError:
                raise UserError(f"the name of {os.fsencode(path)!r} is not UTF-8", "rename the file") from None


def as_strings(values: Sequence[str] | np.ndarray) -> np.ndarray:
    """Strings as an array of dtype object."""
    array = np.empty(len(values), dtype=object)
    array[:] = [str(value) for value in values]
    return array


def label_indices(names: Sequence[str | None], class_names: Sequence[str]) -> np.ndarray:
    """Index of each name among the class names, int32 [n]; -1 for others."""
    index: dict[str | None, int] = {name: label for label, name in enumerate(class_names)}
    return np.array([index.get(name, -1) for name in names], np.int32)


def _hash(text: str) -> str:
    return hashlib.sha1(text.encode(errors="surrogateescape")).hexdigest()
