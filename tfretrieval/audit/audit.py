"""Audit of a catalog: its files, duplicates, leaks between splits and label issues."""

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
from tfretrieval.workflows.engine import AUTO, choice_of
from tfretrieval.workflows.model import run_config

N_NEIGHBORS = 20  # neighbors whose labels are counted
N_EXAMPLES = 4  # nearest items of the suggested class

Nearest = tuple[np.ndarray, np.ndarray]  # cosines and rows


def audit(catalog: Catalog, run: Run | None = None, max_label_issues: int = 50) -> dict[str, Any]:
    """Audit a catalog, with the model of a run if one is given.

    Args:
        catalog: n items with local files.
        run: run whose model embeds the images. Its stored embeddings are used if they are up to date; others are
            stored in `audit/` of the run.
        max_label_issues: number of label issues to list.

    Returns:
        the result of `audit_files` and

        * near_duplicates: list of {kind, ids, labels_differ, splits_differ, similarity};
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
        neighbors = SimilarItems(vectors).neighbors(N_NEIGHBORS)
        labels = np.where(embedded, catalog.labels, -1)
        result |= _audit_labels(catalog, vectors, labels, neighbors[1], max_label_issues)
        result["notes"] += _label_notes(run, labels, catalog.n_classes)
    result["near_duplicates"] = _group_near_duplicates(catalog, facts, neighbors)
    split_of = dict(zip(catalog.ids, catalog.splits))
    result["leaks"] = [
        {"kind": group["kind"], "ids": _ids_by_split(split_of, group["ids"])}
        for group in (*result["duplicates"], *result["near_duplicates"])
        if group["splits_differ"]
    ]
    return result


def count_issues(result: dict[str, Any]) -> dict[str, int]:
    """Return the number of issues of each type in the result of `audit`, except label issues."""
    return {
        "duplicates": len(result["duplicates"]),
        "near duplicates": len(result["near_duplicates"]),
        "leaks": len(result["leaks"]),
        "broken files": len(result["broken"]),
        "image issues": len({name for names in result["image_issues"].values() for name in names}),
    }


def describe_duplicates(group: dict[str, Any]) -> str:
    """Describe a group of `duplicates` or `near_duplicates`: kind, similarity, and what differs."""
    similarity = f", similarity {group['similarity']:.2f}" if "similarity" in group else ""
    labels = ", different classes" if group["labels_differ"] else ""
    splits = ", different splits" if group["splits_differ"] else ""
    return f"{group['kind']}{similarity}{labels}{splits}"


def _embed_images(run: Run, catalog: Catalog, facts: FileFacts) -> tuple[np.ndarray, np.ndarray]:
    """Return unit vectors, float32 [n, d], and the mask of embedded images, bool [n]; other vectors are zeros."""
    embedded, vectors, choice = np.zeros(len(catalog), bool), np.zeros((len(catalog), 1), np.float32), AUTO
    broken = set(catalog.ids[list(facts.broken)])
    for split in catalog.split_names:
        part = catalog.split(split)
        if broken.issuperset(part.ids):
            continue
        store = current_embeddings(run, part, run.embeddings(split), choice)
        if store is None:
            store = embed_catalog(run, part, EmbedOptions("skip", choice), run.audit(split))
        if not embedded.any():
            choice, vectors = choice_of(store.provenance), np.zeros((len(catalog), store.dim), np.float32)
        rows = catalog.rows_of(store.items.ids)
        embedded[rows] = True
        for block in blocks(len(rows)):
            vectors[rows[block]] = unit_rows(store.vectors[block])
    return vectors, embedded


def _audit_labels(
    catalog: Catalog, vectors: np.ndarray, labels: np.ndarray, neighbor_rows: np.ndarray, max_issues: int
) -> dict[str, Any]:
    issues = find_label_issues(vectors, labels)
    described = []
    for row, suggested, score in list(zip(issues.rows, issues.suggested, issues.scores))[:max_issues]:
        neighbor_labels = labels[neighbor_rows[row][neighbor_rows[row] >= 0]]
        counts = Counter(catalog.class_names[label] for label in neighbor_labels if label >= 0)
        candidates = np.flatnonzero(labels == suggested)
        cosines = vectors[candidates] @ vectors[row]
        examples = np.argsort(-cosines, kind="stable")[:N_EXAMPLES]
        described.append(
            {
                **_describe_item(catalog, row),
                "suggested_label": catalog.class_names[suggested],
                "score": round(float(score), 4),
                "neighbor_labels": dict(counts.most_common()),
                "neighbors": [
                    _describe_item(catalog, candidates[i]) | {"cosine": round(float(cosines[i]), 4)} for i in examples
                ],
            }
        )
    return {"n_label_issues": len(issues.rows), "label_issues": described}


def _describe_item(catalog: Catalog, row: int) -> dict[str, Any]:
    return {"id": catalog.ids[row], "split": catalog.splits[row], "label": catalog.class_of(row)}


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


def _group_near_duplicates(catalog: Catalog, facts: FileFacts, neighbors: Nearest | None) -> list[dict[str, Any]]:
    """Connected near duplicates, the most similar first; the similarity of a group is its lowest."""
    pairs, similarities = near_duplicates(facts.gray, neighbors)
    differ = facts.digests[pairs[:, 0]] != facts.digests[pairs[:, 1]]
    pairs, similarities = pairs[differ], similarities[differ]
    groups = connected_groups(pairs)
    group_of = {row: i for i, rows in enumerate(groups) for row in rows}
    lowest = np.ones(len(groups))
    np.minimum.at(lowest, [group_of[row] for row in pairs[:, 0].tolist()], similarities)
    described = [
        describe_group(catalog, "near duplicate", rows) | {"similarity": round(float(similarity), 4)}
        for rows, similarity in zip(groups, lowest)
    ]
    return sorted(described, key=lambda group: -group["similarity"])


def _ids_by_split(split_of: dict[str, str], ids: list[str]) -> dict[str, list[str]]:
    splits = dict.fromkeys(split_of[name] for name in ids)
    return {split: [name for name in ids if split_of[name] == split] for split in splits}
