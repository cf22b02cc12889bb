"""From pictures to the most similar pictures of a run's gallery."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tfretrieval.data.catalog import Catalog
from tfretrieval.errors import UserError
from tfretrieval.evaluation.vote import majority_vote
from tfretrieval.runs import Run
from tfretrieval.steps.embed import embed_catalog, embed_split
from tfretrieval.steps.index import ensure_index


def query_run(
    run: Run,
    catalog: Catalog,
    images: Sequence[Path],
    k: int = 5,
    retriever: str = "knn",
    gallery_split: str | None = None,
    on_error: str = "fail",
) -> list[dict[str, Any]]:
    """The k nearest gallery items of each picture.

    Returns:
        for each picture a dict: "image"; "vote", the class most of the k have; "neighbours", a list of dicts with
        rank, id, label, distance and path.

    Raises:
        UserError: a picture is missing or broken, or k is larger than the gallery.
    """
    if missing := [path for path in images if not path.is_file()]:
        raise UserError(f"no picture {missing[0]}")
    gallery = embed_split(run, catalog, gallery_split or catalog.roles()[1])
    index = ensure_index(run, retriever, gallery)
    names = [str(path) for path in images]
    asked = embed_catalog(run, Catalog.from_lists(names, ids=[f"{i}:{n}" for i, n in enumerate(names)]), on_error)
    distances, rows = index.search(asked.vectors, k)
    votes = majority_vote(np.where(rows >= 0, gallery.labels[np.maximum(rows, 0)], -1))
    return [
        {
            "image": str(asked.paths[i]),
            "vote": gallery.class_names[votes[i]] if votes[i] >= 0 else None,
            "neighbours": [
                {
                    "rank": rank,
                    "id": str(gallery.ids[row]),
                    "label": label_of(gallery, row),
                    "distance": round(float(distance), 6),
                    "path": str(gallery.paths[row]),
                }
                for rank, (row, distance) in enumerate(zip(rows[i], distances[i]), start=1)
                if row >= 0
            ],
        }
        for i in range(len(asked))
    ]


def label_of(items: Any, row: int) -> str:
    """The class name of a row of embeddings, "" where it is not known."""
    label = int(items.labels[row])
    return items.class_names[label] if label >= 0 else ""
