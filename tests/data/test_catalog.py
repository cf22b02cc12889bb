"""`Catalog`: subsets, splits, roles and fingerprints."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfretrieval.data.catalog import Catalog
from tfretrieval.errors import UserError


def catalog(labels, splits=None, **more) -> Catalog:
    names = [f"{i}.jpg" for i in range(len(labels))]
    made = Catalog.from_lists(names, labels, [f"c{i}" for i in range(max(labels, default=0) + 1)], splits)
    return replace(made, **{name: np.array(flags) for name, flags in more.items()})


def test_splits_and_subsets_keep_the_class_names():
    whole = catalog([0, 1, 2, 0], ["train", "test", "train", "train"])
    train = whole.split("train")
    assert train.ids.tolist() == ["0.jpg", "2.jpg", "3.jpg"]
    assert train.class_names == whole.class_names
    assert train.counts().tolist() == [2, 0, 1]
    assert whole.subset(np.array([3, 1])).ids.tolist() == ["3.jpg", "1.jpg"]
    assert len(whole) == 4, "the catalog itself does not change"


def test_items_of_unknown_class_are_not_counted():
    assert catalog([0, -1, -1, 1]).counts().tolist() == [1, 1]


def test_a_repeated_id_is_refused_by_name():
    with pytest.raises(UserError, match=r"a\.jpg"):
        Catalog.from_lists(["a.jpg", "b.jpg", "a.jpg"], [0, 1, 0], ["x", "y"])


def test_an_unknown_split_is_refused_with_the_known_ones():
    marked = catalog([0, 1], ["a", "b"], is_query=[True, False], is_gallery=[False, True])
    with pytest.raises(UserError, match="a, b, query, gallery"):
        marked.split("dev")


def test_marked_items_form_splits():
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
    ids=["test and train", "unseen classes", "query and gallery", "a single split", "last and first"],
)
def test_roles_follow_the_names_of_the_splits(labels, splits, roles):
    assert catalog(labels, splits).roles() == roles


@given(
    counts=st.lists(st.integers(1, 12), min_size=2, max_size=5),
    fraction=st.floats(0, 0.99),
    seed=st.integers(0, 5),
    order=st.randoms(use_true_random=False),
)
def test_a_fraction_of_each_class_is_held_out_in_any_order(counts, fraction, seed, order):
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


def test_the_seed_decides_what_is_held_out():
    whole = catalog(np.repeat([0, 1], 50))
    held = [set(whole.hold_out(0.2, seed)[1].ids) for seed in (0, 0, 1)]
    assert held[0] == held[1] != held[2]


def test_an_additional_item_hardly_changes_what_is_held_out():
    labels = np.repeat([0, 1], 40)
    before = set(catalog(labels).hold_out(0.25, 0)[1].ids)
    after = set(catalog([*labels, 1]).hold_out(0.25, 0)[1].ids)
    assert len(before ^ after) <= 2


def test_the_fingerprint_depends_on_names_labels_splits_and_contents(tmp_path):
    file = tmp_path / "0.jpg"
    file.write_bytes(b"abc")

    def of(names=("a", "b"), label=0, split="train", ident="0"):
        return Catalog.from_lists([str(file)], [label], names, [split], [ident]).fingerprint

    first = of()
    assert of() == first
    changed = [of(names=("a", "c")), of(label=1), of(split="test"), of(ident="1")]
    for content in (b"abcd", b"abd"):
        file.write_bytes(content)
        changed.append(of())
    assert len({first, *changed}) == 7


def test_a_path_that_is_not_utf_8_is_refused():
    with pytest.raises(UserError, match="UTF-8"):
        Catalog.from_lists(["a/1.jpg", "a/\udcff.jpg"])


@pytest.mark.parametrize(
    "columns",
    [{"labels": [0]}, {"splits": ["train"]}, {"ids": ["a"]}, {"labels": [0, 2]}, {"labels": [-2, 0]}],
)
def test_columns_of_other_lengths_and_labels_out_of_range_are_refused(columns):
    with pytest.raises(UserError):
        Catalog.from_lists(**{"paths": ["a.jpg", "b.jpg"], "class_names": ["x", "y"], **columns})


def test_concatenated_catalogs_match_classes_by_name():
    one = Catalog.from_lists(["a", "b"], [0, 1], ["cat", "dog"])
    other = Catalog.from_lists(["c", "d", "e"], [0, 1, -1], ["emu", "cat"])
    both = one.concat(other)
    assert both.class_names == ("cat", "dog", "emu")
    assert both.item_class_names().tolist() == ["cat", "dog", "emu", "cat", ""]
    with pytest.raises(UserError, match="b"):
        both.concat(one.subset(np.array([1])))


def test_items_are_found_by_id_class_and_split():
    items = catalog([0, 1, 1, 2], ["train", "train", "test", "test"])
    assert items.rows_of(["3.jpg", "nobody", "0.jpg"]).tolist() == [3, -1, 0]
    assert items.rows_where(classes=["c1", "c2"], splits=["test"]).tolist() == [2, 3]
    assert items.rows_where().tolist() == [0, 1, 2, 3]
    for wrong in ({"classes": ["c9"]}, {"splits": ["val"]}):
        with pytest.raises(UserError, match=next(iter(wrong.values()))[0]):
            items.rows_where(**wrong)


def test_labels_can_be_expressed_in_other_class_names():
    items = Catalog.from_lists(["a", "b", "c"], [0, 1, -1], ["cat", "dog"])
    assert items.labels_among(["dog", "cat"]).tolist() == [1, 0, -1]
    assert items.labels_among(["dog"]).tolist() == [-1, 0, -1]
