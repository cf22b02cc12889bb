"""Faults of a data set that spoil a study: broken files, files that appear twice, classes too small."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from tfretrieval.data.catalog import Catalog
from tfretrieval.data.images import decode_files
from tfretrieval.progress import progress

UNEVEN = 10
PROBE = 32


def audit_catalog(catalog: Catalog) -> dict[str, Any]:
    """Look a catalogue over.

    Returns:
        n; classes {name: {split: count}}; duplicates, a list of {ids, labels_differ, splits_differ} for files with
        the same bytes; broken {id: reason}; notes, a list of lines.
    """
    _, broken = decode_files(list(catalog.paths), PROBE, keep=False)
    classes: dict[str, dict[str, int]] = {
        name: {
            str(split): int(((catalog.labels == label) & (catalog.splits == split)).sum())
            for split in catalog.split_names
        }
        for label, name in enumerate(catalog.class_names)
    }
    return {
        "source": catalog.source,
        "n": len(catalog),
        "classes": classes,
        "duplicates": _duplicates(catalog),
        "broken": {str(catalog.ids[row]): reason for row, reason in broken.items()},
        "notes": _notes(catalog),
    }


def _duplicates(catalog: Catalog) -> list[dict[str, Any]]:
    rows_of = defaultdict(list)
    for row, path in enumerate(progress(catalog.paths, "compare files")):
        file = Path(path)
        if file.is_file():
            rows_of[hashlib.sha256(file.read_bytes()).hexdigest()].append(row)
    return [
        {
            "ids": [str(name) for name in catalog.ids[rows]],
            "labels_differ": len(set(catalog.labels[rows])) > 1,
            "splits_differ": len(set(catalog.splits[rows])) > 1,
        }
        for rows in rows_of.values()
        if len(rows) > 1
    ]


def _notes(catalog: Catalog) -> list[str]:
    counts = catalog.counts()
    notes = [
        f"class {name} has {count} picture{'s' if count > 1 else ''}: too few to learn from and to find"
        for name, count in zip(catalog.class_names, counts)
        if count < 4
    ]
    if counts.min() and counts.max() / counts.min() > UNEVEN:
        most, least = catalog.class_names[int(counts.argmax())], catalog.class_names[int(counts.argmin())]
        notes.append(
            f"classes are uneven: {most} has {counts.max()} pictures, {least} {counts.min()}; look at macro means"
        )
    if unknown := int(np.sum(catalog.labels < 0)):
        notes.append(f"{unknown} pictures have no class: they are not learnt from and do not count in metrics")
    return notes
