"""Audit of a catalog: its files, duplicates, leaks between splits and label issues."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from tfretrieval.audit.duplicates import connected_groups, near_duplicates
from tfretrieval.audit.files import FileFacts, audit_files, describe_group, read_facts
from tfretrieval.audit.label_issues import MIN_CLASS_SIZE, find_label_issues
from tfretrieval.audit.similar_items import SimilarItems
from tfretrieval.data.catalog import Catalog
from tfretrieval.retrieval.distances import blocks
from tfretrieval.runs import Run
from tfretrieval.vectors import unit_rows
from tfretrieval.workflows.embed import EmbedOptions, current_embeddings, embed_catalog
from tfretrieval.workflows.engine import AUTO, engine_of
from tfretrieval.workflows.model import run_config

N_NEIGHBORS = 20  # neighbors whose labels are counted
N_EXAMPLES = 4  # nearest items of the suggested class
BLOCK = 8192
ISSUES_PER_BLOCK = 64

Neighbors = tuple[np.ndarray, np.ndarray]


def audit(catalog: Catalog, run: Run | None = None, max_label_issues: int = 50) -> dict[str, Any]:
    """Audit a catalog, with the model of a run if one is given.

    Args:
        catalog: n items with local files.
        run: run whose model embeds the images. Its stored embeddings are used if they are up to date; others are
            stored in `audit/` of the run.
        max_label_issues: number of label issues to list.

    Returns:
        the result of `audit_files` and

        * near_duplicates: list of {ids, labels_differ, splits_differ, similarity};
        * leaks: list of {kind, ids {split: [id]}};
        * n_label_issues: number of label issues, None without a run;
        * label_issues: list of {id, split, label, suggested_label, score, neighbor_labels {class: count}, neighbors
          [{id, split, label, cosine}]}, None without a run.

    Raises:
        UserError: an image is not a local file, or the run has no model.
    """
    facts = read_facts(catalog)
    result = audit_files(catalog, facts)
    neighbors = None
    if run is None:
        result |= {"n_label_issues": None, "label_issues": None}
    else:
        vectors, embedded = _embed_images(run, catalog, facts)
        neighbors = _nearest_neighbors(vectors)
        labels = np.where(embedded, catalog.labels, -1)
        result |= _audit_labels(catalog, vectors, labels, neighbors[1], max_label_issues)
        result["notes"] += _label_notes(run, labels, catalog.n_classes)
    result["near_duplicates"] = _group_near_duplicates(catalog, facts, neighbors)
    result["leaks"] = [
        {"kind": kind, "ids": _ids_by_split(catalog, group["ids"])}
        for kind, key in (("duplicate", "duplicates"), ("near duplicate", "near_duplicates"))
        for group in result[key]
        if group["splits_differ"]
    ]
    return result


def _embed_images(run: Run, catalog: Catalog, facts: FileFacts) -> tuple[np.ndarray, np.ndarray]:
    """Return unit vectors, float32 [n, d], and the mask of embedded images, bool [n]; other vectors are zeros."""
    row_of = {name: row for row, name in enumerate(catalog.ids)}
    embedded, vectors, choice = np.zeros(len(catalog), bool), np.zeros((len(catalog), 1), np.float32), AUTO
    for split in catalog.split_names:
        part = catalog.split(split)
        if not set(part.ids) & set(catalog.ids[facts.decodable]):
            continue
        store = current_embeddings(run, part, run.embeddings(split), choice)
        if store is None:
            store = embed_catalog(run, part, EmbedOptions("skip", choice), run.audit(split))
        if not embedded.any():
            choice, vectors = engine_of(store.provenance), np.zeros((len(catalog), store.dim), np.float32)
        rows = np.array([row_of[name] for name in store.items.ids])
        embedded[rows] = True
        for block in blocks(len(rows), BLOCK):
            vectors[rows[block]] = unit_rows(store.vectors[block])
    return vectors, embedded


def _nearest_neighbors(vectors: np.ndarray) -> Neighbors:
    n = len(vectors)
    if n < 2:
        return np.empty((n, 0), np.float32), np.empty((n, 0), np.int64)
    return SimilarItems(vectors).neighbors(min(N_NEIGHBORS, n - 1))


def _audit_labels(
    catalog: Catalog, vectors: np.ndarray, labels: np.ndarray, neighbor_rows: np.ndarray, max_issues: int
) -> dict[str, Any]:
    issues = find_label_issues(vectors, labels)
    described = []
    for block in blocks(min(max_issues, len(issues.rows)), ISSUES_PER_BLOCK):
        cosines = vectors[issues.rows[block]] @ vectors.T
        for row, suggested, score, similarities in zip(
            issues.rows[block], issues.suggested[block], issues.scores[block], cosines
        ):
            described.append(
                {
                    **_describe_item(catalog, row),
                    "suggested_label": catalog.class_names[suggested],
                    "score": round(float(score), 4),
                    "neighbor_labels": _count_labels(catalog, labels, neighbor_rows[row]),
                    "neighbors": [
                        _describe_item(catalog, other) | {"cosine": round(float(similarities[other]), 4)}
                        for other in _most_similar(similarities, labels == suggested, row)
                    ],
                }
            )
    return {"n_label_issues": len(issues.rows), "label_issues": described}


def _count_labels(catalog: Catalog, labels: np.ndarray, rows: np.ndarray) -> dict[str, int]:
    known = [label for label in labels[rows[rows >= 0]].tolist() if label >= 0]
    return dict(Counter(catalog.class_names[label] for label in known).most_common())


def _most_similar(similarities: np.ndarray, is_candidate: np.ndarray, row: int) -> np.ndarray:
    """Rows of the most similar candidates, without `row` itself."""
    candidates = np.setdiff1d(np.flatnonzero(is_candidate), [row])
    return candidates[np.argsort(-similarities[candidates], kind="stable")[:N_EXAMPLES]]


def _describe_item(catalog: Catalog, row: int) -> dict[str, Any]:
    return {
        "id": str(catalog.ids[row]),
        "split": str(catalog.splits[row]),
        "label": catalog.class_names[catalog.labels[row]],
    }


def _label_notes(run: Run, labels: np.ndarray, n_classes: int) -> list[str]:
    """Limits of the search for label issues on this catalog and run."""
    counts = np.bincount(labels[labels >= 0], minlength=n_classes)
    is_checked = counts >= MIN_CLASS_SIZE
    if is_checked.sum() < 2:
        return [f"labels were not checked: this needs two classes of at least {MIN_CLASS_SIZE} images"]
    notes = []
    if unchecked := int(counts[~is_checked].sum()):
        notes.append(f"{unchecked} labels were not checked: their classes have fewer than {MIN_CLASS_SIZE} images")
    if run_config(run).epochs:
        notes.append(
            f"the model of {run.directory} is trained: if it was trained on these labels, it may have learned the "
            "wrong ones; prefer a pretrained model (--epochs 0)"
        )
    return notes


def _group_near_duplicates(catalog: Catalog, facts: FileFacts, neighbors: Neighbors | None) -> list[dict[str, Any]]:
    """Connected near duplicates, the most similar first; the similarity of a group is its lowest."""
    pairs, similarities = near_duplicates(facts.gray, neighbors)
    differ = facts.digests[pairs[:, 0]] != facts.digests[pairs[:, 1]]
    pairs, similarities = pairs[differ], similarities[differ]
    groups = connected_groups(pairs)
    group_of = {row: i for i, rows in enumerate(groups) for row in rows}
    lowest = np.ones(len(groups))
    np.minimum.at(lowest, [group_of[row] for row in pairs[:, 0].tolist()], similarities)
    described = [
        describe_group(catalog, rows) | {"similarity": round(float(value), 4)} for rows, value in zip(groups, lowest)
    ]
    return sorted(described, key=lambda group: -group["similarity"])


def _ids_by_split(catalog: Catalog, ids: list[str]) -> dict[str, list[str]]:
    split_of = dict(zip(catalog.ids, catalog.splits))
    by_split: dict[str, list[str]] = {}
    for name in ids:
        by_split.setdefault(str(split_of[name]), []).append(name)
    return by_split
