"""`Catalog`: which images there are, what class each shows and which split it belongs to."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tfretrieval.errors import UserError


@dataclass(frozen=True, eq=False)
class Catalog:
    """n labelled images. Immutable; every method returns a new catalog.

    Attributes:
        ids: [n] stable unique names, dtype object (str); for a folder, the path below it.
        paths: [n] where each file lies, dtype object (str).
        labels: int32 [n], an index into `class_names`, or -1 where the class is not known.
        class_names: the c class names.
        splits: [n] "train", "test", ..., dtype object (str).
        is_query: bool [n] or None: which items ask, where the source says so.
        is_gallery: bool [n] or None: which items can be found, where the source says so.
        source: what it was read from, as the user named it.

    >>> c = Catalog.from_lists(["a/1.jpg", "b/2.jpg"], labels=[0, 1], class_names=["a", "b"])
    >>> len(c), c.class_names, c.counts().tolist()
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
        is_query: Sequence[bool] | None = None,
        is_gallery: Sequence[bool] | None = None,
        source: str = "",
    ) -> Catalog:
        """Make a catalog of sequences of length n; without labels every class is unknown.

        Raises:
            UserError: the sequences differ in length, an id repeats, or a name is not UTF-8.
        """
        n = len(paths)
        ids = list(paths if ids is None else ids)
        if len(set(ids)) != n:
            repeated = next(name for name in ids if ids.count(name) > 1)
            raise UserError(f"{source or 'the catalog'} lists {repeated} more than once")
        for name in paths:
            if not _is_utf8(str(name)):
                raise UserError(f"the name of {os.fsencode(name)!r} is not UTF-8; rename the file")
        return cls(
            ids=_objects(ids),
            paths=_objects(paths),
            labels=np.full(n, -1, np.int32) if labels is None else np.asarray(labels, np.int32),
            class_names=tuple(class_names),
            splits=_objects(["all"] * n if splits is None else splits),
            is_query=None if is_query is None else np.asarray(is_query, bool),
            is_gallery=None if is_gallery is None else np.asarray(is_gallery, bool),
            source=source,
        )

    @classmethod
    def from_source(cls, source: str | os.PathLike[str], split: str | None = None) -> Catalog:
        """Read a folder, a CSV file, or a built-in data set (`digits`, `mit-split`).

        With `split`, all of it is that split, in which one class is enough.

        Raises:
            UserError: there is no such source, or what is there cannot be used.
        """
        from tfretrieval.data.sources import read_source

        return read_source(source, split)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def n_classes(self) -> int:
        return len(self.class_names)

    @property
    def split_names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self.splits))

    def counts(self) -> np.ndarray:
        """How many images each class has: int64 [c]."""
        return np.bincount(self.labels[self.labels >= 0], minlength=self.n_classes)

    def subset(self, rows: np.ndarray) -> Catalog:
        """The items at `rows` (an index array or a boolean mask [n]); the classes stay as they are."""
        return replace(
            self,
            ids=self.ids[rows],
            paths=self.paths[rows],
            labels=self.labels[rows],
            splits=self.splits[rows],
            is_query=None if self.is_query is None else self.is_query[rows],
            is_gallery=None if self.is_gallery is None else self.is_gallery[rows],
        )

    def joined(self, other: Catalog) -> Catalog:
        """The items of this and then those of another catalog. Classes match by name; new ones come last.

        Where this one marks who asks and who is searched, the others are searched unless they are marked as well.

        Raises:
            UserError: both have the same id.
        """
        if both := set(self.ids) & set(other.ids):
            raise UserError(f"{other.source or 'the other catalog'} has an item that is there already: {min(both)}")
        class_names = tuple(dict.fromkeys([*self.class_names, *other.class_names]))
        number_of = {name: number for number, name in enumerate(class_names)}
        numbers = np.array([*(number_of[name] for name in other.class_names), -1], np.int32)
        marks: dict[str, Any] = {}
        for name, value in (("is_query", False), ("is_gallery", True)):
            mine, its = getattr(self, name), getattr(other, name)
            its = np.full(len(other), value) if its is None else its
            marks[name] = None if mine is None else np.concatenate([mine, its])
        return replace(
            self,
            ids=np.concatenate([self.ids, other.ids]),
            paths=np.concatenate([self.paths, other.paths]),
            labels=np.concatenate([self.labels, numbers[other.labels]]),
            class_names=class_names,
            splits=np.concatenate([self.splits, other.splits]),
            **marks,
        )

    def split(self, name: str) -> Catalog:
        """The items of one split. "query" and "gallery" also name the items so marked, "all" is everything.

        Raises:
            UserError: the catalog has no such split.
        """
        if name in self.split_names:
            return self.subset(self.splits == name)
        if name == "query" and self.is_query is not None:
            return self.subset(self.is_query)
        if name == "gallery" and self.is_gallery is not None:
            return self.subset(self.is_gallery)
        if name == "all":
            return self
        raise UserError(f"{self.source or 'the catalog'} has no split {name!r}; it has {self._choices()}")

    def roles(self) -> tuple[str, str]:
        """The splits that ask and that are searched, as (query, gallery).

        What the source marks comes first. Otherwise test asks train; where the two share no class, as in
        data sets for unseen classes, test asks itself; so does a split that is alone.
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
        """Part the items by class into (rest, held out), by a hash of seed and id.

        The part does not depend on the order of the items, and an item added later does not move the others
        of its class by more than one place. At least `keep` items of a class stay in the rest; a class with
        more than `keep` gives at least one. Items without a class stay in the rest.
        """
        held = np.zeros(len(self), bool)
        for label in range(self.n_classes):
            rows = np.flatnonzero(self.labels == label)
            wanted = max(1, round(fraction * len(rows))) if fraction > 0 else 0
            by_hash = sorted(rows, key=lambda row: _hash(f"{seed}:{self.ids[row]}"))
            held[by_hash[: max(0, min(wanted, len(rows) - keep))]] = True
        return self.subset(~held), self.subset(held)

    @property
    def fingerprint(self) -> str:
        """A short hash of ids, classes, splits and file sizes.

        Contents are not read: a file that changes and keeps its size to the byte goes unseen.
        """
        digest = hashlib.sha256("\n".join(self.class_names).encode())
        for name, path, label, split in zip(self.ids, self.paths, self.labels, self.splits):
            size = os.path.getsize(path) if os.path.exists(path) else -1
            digest.update(f"{name}\t{label}\t{split}\t{size}\n".encode(errors="surrogateescape"))
        return digest.hexdigest()[:16]

    def _choices(self) -> str:
        marked = [n for n, m in (("query", self.is_query), ("gallery", self.is_gallery)) if m is not None]
        return ", ".join([*self.split_names, *marked])


def _objects(values: Sequence[str]) -> np.ndarray:
    array = np.empty(len(values), dtype=object)
    array[:] = [str(value) for value in values]
    return array


def _hash(text: str) -> str:
    return hashlib.sha1(text.encode(errors="surrogateescape")).hexdigest()


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
