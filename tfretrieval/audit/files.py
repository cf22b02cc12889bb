"""Faults of a data set that its files show: broken and odd ones, files that appear twice, classes too small."""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tfretrieval.audit.image_issues import ODDITIES, oddities_of_file, oddities_of_pixels
from tfretrieval.data.catalog import Catalog
from tfretrieval.data.images import decode_each
from tfretrieval.data.remote import is_remote
from tfretrieval.errors import UserError
from tfretrieval.progress import progress

UNEVEN = 10
PROBE = 32
LUMA = (0.299, 0.587, 0.114)
FEW = 4  # images of a class that are too few
RULE = 0.5  # what more than this share of the images has in common is a note, not an oddity


@dataclass(frozen=True, eq=False)
class FileFacts:
    """What the n files of a catalog hold, row by row.

    Attributes:
        digests: [n] sha256 of the bytes, "" where there is no file; dtype object (str).
        gray: uint8 [n, 32, 32], the whole image scaled down, in gray; zeros where a file is broken.
        broken: {row: reason} of the files that cannot be decoded.
        odd: {key of `ODDITIES`: rows} of what is unusual, without what is broken.
    """

    digests: np.ndarray
    gray: np.ndarray
    broken: dict[int, str]
    odd: dict[str, list[int]]

    @property
    def whole(self) -> np.ndarray:
        """The rows that can be decoded, int64."""
        return np.setdiff1d(np.arange(len(self.gray)), list(self.broken)).astype(np.int64)


def read_facts(catalog: Catalog) -> FileFacts:
    """Read every file of a catalog: once for its bytes, once for its pixels. Takes about 1.2 kB an image.

    Raises:
        UserError: an image is not a file of this machine.
    """
    if remote := next(filter(is_remote, catalog.paths), None):
        raise UserError(f"{remote} is not a file of this machine; audit reads local files only")
    digests, odd = _read_bytes(catalog)
    gray = np.zeros((len(catalog), PROBE, PROBE), np.uint8)

    def take(rows: np.ndarray, images: np.ndarray) -> None:
        gray[rows] = np.rint(images @ np.array(LUMA, np.float32))
        for row, keys in zip(rows.tolist(), oddities_of_pixels(images, gray[rows])):
            for key in keys:
                odd[key].append(row)

    broken = decode_each(list(catalog.paths), PROBE, "stretch", take)
    known_grey = set(odd["gray"])
    odd["gray in color"] = [row for row in odd["gray in color"] if row not in known_grey]
    whole = {key: sorted(set(odd[key]) - set(broken)) for key in ODDITIES}
    return FileFacts(digests, gray, broken, {key: rows for key, rows in whole.items() if rows})


def audit_catalog(catalog: Catalog, facts: FileFacts | None = None) -> dict[str, Any]:
    """Look a catalog over.

    Args:
        catalog: n items with files.
        facts: what `read_facts` found there, if that is known.

    Returns:
        n; classes {name: {split: count}}; duplicates, a list of {ids, labels_differ, splits_differ} for files with
        the same bytes; broken {id: reason}; odd {key of `ODDITIES`: ids}; notes, a list of lines.

    Raises:
        UserError: an image is not a file of this machine.
    """
    facts = facts or read_facts(catalog)
    classes: dict[str, dict[str, int]] = {
        name: {
            str(split): int(((catalog.labels == label) & (catalog.splits == split)).sum())
            for split in catalog.split_names
        }
        for label, name in enumerate(catalog.class_names)
    }
    usual = {key for key, rows in facts.odd.items() if len(rows) > RULE * len(catalog)}
    return {
        "source": catalog.source,
        "n": len(catalog),
        "classes": classes,
        "duplicates": [group(catalog, rows) for rows in _same_bytes(facts.digests)],
        "broken": {str(catalog.ids[row]): reason for row, reason in facts.broken.items()},
        "odd": {key: _names(catalog, rows) for key, rows in facts.odd.items() if key not in usual},
        "notes": _notes(catalog)
        + [f"{len(facts.odd[key])} of {len(catalog)} images: {ODDITIES[key]}" for key in ODDITIES if key in usual],
    }


def group(catalog: Catalog, rows: list[int]) -> dict[str, Any]:
    """Items that show the same, as {ids, labels_differ, splits_differ}."""
    return {
        "ids": _names(catalog, rows),
        "labels_differ": len(set(catalog.labels[rows])) > 1,
        "splits_differ": len(set(catalog.splits[rows])) > 1,
    }


def _read_bytes(catalog: Catalog) -> tuple[np.ndarray, dict[str, list[int]]]:
    digests = np.full(len(catalog), "", dtype=object)
    odd = defaultdict(list)
    for row, path in enumerate(progress(catalog.paths, "compare files")):
        if not os.path.isfile(path):
            continue
        try:
            content = Path(path).read_bytes()
        except OSError:
            continue  # decoding says why
        digests[row] = hashlib.sha256(content).hexdigest()
        for key in oddities_of_file(content, path):
            odd[key].append(row)
    return digests, odd


def _same_bytes(digests: np.ndarray) -> list[list[int]]:
    rows_of = defaultdict(list)
    for row, digest in enumerate(digests):
        rows_of[digest or row].append(row)
    return [rows for rows in rows_of.values() if len(rows) > 1]


def _names(catalog: Catalog, rows: list[int]) -> list[str]:
    return [str(name) for name in catalog.ids[rows]]


def _notes(catalog: Catalog) -> list[str]:
    counts = catalog.counts()
    notes = [
        f"class {name} has {count} image{'s' if count > 1 else ''}: too few to learn from and to find"
        for name, count in zip(catalog.class_names, counts)
        if count < FEW
    ]
    if counts.size and counts.min() and counts.max() / counts.min() > UNEVEN:
        most, least = catalog.class_names[int(counts.argmax())], catalog.class_names[int(counts.argmin())]
        notes.append(
            f"classes are uneven: {most} has {counts.max()} images, {least} {counts.min()}; look at macro means"
        )
    if unknown := int(np.sum(catalog.labels < 0)):
        notes.append(f"{unknown} images have no class: they are not learned from and do not count in metrics")
    return notes
