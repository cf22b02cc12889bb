"""What a database keeps beside vectors."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tfretrieval.embedding.store import Embeddings
from tfretrieval.retrieval.items import Items

VECTORS = np.arange(8, dtype=np.float32).reshape(4, 2)
ITEMS = Items.of(
    Embeddings.from_arrays(
        VECTORS, [0, 1, -1, 0], ["cat", "dog"], list("wxyz"), list("1234"), ["train", "train", "test", "test"]
    ),
    "m",
)


def test_classes_are_named_and_the_unknown_has_no_name():
    assert ITEMS.classes.tolist() == ["cat", "dog", "", "cat"]
    assert ITEMS.made_by == "m"


def test_rows_by_class_and_split():
    assert ITEMS.rows_where([], []).tolist() == [0, 1, 2, 3]
    assert ITEMS.rows_where(["cat"], []).tolist() == [0, 3]
    assert ITEMS.rows_where(["cat", "dog"], ["train"]).tolist() == [0, 1]
    assert ITEMS.rows_where(["cow"], []).tolist() == []


def test_some_rows_and_numbered_ones():
    assert ITEMS.taken(np.array([2, 0])).ids.tolist() == ["y", "w"]
    assert Items.numbered(2, first=5).ids.tolist() == ["5", "6"]


def test_a_digest_changes_with_the_vector_and_with_every_text_but_not_with_the_id():
    first = ITEMS.digests(VECTORS)
    assert first == ITEMS.digests(VECTORS.copy())
    assert len(set(first)) == 4
    assert all(-(2**63) <= digest < 2**63 for digest in first)
    moved = VECTORS.copy()
    moved[1, 0] += 1e-3
    assert [a == b for a, b in zip(first, ITEMS.digests(moved))] == [True, False, True, True]
    for name in ("classes", "paths", "splits"):
        changed = getattr(ITEMS, name).copy()
        changed[2] = "other"
        others = replace(ITEMS, **{name: changed}).digests(VECTORS)
        assert [a == b for a, b in zip(first, others)] == [True, True, False, True]
    assert replace(ITEMS, ids=ITEMS.ids[::-1]).digests(VECTORS) == first
