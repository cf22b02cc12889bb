"""Captions are computed from the plotted values."""

from types import SimpleNamespace

import numpy as np
import pytest

from tfretrieval.report.captions import (
    comparison_caption,
    confusion_caption,
    curves_caption,
    history_caption,
    map_caption,
    neighbors_caption,
)
from tfretrieval.visualize.neighbors import ImageRow, LabeledImage


def row(query, *neighbors):
    """A query and its neighbors, by class."""
    roles = ["unknown" if not (query and label) else "correct" if label == query else "wrong" for label in neighbors]
    images = [LabeledImage(np.zeros((1, 1, 3), np.uint8), label, "", role) for label, role in zip(neighbors, roles)]
    return ImageRow([LabeledImage(np.zeros((1, 1, 3), np.uint8), query, "", "query"), *images])


def curve(precision, recall, ap):
    return np.array(precision), np.array(recall), ap


def test_curves_name_the_best_and_worst_class_and_where_precision_drops():
    curves = {
        "coast": curve([1, 0.95, 0.5], [0.1, 0.8, 1], 0.9),
        "forest": curve([1, 0.8, 0.3], [0.1, 0.8, 1], 0.7),
    }
    caption = curves_caption(curves, 0.125)
    assert "0.900 (coast)" in caption
    assert "0.700 (forest); chance 0.125" in caption
    assert "recall 0.10 (forest, the lowest) to 0.80 (coast, the highest)" in caption


def test_the_last_recall_at_a_precision_counts():
    assert "recall 0.60" in curves_caption({"a": curve([0.0, 0.95, 0.4], [0.0, 0.6, 1], 0.8)}, 0.1)


@pytest.mark.parametrize(
    ("curves", "text"),
    [
        ({"a": curve([1, 1], [0.5, 1], 1.0)}, "All curves stay at a precision of 0.9"),
        ({"a": curve([0.2], [1.0], 0.2)}, "No curve reaches a precision of 0.5"),
        ({"a": curve([0.6, 0.2], [0.4, 1.0], 0.3)}, "at 0.5 or above up to recall 0.40"),
        ({"a": curve([0.0], [0.0], np.nan)}, "No class has relevant items"),
    ],
)
def test_curves_above_and_below_the_precision_levels(curves, text):
    assert text in curves_caption(curves, 0.1)


def test_the_most_frequent_confusions_are_listed_with_shares_of_the_row():
    counts = np.array([[5, 3, 0, 0], [1, 9, 0, 0], [0, 4, 6, 2], [0, 0, 0, 1]])
    caption = confusion_caption(counts, ["a", "b", "c", "d"])
    assert caption.startswith("21 of 31 ")
    pairs = ["c as b (4 of 12 queries of c, 33.3 %)", "a as b (3 of 8 queries of a, 37.5 %)", "c as d (2 of 12"]
    positions = [caption.index(pair) for pair in pairs]
    assert positions == sorted(positions)
    assert "b as a" not in caption


def test_a_confusion_without_errors_lists_none():
    assert "confused" not in confusion_caption(np.eye(3, dtype=int), "abc")


def test_a_history_whose_last_epoch_is_the_best_suggests_more_epochs():
    rows = [{"epoch": 1, "loss": 1.0, "val_map": 0.2}, {"epoch": 2, "loss": 0.5, "val_map": 0.6}]
    assert "from 1.000 to 0.500 in 2 epochs" in history_caption(rows, "val_map")
    assert "training longer" in history_caption(rows, "val_map")
    rows.append({"epoch": 3, "loss": 0.6, "val_map": 0.4, "val_precision_at_1": 0.7})
    assert "validation mAP 0.600 after epoch 2" in history_caption(rows, "val_map")
    assert "training longer" not in history_caption(rows, "val_map")
    assert "validation P@1 0.700 after epoch 3" in history_caption(rows, "val_precision_at_1")
    assert history_caption([], "val_map") == ""


def test_a_map_names_the_most_and_least_separated_class():
    rng = np.random.default_rng(0)
    points = np.concatenate([rng.normal(size=(40, 2)) + center for center in ((0, 0), (50, 0), (50, 0.1))])
    labels = np.repeat([0, 1, 2], 40)
    caption = map_caption(points, labels, ["alone", "one", "other"])
    assert "highest for alone (100%)" in caption
    assert "mixed with one)" in caption or "mixed with other)" in caption
    assert "in every class" in map_caption(points[:80], labels[:80], ["alone", "one", "other"])


def test_a_point_is_not_its_own_neighbor_even_where_points_coincide():
    for points in (np.zeros((4, 2)), np.arange(8.0).reshape(4, 2)):
        caption = map_caption(points, np.array([0, 0, 1, 1]), ["a", "b"])
        assert caption.startswith("On average, 33% of the 3 points nearest to a point")
    assert map_caption(np.zeros((2, 2)), np.array([0, 1]), ["a", "b"]) == ""


def test_neighbors_of_unknown_class_are_ignored():
    caption = neighbors_caption([row("a", "b", "a", ""), row("", "a"), row("c", "b")])
    assert caption.startswith("1 of 3 neighbors")
    assert neighbors_caption([row("a", "a")]) == "1 of 1 neighbors have the class of the query."
    assert neighbors_caption([row("", "a")]) == ""


def test_the_most_frequent_error_of_neighbors_is_named():
    caption = neighbors_caption([row("a", "a", "b", "b"), row("b", "b")])
    assert caption == "2 of 4 neighbors have the class of the query. Most frequent error: a as b (2 times)."


def test_a_comparison_states_whether_intervals_overlap():
    def evaluation(value, *interval):
        return SimpleNamespace(provenance={"index": "KNN"}, metrics={"map": value}, intervals={"map": interval})

    first = evaluation(0.9, 0.88, 0.92)
    apart = comparison_caption({"a": {"knn": first}, "b": {"knn": evaluation(0.8, 0.7, 0.87)}})
    assert apart == "Highest mAP: a with KNN, 0.900, 0.100 above b with KNN; the 95 % intervals do not overlap."
    overlapping = comparison_caption({"b": {"knn": evaluation(0.8, 0.7, 0.89)}, "a": {"knn": first}})
    assert overlapping.endswith("0.100 above b with KNN; the 95 % intervals overlap.")
    assert comparison_caption({"a": {"knn": first}}) == "Highest mAP: a with KNN, 0.900."
