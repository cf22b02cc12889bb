"""Which images there are, and the parts of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfretrieval.data.catalog import Catalog
from tfretrieval.errors import UserError


def catalog(labels, splits=None, **more) -> Catalog:
    names = [f"{i}.jpg" for i in range(len(labels))]
    return Catalog.from_lists(names, labels, [f"c{i}" for i in range(max(labels, default=0) + 1)], splits, **more)


def test_a_split_and_a_subset_leave_the_classes_alone():
    whole = catalog([0, 1, 2, 0], ["train", "test", "train", "train"])
    train = whole.split("train")
    assert train.ids.tolist() == ["0.jpg", "2.jpg", "3.jpg"]
    assert train.class_names == whole.class_names
    assert train.counts().tolist() == [2, 0, 1]
    assert whole.subset(np.array([3, 1])).ids.tolist() == ["3.jpg", "1.jpg"]
    assert len(whole) == 4, "the catalog itself does not change"


def test_items_of_unknown_class_are_not_counted():
    assert catalog([0, -1, -1, 1]).counts().tolist() == [1, 1]


def test_an_id_that_repeats_is_named():
    with pytest.raises(UserError, match=r"lists a\.jpg more than once"):
        Catalog.from_lists(["a.jpg", "b.jpg", "a.jpg"], [0, 1, 0], ["x", "y"])


def test_an_unknown_split_names_those_there_are():
    marked = catalog([0, 1], ["a", "b"], is_query=[True, False], is_gallery=[False, True])
    with pytest.raises(UserError, match="has no split 'dev'; it has a, b, query, gallery"):
        marked.split("dev")


def test_marks_are_splits_too():
    marked = catalog([0, 1, 0], is_query=[True, False, False], is_gallery=[False, True, True])
    assert marked.split("query").ids.tolist() == ["0.jpg"]
    assert marked.split("gallery").ids.tolist() == ["1.jpg", "2.jpg"]
    assert len(marked.split("all")) == 3
    assert marked.roles() == ("query", "gallery")


@pytest.mark.parametrize(
    ("labels", "splits", "roles"),
    [
        ([0, 1, 0, 1], ["train", "train", "test", "test"], ("test", "train")),
        ([0, 1, 2, 3], ["train", "train", "test", "test"], ("test", "test")),
        ([0, 1, 0, 1], ["query", "query", "gallery", "gallery"], ("query", "gallery")),
        ([0, 1, 0, 1], ["all"] * 4, ("all", "all")),
        ([0, 1, 0, 1], ["train", "train", "val", "val"], ("val", "train")),
    ],
    ids=["test asks train", "unseen classes ask themselves", "named", "alone", "last asks first"],
)
def test_who_asks_whom(labels, splits, roles):
    assert catalog(labels, splits).roles() == roles


@given(
    counts=st.lists(st.integers(1, 12), min_size=2, max_size=5),
    fraction=st.floats(0, 0.99),
    seed=st.integers(0, 5),
    order=st.randoms(use_true_random=False),
)
def test_what_is_held_out_is_a_part_of_each_class_whatever_the_order(counts, fraction, seed, order):
    whole = catalog(np.repeat(np.arange(len(counts)), counts))
    rest, held = whole.hold_out(fraction, seed)
    assert sorted([*rest.ids, *held.ids]) == sorted(whole.ids)
    for n, kept, out in zip(counts, rest.counts(), np.bincount(held.labels, minlength=len(counts))):
        assert kept >= min(n, 2)
        assert out == (0 if fraction == 0 else max(0, min(max(1, round(fraction * n)), n - 2)))
    rows = list(range(len(whole)))
    order.shuffle(rows)
    shuffled = whole.subset(np.array(rows)).hold_out(fraction, seed)[1]
    assert set(shuffled.ids) == set(held.ids)


def test_another_seed_holds_out_others():
    whole = catalog(np.repeat([0, 1], 50))
    held = [set(whole.hold_out(0.2, seed)[1].ids) for seed in (0, 0, 1)]
    assert held[0] == held[1] != held[2]


def test_an_item_added_later_hardly_moves_what_is_held_out():
    labels = np.repeat([0, 1], 40)
    before = set(catalog(labels).hold_out(0.25, 0)[1].ids)
    after = set(catalog([*labels, 1]).hold_out(0.25, 0)[1].ids)
    assert len(before ^ after) <= 2


def test_the_fingerprint_tells_of_every_change(tmp_path):
    file = tmp_path / "0.jpg"
    file.write_bytes(b"abc")

    def of(names=("a", "b"), label=0, split="train", ident="0"):
        return Catalog.from_lists([str(file)], [label], names, [split], [ident]).fingerprint

    first = of()
    assert of() == first
    changed = [of(names=("a", "c")), of(label=1), of(split="test"), of(ident="1")]
    file.write_bytes(b"abcd")
    changed.append(of())
    assert len({first, *changed}) == 6


def test_a_name_that_is_not_utf8_is_a_users_mistake():
    with pytest.raises(UserError, match=r"the name of b'a/\\xff\.jpg' is not UTF-8; rename the file"):
        Catalog.from_lists(["a/1.jpg", "a/\udcff.jpg"])
