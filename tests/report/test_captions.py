"""The words are worked out from the figures: other figures, other words."""

import numpy as np

from tfretrieval.report.captions import say_best, say_confusion, say_curves, say_found, say_history, say_map


def curve(precision, recall, ap):
    return np.array(precision), np.array(recall), ap


def test_the_curve_that_drops_first_is_named_with_its_recall():
    curves = {
        "coast": curve([1, 0.95, 0.5], [0.1, 0.8, 1], 0.9),
        "forest": curve([1, 0.8, 0.3], [0.1, 0.8, 1], 0.7),
    }
    said = say_curves(curves, 0.125)
    assert "highest AP is 0.900 (coast), the lowest 0.700 (forest); chance is 0.125" in said
    assert "below 0.9 for good first in forest, at a recall of 0.10, and last in coast, at a recall of 0.80" in said


def test_a_curve_that_recovers_has_not_fallen_for_good():
    said = say_curves({"a": curve([0.0, 0.95, 0.4], [0.0, 0.6, 1], 0.8)}, 0.1)
    assert "at a recall of 0.60" in said


def test_a_curve_that_is_low_from_its_first_point():
    curves = {"a": curve([0.5, 0.4], [0.1, 1], 0.4), "b": curve([1, 0.4], [0.3, 1], 0.6)}
    assert "first in a, at the very start, and last in b, at a recall of 0.30" in say_curves(curves, 0.1)


def test_curves_that_never_fall_and_curves_that_never_reach():
    assert "No curve falls below a precision of 0.9" in say_curves({"a": curve([1, 1], [0.5, 1], 1.0)}, 0.1)
    both = {"a": curve([1, 1], [0.5, 1], 1.0), "b": curve([1, 0.5], [0.5, 1], 0.7)}
    assert "first in b, at a recall of 0.50; that of a never does" in say_curves(both, 0.1)
    assert "No curve reaches a precision of 0.5" in say_curves({"a": curve([0.2], [1.0], 0.2)}, 0.1)
    assert "below 0.5 for good at a recall of 0.40" in say_curves({"a": curve([0.6, 0.2], [0.4, 1.0], 0.3)}, 0.1)
    assert say_curves({"a": curve([0.0], [0.0], np.nan)}, 0.1) == "No class has anything to find."


def test_the_most_frequent_confusions_come_first():
    counts = np.array([[5, 3, 0, 0], [1, 9, 0, 0], [0, 4, 6, 2], [0, 0, 0, 1]])
    said = say_confusion(counts, ["a", "b", "c", "d"])
    assert said.startswith("21 of 31 nearest")
    order = [
        said.index(text) for text in ("c with a nearest b (4 of 12", "a with a nearest b (3 of 8", "c with a nearest d")
    ]
    assert order == sorted(order)
    assert "b with a nearest a" not in said, "three are enough"


def test_nothing_confused_nothing_said_of_it():
    assert say_confusion(np.eye(3, dtype=int), "abc") == "3 of 3 nearest neighbors are of the right class."


def test_a_training_that_still_gets_better_is_told_from_one_that_does_not():
    rows = [{"epoch": 1, "loss": 1.0, "val_map": 0.2}, {"epoch": 2, "loss": 0.5, "val_map": 0.6}]
    assert "fell from 1.000 to 0.500 in 2 epochs" in say_history(rows)
    assert "more epochs" in say_history(rows)
    rows.append({"epoch": 3, "loss": 0.6, "val_map": 0.4})
    assert "best after epoch 2, 0.600" in say_history(rows)
    assert "more epochs" not in say_history(rows)
    assert "rose" in say_history([{"loss": 0.1}, {"loss": 0.2}])
    assert say_history([]) == ""


def test_a_map_says_which_classes_mix():
    rng = np.random.default_rng(0)
    points = np.concatenate([rng.normal(size=(40, 2)) + at for at in ((0, 0), (50, 0), (50, 0.1))])
    labels = np.repeat([0, 1, 2], 40)
    said = say_map(points, labels, ["alone", "one", "other"])
    assert "most for alone (100%)" in said
    assert "mixed most with one)" in said or "mixed most with other)" in said
    assert "alike in every class" in say_map(points[:80], labels[:80], ["alone", "one", "other"])


def test_a_point_is_not_near_itself_even_where_points_coincide():
    for points in (np.zeros((4, 2)), np.arange(8.0).reshape(4, 2)):
        said = say_map(points, np.array([0, 0, 1, 1]), ["a", "b"])
        assert said == "Of the 3 points nearest to a point, 33% are of its class, alike in every class."
    assert say_map(np.zeros((2, 2)), np.array([0, 1]), ["a", "b"]) == ""


def test_what_was_found_instead_is_counted_and_unknown_classes_are_not_judged():
    said = say_found([("a", ["b", "a", ""]), ("", ["a"]), ("c", ["b"])])
    assert said == "1 of the 3 images found are of the right class; found instead: b for a, b for c."
    assert say_found([("a", ["a"])]) == "1 of the 1 images found are of the right class."
    assert say_found([("", ["a"])]) == ""


def test_overlapping_intervals_leave_the_order_open():
    assert "do not overlap" in say_best({"a": (0.9, 0.88, 0.92), "b": (0.8, 0.7, 0.87)}, "mAP")
    said = say_best({"b": (0.8, 0.7, 0.89), "a": (0.9, 0.88, 0.92)}, "mAP")
    assert "by a, 0.100 above b; their 95 % intervals overlap" in said
    assert say_best({"a": (0.9, 0.8, 1.0)}, "mAP") == "The highest mAP is 0.900, by a."
