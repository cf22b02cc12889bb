"""Figure captions, computed from the plotted values."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from scipy.spatial import KDTree

from tfretrieval.evaluation.confusion import confused_pairs, row_fractions
from tfretrieval.evaluation.result import Curve, Evaluation
from tfretrieval.training.history import best_epoch
from tfretrieval.visualize.comparison import short_name
from tfretrieval.visualize.neighbors import ImageRow

PRECISION_LEVELS = (0.9, 0.5)
N_PAIRS = 3
N_NEIGHBORS = 10  # neighbors of a point on a map


def curves_caption(curves: Mapping[str, Curve], chance: float) -> str:
    """Describe the highest and lowest AP, and the classes whose precision drops first and last.

    >>> curves_caption({"a": (np.array([1.0, 0.2]), np.array([0.5, 1.0]), 0.6)}, 0.1)
    'AP of a 0.600; chance 0.100. Precision stays at 0.9 or above up to recall 0.50.'
    """
    known = {name: curve for name, curve in curves.items() if not math.isnan(curve[2])}
    if not known:
        return "No class has relevant items."
    ranked = sorted(known, key=lambda name: -known[name][2])
    best, worst = ranked[0], ranked[-1]
    if len(ranked) == 1:
        ap = f"AP of {best} {known[best][2]:.3f}"
    else:
        ap = f"Highest AP {known[best][2]:.3f} ({best}), lowest {known[worst][2]:.3f} ({worst})"
    return f"{ap}; chance {chance:.3f}. {_describe_drop(known)}"


def _describe_drop(curves: Mapping[str, Curve]) -> str:
    for level in PRECISION_LEVELS:
        last_recall = {name: _last_recall(curve, level) for name, curve in curves.items()}
        if max(last_recall.values()) > 0:
            break
    else:
        return f"No curve reaches a precision of {level:g}."
    first = min(last_recall, key=lambda name: last_recall[name])
    last = max(last_recall, key=lambda name: last_recall[name])
    if last_recall[first] >= 1:
        return f"All curves stay at a precision of {level:g} or above."
    text = f"Precision stays at {level:g} or above up to recall {last_recall[first]:.2f}"
    if len(curves) == 1:
        return f"{text}."
    return f"{text} ({first}, the lowest) to {last_recall[last]:.2f} ({last}, the highest)."


def _last_recall(curve: Curve, level: float) -> float:
    """Highest recall with a precision of at least `level`, 0 if there is none."""
    precision, recall, _ = curve
    return float(np.max(recall, where=np.asarray(precision) >= level, initial=0.0))


def confusion_caption(counts: np.ndarray, class_names: Sequence[str]) -> str:
    """Describe the accuracy of the nearest neighbor and the most frequent confusions, with fractions of the row.

    Args:
        counts: int [c, c], row = true class, column = class of the nearest neighbor.
        class_names: the c names.

    >>> confusion_caption(np.array([[3, 1], [0, 4]]), ["a", "b"])
    '7 of 8 nearest neighbors have the class of the query. Most confused: a as b (1 of 4 queries of a, 25.0 %).'
    """
    n_correct, total = int(np.trace(counts)), int(counts.sum())
    text = f"{n_correct:,} of {total:,} nearest neighbors have the class of the query."
    fractions = row_fractions(counts)
    pairs = [
        f"{class_names[row]} as {class_names[column]} ({counts[row, column]:,} of {counts[row].sum():,} queries of "
        f"{class_names[row]}, {100 * fractions[row, column]:.1f} %)"
        for row, column in confused_pairs(counts, N_PAIRS)
    ]
    return f"{text} Most confused: {'; '.join(pairs)}." if pairs else text


def history_caption(history: list[dict[str, float]], monitor: str) -> str:
    """Describe the course of the training loss and the best epoch, by a metric such as "val_map"."""
    losses = [row["loss"] for row in history if "loss" in row]
    sentences = []
    if len(losses) > 1:
        sentences.append(f"Training loss from {losses[0]:.3f} to {losses[-1]:.3f} in {len(losses)} epochs.")
    best = best_epoch(history, monitor)
    if best and monitor in best:
        name = short_name(monitor.removeprefix("val_"))
        sentences.append(f"Highest validation {name} {best[monitor]:.3f} after epoch {best['epoch']:g}.")
        if len(history) > 1 and best is history[-1]:
            sentences.append("The last epoch is the best: training longer may improve it.")
    return " ".join(sentences)


def map_caption(points: np.ndarray, labels: np.ndarray, class_names: Sequence[str]) -> str:
    """Describe how well a map separates the classes, by the classes of the nearest points.

    Args:
        points: float [n, 2].
        labels: int [n], index into `class_names`, or -1 where the class is unknown.
        class_names: the c names.
    """
    points, labels = points[labels >= 0], labels[labels >= 0]
    present = np.unique(labels)
    if len(points) < 3 or len(present) < 2:
        return ""
    k = min(N_NEIGHBORS, len(points) - 1)
    rows = KDTree(points).query(points, k=k + 1)[1]
    neighbor_labels = labels[np.array([[row for row in near if row != i][:k] for i, near in enumerate(rows)])]
    is_same = (neighbor_labels == labels[:, None]).mean(axis=1)
    fractions = {int(label): float(is_same[labels == label].mean()) for label in present}
    best, worst = max(fractions, key=lambda label: fractions[label]), min(fractions, key=lambda label: fractions[label])
    text = f"On average, {is_same.mean():.0%} of the {k} points nearest to a point have its class"
    if fractions[best] == fractions[worst]:
        return f"{text}, in every class."
    others = Counter(neighbor_labels[labels == worst].ravel().tolist())
    del others[worst]
    return (
        f"{text}: highest for {class_names[best]} ({fractions[best]:.0%}), lowest for {class_names[worst]} "
        f"({fractions[worst]:.0%}, mixed with {class_names[others.most_common(1)[0][0]]})."
    )


def neighbors_caption(rows: Sequence[ImageRow]) -> str:
    """Describe how many neighbors have the query's class, and the most frequent confusion.

    Args:
        rows: queries with their neighbors.
    """
    roles = Counter(image.role for row in rows for image in row.images)
    n = roles["correct"] + roles["wrong"]
    if not n:
        return ""
    text = f"{roles['correct']} of {n} neighbors have the class of the query."
    errors = Counter((row.images[0].label, i.label) for row in rows for i in row.images if i.role == "wrong")
    if not errors:
        return text
    (query, neighbor), count = errors.most_common(1)[0]
    return f"{text} Most frequent error: {query} as {neighbor} ({count} time{'s' if count > 1 else ''})."


def comparison_caption(results: Mapping[str, Mapping[str, Evaluation]]) -> str:
    """Describe the highest mAP, its lead, and whether the 95 % intervals overlap.

    Args:
        results: model -> index name -> evaluation, whose provenance describes the `index`.
    """
    named = [(f"{model} with {e.provenance['index']}", e) for model, part in results.items() for e in part.values()]
    (name, best), *others = sorted(named, key=lambda pair: -pair[1].metrics["map"])
    text = f"Highest mAP: {name}, {best.metrics['map']:.3f}"
    if not others:
        return f"{text}."
    second_name, second = others[0]
    difference = best.metrics["map"] - second.metrics["map"]
    lead = f"{difference:.3f} above" if difference >= 0.0005 else "as high as that of"
    verb = "overlap" if second.intervals["map"][1] >= best.intervals["map"][0] else "do not overlap"
    return f"{text}, {lead} {second_name}; the 95 % intervals {verb}."
