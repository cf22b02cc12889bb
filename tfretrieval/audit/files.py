"""Audit of the files of a catalog: broken files, image issues, duplicates, small classes."""

import contextlib
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfretrieval.audit.image_issues import IMAGE_ISSUES, file_issues, pixel_issues
from tfretrieval.data.catalog import Catalog
from tfretrieval.data.content_digests import content_digests
from tfretrieval.data.images import decode_each
from tfretrieval.data.remote import is_remote
from tfretrieval.errors import UserError
from tfretrieval.progress import progress

MAX_IMBALANCE = 10  # ratio of the largest class to the smallest
SIZE = 32  # side of the scaled images, in pixels
LUMA = (0.299, 0.587, 0.114)
SMALL_CLASS = 4
COMMON = 0.5  # share of the images above which an issue becomes a note


@dataclass(frozen=True, eq=False)
class FileFacts:
    """Contents of the n files of a catalog, row by row.

    Attributes:
        digests: [n] digests of the bytes, "" where there is no file; dtype object (str).
        gray: uint8 [n, 32, 32], the image scaled to a square, in gray; zeros where a file is broken.
        broken: {row: reason} of the files that cannot be decoded.
        issues: {key of `IMAGE_ISSUES`: rows} of the decodable files.
    """

    digests: np.ndarray
    gray: np.ndarray
    broken: dict[int, str]
    issues: dict[str, list[int]]


def read_facts(catalog: Catalog) -> FileFacts:
    """Read the digest, the header and the pixels of every file of a catalog. Takes about 1.2 kB of memory per image.

    Raises:
        UserError: an image is not a local file.
    """
    if remote := next(filter(is_remote, catalog.paths), None):
        raise UserError(f"{remote} is not a local file; copy the images to this machine to audit them")
    digests = np.array(content_digests(list(catalog.paths)), dtype=object)
    issues = _read_headers(catalog)
    gray = np.zeros((len(catalog), SIZE, SIZE), np.uint8)

    def add(rows: np.ndarray, images: np.ndarray) -> None:
        gray[rows] = np.rint(images @ np.array(LUMA, np.float32))
        for row, keys in zip(rows.tolist(), pixel_issues(images, gray[rows])):
            for key in keys:
                issues[key].append(row)

    broken = decode_each(list(catalog.paths), SIZE, "stretch", add)
    issues["grayscale_pixels"] = sorted(set(issues["grayscale_pixels"]) - set(issues["grayscale"]))
    decoded = {key: sorted(set(issues[key]) - set(broken)) for key in IMAGE_ISSUES}
    return FileFacts(digests, gray, broken, {key: rows for key, rows in decoded.items() if rows})


def audit_files(catalog: Catalog, facts: FileFacts) -> dict[str, Any]:
    """Audit the files of a catalog.

    Args:
        catalog: n items with local files.
        facts: result of `read_facts`.

    Returns:
        source; n; classes {name: {split: count}}; duplicates, a list of {kind, ids, labels_differ, splits_differ} of
        files with the same bytes; broken {id: reason}; image_issues {key of `IMAGE_ISSUES`: ids}; notes, lines of text.
    """
    classes: dict[str, dict[str, int]] = {
        name: {
            str(split): int(((catalog.labels == label) & (catalog.splits == split)).sum())
            for split in catalog.split_names
        }
        for label, name in enumerate(catalog.class_names)
    }
    common = [key for key, rows in facts.issues.items() if len(rows) > COMMON * len(catalog)]
    return {
        "source": catalog.source,
        "n": len(catalog),
        "classes": classes,
        "duplicates": [describe_group(catalog, "duplicate", rows) for rows in _equal_files(facts.digests)],
        "broken": {str(catalog.ids[row]): reason for row, reason in facts.broken.items()},
        "image_issues": {key: _ids(catalog, rows) for key, rows in facts.issues.items() if key not in common},
        "notes": [
            *_class_notes(catalog),
            *(f"{len(facts.issues[key])} of {len(catalog)} images: {IMAGE_ISSUES[key]}" for key in common),
        ],
    }


def describe_group(catalog: Catalog, kind: str, rows: list[int]) -> dict[str, Any]:
    """Describe a group of duplicates: {kind, ids, labels_differ, splits_differ}."""
    return {
        "kind": kind,
        "ids": _ids(catalog, rows),
        "labels_differ": len(set(catalog.labels[rows])) > 1,
        "splits_differ": len(set(catalog.splits[rows])) > 1,
    }


def _read_headers(catalog: Catalog) -> defaultdict[str, list[int]]:
    issues = defaultdict(list)
    for row, path in enumerate(progress(catalog.paths, "read headers")):
        with contextlib.suppress(OSError), open(path, "rb") as file:  # reported when the image is decoded
            for key in file_issues(file, path):
                issues[key].append(row)
    return issues


def _equal_files(digests: np.ndarray) -> list[list[int]]:
    rows_of = defaultdict(list)
    for row, digest in enumerate(digests):
        rows_of[digest or row].append(row)
    return [rows for rows in rows_of.values() if len(rows) > 1]


def _ids(catalog: Catalog, rows: list[int]) -> list[str]:
    return [str(name) for name in catalog.ids[rows]]


def _class_notes(catalog: Catalog) -> list[str]:
    counts = catalog.counts()
    notes = [
        f"class {name} has {count} image{'s' if count > 1 else ''}: too few for training and evaluation"
        for name, count in zip(catalog.class_names, counts)
        if count < SMALL_CLASS
    ]
    if counts.size and counts.min() and counts.max() / counts.min() > MAX_IMBALANCE:
        largest, smallest = catalog.class_names[int(counts.argmax())], catalog.class_names[int(counts.argmin())]
        notes.append(
            f"classes are imbalanced: {largest} has {counts.max()} images, {smallest} {counts.min()}; "
            "compare macro averages"
        )
    if unlabeled := int(np.sum(catalog.labels < 0)):
        notes.append(f"{unlabeled} images have no label: they are excluded from training and metrics")
    return notes
