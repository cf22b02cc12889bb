"""From images to the most similar images of a run's gallery."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tfretrieval.atomic import read_json
from tfretrieval.data.catalog import Catalog
from tfretrieval.embedding.store import Embeddings
from tfretrieval.errors import UserError
from tfretrieval.evaluation.vote import majority_vote
from tfretrieval.retrieval.index import Index
from tfretrieval.runs import Run
from tfretrieval.workflows.embed import CHANGED, embed_catalog, embed_split
from tfretrieval.workflows.engine import engine_of
from tfretrieval.workflows.gallery import gallery_changed_at, run_catalog
from tfretrieval.workflows.index import ensure_index, load_index


def query_run(
    run: Run,
    images: Sequence[Path],
    k: int = 5,
    retriever: str = "knn",
    source: str | None = None,
    gallery_split: str | None = None,
    on_error: str = "fail",
    classes: Sequence[str] = (),
    splits: Sequence[str] = (),
) -> list[dict[str, Any]]:
    """The k nearest gallery items of each image.

    The index that is there answers as it stands, unless the model has changed or files have been added to the images'
    folder or taken from it: then the gallery is embedded and indexed anew first.

    Args:
        run: with a trained model.
        images: the images that ask.
        k: neighbors of each.
        retriever: "knn", "faiss" or "milvus".
        source: the data whose gallery is searched; None: the run's own.
        gallery_split: who is searched; by default as `Catalog.roles` says.
        on_error: what a broken image does, "fail" or "skip".
        classes: of the neighbors; all where none is named.
        splits: of the neighbors; likewise.

    Returns:
        for each image a dict: "image"; "vote", the class most of the k have, None where `classes` are named;
        "neighbors", a list of dicts with
        rank, id, label, distance and path.

    Raises:
        UserError: an image is missing or broken, k is larger than what is searched, or a class or a split is
            not known.
    """
    for path in images:
        if not path.is_file():
            raise UserError(
                f"{path} is a folder; name the images in it" if path.is_dir() else f"there is no image {path}"
            )
    standing = None if source else standing_gallery(run, retriever, gallery_split)
    if standing is None:
        catalog = run_catalog(run, source)
        gallery = embed_split(run, catalog, gallery_split or catalog.roles()[1])
        index = ensure_index(run, retriever, gallery)
    else:
        index, gallery = standing
    names = [str(path) for path in images]
    for kind, wanted, known in (("class", classes, gallery.class_names), ("split", splits, set(gallery.splits))):
        if unknown := [name for name in wanted if name not in known]:
            raise UserError(f"the gallery has no {kind} {unknown[0]!r}; it has {', '.join(sorted(known))}")
    query_catalog = Catalog.from_lists(names, ids=[f"{i}:{n}" for i, n in enumerate(names)])
    asked = embed_catalog(run, query_catalog, on_error, engine_of(gallery))
    if classes or splits:
        distances, rows = index.search_where(asked.vectors, k, gallery, classes, splits)
    else:
        distances, rows = index.search(asked.vectors, k)
    votes = majority_vote(np.where(rows >= 0, gallery.labels[np.maximum(rows, 0)], -1))
    return [
        {
            "image": str(asked.paths[i]),
            "vote": gallery.class_names[votes[i]] if votes[i] >= 0 and not classes else None,
            "neighbors": [
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


def standing_gallery(run: Run, retriever: str, split: str | None) -> tuple[Index, Embeddings] | None:
    """The index of a kind and the embeddings that it was built from, if both are there and not stale; else None."""
    if not run.index(retriever).exists():
        return None
    index = load_index(run, retriever, mmap=True)
    changed = gallery_changed_at(run)
    for store in [run.embeddings(split)] if split else sorted(run.embeddings("").glob("*/")):
        header = store / "embeddings.json"
        if not header.is_file() or header.stat().st_mtime < changed:
            continue
        described = read_json(header, "rebuild it with `tfret embed`")
        if (
            described.get("fingerprint") == index.gallery
            and described.get("made_from", {}).get("model") == run.model_fingerprint()
            and described["made_from"].get(CHANGED, False) == run.gallery_path.exists()
        ):
            return index, Embeddings.load(store)
    return None


def label_of(items: Any, row: int) -> str:
    """The class name of a row of embeddings, "" where it is not known."""
    label = int(items.labels[row])
    return items.class_names[label] if label >= 0 else ""
