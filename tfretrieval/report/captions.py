"""What there is to see in a figure, in words that are worked out from what it shows."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from scipy.spatial import KDTree

from tfretrieval.evaluation.result import Curve

LEVELS = (0.9, 0.5)
MOST_PAIRS = 3
AROUND = 10  # points of a map that count as near


def say_curves(curves: Mapping[str, Curve], chance: float) -> str:
    """The best and the worst class, and whose precision falls first.

    >>> say_curves({"a": (np.array([1.0, 0.2]), np.array([0.5, 1.0]), 0.6)}, 0.1)
    'The AP of a is 0.600; chance is 0.100. Precision falls below 0.9 for good at a recall of 0.50.'
    """
    known = {name: curve for name, curve in curves.items() if not math.isnan(curve[2])}
    if not known:
        return "No class has anything to find."
    ranked = sorted(known, key=lambda name: -known[name][2])
    best, worst = ranked[0], ranked[-1]
    if len(ranked) == 1:
        said = f"The AP of {best} is {known[best][2]:.3f}; chance is {chance:.3f}."
    else:
        said = (
            f"The highest AP is {known[best][2]:.3f} ({best}), the lowest {known[worst][2]:.3f} ({worst}); "
            f"chance is {chance:.3f}."
        )
    return f"{said} {_say_fall(known)}"


def _say_fall(curves: Mapping[str, Curve]) -> str:
    for level in LEVELS:
        until = {name: _holds_until(curve, level) for name, curve in curves.items()}
        if max(until.values()) > 0:
            break
    else:
        return f"No curve reaches a precision of {level:g}."
    order = sorted(until, key=lambda name: until[name])
    first, last = order[0], order[-1]
    if until[first] >= 1:
        return f"No curve falls below a precision of {level:g}."
    if len(order) == 1:
        return f"Precision falls below {level:g} for good at a recall of {until[first]:.2f}."
    where = f"at a recall of {until[first]:.2f}" if until[first] >= 0.005 else "at the very start"
    said = f"Precision falls below {level:g} for good first in {first}, {where}"
    if until[last] >= 1:
        return f"{said}; that of {last} never does."
    return f"{said}, and last in {last}, at a recall of {until[last]:.2f}."


def _holds_until(curve: Curve, level: float) -> float:
    """The greatest recall that is reached with a precision of `level` or more, 0 where there is none."""
    precision, recall, _ = curve
    return float(np.max(recall, where=np.asarray(precision) >= level, initial=0.0))


def say_confusion(counts: np.ndarray, class_names: Sequence[str]) -> str:
    """How many nearest neighbors are right, and which classes are taken for which most often.

    Args:
        counts: int [c, c], row = true class, column = class of the nearest neighbor.
        class_names: the c names.

    >>> say_confusion(np.array([[3, 1], [0, 4]]), ["a", "b"])
    '7 of 8 nearest neighbors are of the right class. Most often confused: a with a nearest b (1 of 4 queries).'
    """
    counts = np.asarray(counts)
    right, total = int(np.trace(counts)), int(counts.sum())
    said = f"{right:,} of {total:,} nearest neighbors are of the right class."
    wrong = counts * (1 - np.eye(len(counts), dtype=counts.dtype))
    order = [divmod(int(cell), len(counts)) for cell in np.argsort(-wrong, axis=None, kind="stable")[:MOST_PAIRS]]
    pairs = [
        f"{class_names[row]} with a nearest {class_names[column]} "
        f"({wrong[row, column]:,} of {counts[row].sum():,} queries)"
        for row, column in order
        if wrong[row, column]
    ]
    return f"{said} Most often confused: {'; '.join(pairs)}." if pairs else said


def say_history(history: Sequence[Mapping[str, float]]) -> str:
    """Where training came from and went to, which epoch was best, and whether it was still getting better."""
    if not history:
        return ""
    losses = [row["loss"] for row in history if "loss" in row]
    said = []
    if len(losses) > 1:
        verb = "fell" if losses[-1] < losses[0] else "rose" if losses[-1] > losses[0] else "went"
        said.append(f"The training loss {verb} from {losses[0]:.3f} to {losses[-1]:.3f} in {len(losses)} epochs.")
    scores = [row.get("val_map", math.nan) for row in history]
    if np.isfinite(scores).any():
        best = int(np.nanargmax(scores))
        said.append(
            f"The validation mAP is best after epoch {history[best].get('epoch', best + 1):g}, {scores[best]:.3f}."
        )
        if len(history) > 1 and best == len(history) - 1:
            said.append("That is the last one: with more epochs it may still get better.")
    return " ".join(said)


def say_map(points: np.ndarray, labels: np.ndarray, class_names: Sequence[str]) -> str:
    """How far classes keep apart in a map, and which mix most.

    Args:
        points: float [n, 2].
        labels: int [n], an index into `class_names`, or -1 where the class is not known.
        class_names: the c names.
    """
    known = labels >= 0
    points, labels = points[known], labels[known]
    present = np.unique(labels)
    if len(points) < 3 or len(present) < 2:
        return ""
    k = min(AROUND, len(points) - 1)
    rows = KDTree(points).query(points, k=k + 1)[1]
    near = [[row for row in found if row != i][:k] for i, found in enumerate(rows)]
    around = labels[np.array(near)]
    same = (around == labels[:, None]).mean(axis=1)
    share = {int(label): float(same[labels == label].mean()) for label in present}
    best, worst = max(share, key=lambda label: share[label]), min(share, key=lambda label: share[label])
    said = f"Of the {k} points nearest to a point, {same.mean():.0%} are of its class"
    if share[best] == share[worst]:
        return f"{said}, alike in every class."
    said += f": most for {class_names[best]} ({share[best]:.0%}), least for {class_names[worst]} ({share[worst]:.0%}"
    others = Counter(int(label) for label in around[labels == worst].ravel() if label != worst)
    return f"{said}, mixed most with {class_names[others.most_common(1)[0][0]]})."


def say_found(rows: Sequence[tuple[str, Sequence[str]]]) -> str:
    """How many of the found images are right, and what was most often found instead.

    Args:
        rows: class of the query and classes of what was found for it; "" where one is not known.

    >>> say_found([("a", ["a", "b", "b"]), ("b", ["b"])])
    '2 of the 4 images found are of the right class; most often found instead: b for a (2 times).'
    """
    judged = [(asked, found) for asked, row in rows for found in row if asked and found]
    if not judged:
        return ""
    right = sum(asked == found for asked, found in judged)
    said = f"{right} of the {len(judged)} images found are of the right class"
    wrong = Counter((asked, found) for asked, found in judged if asked != found)
    if not wrong:
        return f"{said}."
    (asked, found), count = wrong.most_common(1)[0]
    if count == 1:
        return f"{said}; found instead: {', '.join(f'{b} for {a}' for a, b in list(wrong)[:MOST_PAIRS])}."
    return f"{said}; most often found instead: {found} for {asked} ({count} times)."


def say_best(values: Mapping[str, tuple[float, float, float]], metric: str) -> str:
    """Which of several things is best, by how much, and whether their intervals leave that open.

    Args:
        values: name -> (value, low, high), the ends of its 95 % interval.
        metric: how the value is written.

    >>> say_best({"a": (0.9, 0.88, 0.92), "b": (0.8, 0.78, 0.82)}, "mAP")
    'The highest mAP is 0.900, by a, 0.100 above b; their 95 % intervals do not overlap.'
    """
    ranked = sorted(values, key=lambda name: -values[name][0])
    value, low, _ = values[ranked[0]]
    said = f"The highest {metric} is {value:.3f}, by {ranked[0]}"
    if len(ranked) == 1:
        return f"{said}."
    second, _, high = values[ranked[1]]
    how = "overlap, so that the order may be chance" if high >= low else "do not overlap"
    return f"{said}, {value - second:.3f} above {ranked[1]}; their 95 % intervals {how}."
