"""What is wrong with a data set: its files, images that are there more than once, labels that are doubtful."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from tfretrieval.audit.duplicates import joined, near_duplicates
from tfretrieval.audit.files import FileFacts, audit_catalog, group, read_facts
from tfretrieval.audit.label_issues import FEWEST, Suspects, label_suspects
from tfretrieval.audit.similar_items import Within
from tfretrieval.data.catalog import Catalog
from tfretrieval.retrieval.blocks import blocks
from tfretrieval.runs import Run
from tfretrieval.vectors import unit_rows
from tfretrieval.workflows.embed import current_embeddings, embed_catalog
from tfretrieval.workflows.engine import AUTO, engine_of
from tfretrieval.workflows.model import run_config

NEAREST = 20  # neighbors whose classes are counted
SHOWN = 4  # neighbors of the suggested class that are named
BLOCK = 8192
ASKED = 64  # suspects that are compared with everything at a time


def audit(catalog: Catalog, run: Run | None = None, most: int = 50) -> dict[str, Any]:
    """Look a catalog over, with the model of a run where one is given.

    Args:
        catalog: n items with files.
        run: whose model embeds the images. Its stored embeddings are used where they are current; others are kept
            in its folder `audit/`.
        most: how many doubtful labels are listed.

    Returns:
        what `audit_catalog` returns, and near_duplicates, a list of {ids, labels_differ, splits_differ, likeness};
        leaks, a list of {kind, ids {split: [id]}}; n_suspects, and suspects, a list of {id, label, suggested, score,
        votes {class: count}, neighbors [{id, label, split, cosine}]}, both None without a run.

    Raises:
        UserError: an image is not a file of this machine, or the run has no model.
    """
    facts = read_facts(catalog)
    found = audit_catalog(catalog, facts)
    found |= {"n_suspects": None, "suspects": None}
    near = None
    if run is not None:
        units, embedded = _vectors(run, catalog, facts)
        labels = np.where(embedded, catalog.labels, -1)
        near = Within(units).neighbors(min(NEAREST, len(units) - 1)) if len(units) > 1 else None
        suspects = label_suspects(units, labels)
        found["n_suspects"] = len(suspects.rows)
        found["suspects"] = [] if near is None else _described(catalog, units, labels, near[1], suspects, most)
        found["notes"] += _limits(run, labels, catalog.n_classes)
    found["near_duplicates"] = _near_duplicates(catalog, facts, near)
    found["leaks"] = _leaks(catalog, {"same file": found["duplicates"], "near duplicate": found["near_duplicates"]})
    return found


def _vectors(run: Run, catalog: Catalog, facts: FileFacts) -> tuple[np.ndarray, np.ndarray]:
    """Float32 [n, d] of norm 1, and bool [n], which images have one; the vectors of others are zeros."""
    row_of = {name: row for row, name in enumerate(catalog.ids)}
    embedded, units, choice = np.zeros(len(catalog), bool), np.zeros((len(catalog), 1), np.float32), AUTO
    for split in catalog.split_names:
        part = catalog.split(split)
        if not set(part.ids) & set(catalog.ids[facts.whole]):
            continue
        store = current_embeddings(run, part, run.embeddings(split), choice)
        if store is None:
            store = embed_catalog(run, part, "skip", choice, run.audit(split))
        if not embedded.any():
            choice, units = engine_of(store), np.zeros((len(catalog), store.dim), np.float32)
        rows = np.array([row_of[name] for name in store.ids])
        embedded[rows] = True
        for block in blocks(len(rows), BLOCK):
            units[rows[block]] = unit_rows(store.vectors[block])
    return units, embedded


def _near_duplicates(
    catalog: Catalog, facts: FileFacts, near: tuple[np.ndarray, np.ndarray] | None
) -> list[dict[str, Any]]:
    pairs, likeness = near_duplicates(facts.gray, near)
    other = facts.digests[pairs[:, 0]] != facts.digests[pairs[:, 1]]
    pairs, likeness = pairs[other], likeness[other]
    groups = joined(pairs)
    number_of = {row: number for number, rows in enumerate(groups) for row in rows}
    lowest = np.ones(len(groups))
    np.minimum.at(lowest, [number_of[row] for row in pairs[:, 0].tolist()], likeness)
    found = [
        {**group(catalog, rows), "likeness": round(float(least), 4)} for rows, least in zip(groups, lowest)
    ]  # fmt: skip
    return sorted(found, key=lambda each: -each["likeness"])


def _described(
    catalog: Catalog, units: np.ndarray, labels: np.ndarray, near: np.ndarray, suspects: Suspects, most: int
) -> list[dict[str, Any]]:
    """The first `most` suspects, each with the votes of its neighbors and the nearest of the suggested class."""
    names = [*catalog.class_names, None]
    found = []
    for block in blocks(min(most, len(suspects.rows)), ASKED):
        rows, suggested = suspects.rows[block], suspects.suggested[block]
        cosines = units @ units[rows].T
        for column, (row, label, score) in enumerate(zip(rows, suggested, suspects.scores[block])):
            members = np.flatnonzero((labels == label) & (np.arange(len(labels)) != row))
            nearest = members[np.argsort(-cosines[members, column], kind="stable")[:SHOWN]]
            votes = Counter(names[vote] for vote in labels[near[row][near[row] >= 0]].tolist() if vote >= 0)
            found.append(
                {
                    "id": str(catalog.ids[row]),
                    "split": str(catalog.splits[row]),
                    "label": names[labels[row]],
                    "suggested": names[label],
                    "score": round(float(score), 4),
                    "votes": dict(votes.most_common()),
                    "neighbors": [
                        {
                            "id": str(catalog.ids[other]),
                            "split": str(catalog.splits[other]),
                            "label": names[labels[other]],
                            "cosine": round(float(cosines[other, column]), 4),
                        }
                        for other in nearest
                    ],
                }
            )
    return found


def _limits(run: Run, labels: np.ndarray, n_classes: int) -> list[str]:
    """What the search for wrong labels cannot see."""
    counts = np.bincount(labels[labels >= 0], minlength=n_classes)
    judged = counts >= FEWEST
    if judged.sum() < 2:
        return [f"labels are not judged: that needs two classes with {FEWEST} images or more"]
    notes = []
    if small := int(counts[~judged].sum()):
        notes.append(f"{small} labels are not judged: their classes have fewer than {FEWEST} images")
    if run_config(run).epochs:
        notes.append(
            f"the model of {run.directory} has been trained: where that was on these labels, it may have learned the "
            "wrong ones; one of --epochs 0 is the better judge"
        )
    return notes


def _leaks(catalog: Catalog, kinds: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    split_of = dict(zip(catalog.ids, catalog.splits))
    leaks = []
    for kind, groups in kinds.items():
        for each in groups:
            if each["splits_differ"]:
                by_split: dict[str, list[str]] = {}
                for name in each["ids"]:
                    by_split.setdefault(split_of[name], []).append(name)
                leaks.append({"kind": kind, "ids": by_split})
    return leaks
