"""`evaluate` compared with a bare FAISS search, scikit-learn's average precision and pytorch-metric-learning's MAP@R.

To a depth of 1,000, `evaluate` with all its metrics, curves and intervals is compared with the search alone. On whole
rankings it is compared with the average precision of each query from brute-force distances, and with MAP@R, which needs
as many neighbors as the largest class has items; an evaluation to that depth uses the same information. Vectors are
synthetic: 128 dimensions, Gaussian clusters.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import faiss
import numpy as np
from peer import Peer
from results import publish
from sklearn.metrics import average_precision_score
from synthetic_vectors import gaussian_clusters
from timing import speedup, spread, time_interleaved

from tfretrieval.embedding.store import Embeddings
from tfretrieval.evaluation import evaluate
from tfretrieval.retrieval.index import Index
from tfretrieval.retrieval.settings import FaissSettings

D, CLASSES, STD, DEPTH = 128, (100, 10), 1.0, 1000
STEP = 10  # scikit-learn evaluates every tenth query, and its time is multiplied by ten
PML = ("torch==2.13.0", "pytorch-metric-learning", "faiss-cpu")
PML_NAME = "pytorch-metric-learning MAP@R"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="tiny sizes, one round, nothing installed or saved")
    quick = parser.parse_args().quick
    n, q, q_whole, depth, repeats = (2000, 60, 40, 100, 1) if quick else (100_000, 10_000, 2000, DEPTH, 3)

    rows = [compare_with_search(n, q, depth, CLASSES[0], repeats)]
    for c in CLASSES:
        rows += compare_with_peers(n, q_whole, c, repeats, quick)
    rows += [peak_memory(n, q, depth), peak_memory(n, q_whole, 0)]
    notes = (
        f"Gallery of {n:,} vectors of {D} dimensions; medians of {repeats} rounds, ranges in parentheses; ratios are "
        f"medians over rounds. The time of scikit-learn is {STEP} times that of every {STEP}th query. Memory is the "
        "growth of a new process after its imports."
    )
    publish("evaluation", "Evaluation", rows, notes, save=not quick)


def synthetic_embeddings(n: int, c: int, part: int) -> Embeddings:
    vectors, labels = gaussian_clusters(n, D, c, STD, seed=0, part=part)
    return Embeddings.from_arrays(vectors, labels, [str(i) for i in range(c)], [f"{part}-{i}" for i in range(n)])


def compare_with_search(n: int, q: int, depth: int, c: int, repeats: int) -> dict[str, str]:
    gallery, queries = synthetic_embeddings(n, c, 0), synthetic_embeddings(q, c, 1)
    flat = faiss.IndexFlatL2(D)
    flat.add(gallery.vectors)
    index = Index.build(gallery, FaissSettings(metric="euclidean"))
    seconds = time_interleaved(
        {
            "evaluate": lambda: evaluate(index, queries, depth=depth),
            "search": lambda: flat.search(queries.vectors, depth),
        },
        repeats,
    )
    ratio = statistics.median(a / b for a, b in zip(seconds["evaluate"], seconds["search"]))
    return row(
        f"{q:,} queries, {c} classes, depth {depth:,}", seconds["evaluate"], "IndexFlatL2.search", seconds["search"],
        f"takes {ratio:.2f} times as long", "at most 1.5", ratio <= 1.5,
    )  # fmt: skip


def compare_with_peers(n: int, q: int, c: int, repeats: int, quick: bool) -> list[dict[str, str]]:
    gallery, queries = synthetic_embeddings(n, c, 0), synthetic_embeddings(q, c, 1)
    index = Index.build(gallery, FaissSettings(metric="euclidean"))

    def scikit_learn() -> float:
        started = time.perf_counter()
        for vector, label in zip(queries.vectors[::STEP], queries.items.labels[::STEP]):
            distances = np.linalg.norm(gallery.vectors - vector, axis=1)
            average_precision_score(gallery.items.labels == label, -distances)
        return STEP * (time.perf_counter() - started)

    largest_class = int(np.bincount(gallery.items.labels).max())
    whole, cut = "full rankings", f"depth {largest_class:,} (largest class)"
    sides = {
        whole: lambda: evaluate(index, queries),
        cut: lambda: evaluate(index, queries, depth=largest_class),
        "scikit-learn AP": scikit_learn,
    }
    comparisons = [(whole, "scikit-learn AP")]
    peers = []
    with tempfile.TemporaryDirectory() as directory:
        if not quick:
            peers = [Peer("map_at_r.py", str(save_vectors(directory, queries, gallery)), requirements=PML)]
            sides[PML_NAME] = lambda: peers[0].seconds("map_at_r")
            comparisons += [(whole, PML_NAME), (cut, PML_NAME)]
            sides[whole](), sides[cut](), peers[0].request("warm up")
        seconds = time_interleaved(sides, repeats, warm_ups=0)
    for peer in peers:
        peer.close()
    rows = []
    for side, baseline in comparisons:
        ratio = speedup(seconds[side], seconds[baseline])
        evaluation, result = f"{q:,} queries, {c} classes, {side}", f"{ratio:.1f} times as fast"
        rows.append(row(evaluation, seconds[side], baseline, seconds[baseline], result, "at least 3", ratio >= 3))
    return rows


def peak_memory(n: int, q: int, depth: int) -> dict[str, str]:
    """Peak memory of an evaluation in a new process; depth 0 for full rankings."""
    c = CLASSES[0]
    with tempfile.TemporaryDirectory() as directory:
        vectors = save_vectors(directory, synthetic_embeddings(q, c, 1), synthetic_embeddings(n, c, 0))
        peer = Peer("peak_memory.py", str(vectors))
        measured = peer.request(str(depth))
        peer.close()
    megabytes = (measured["bytes"] - measured["vectors"]) / 1e6
    what = f"depth {depth:,}" if depth else "full rankings"
    return row(
        f"{q:,} queries, {c} classes, {what}", [measured["seconds"]], "memory of the vectors", None,
        f"{megabytes:.0f} MB more at the peak", "at most 500 MB", megabytes <= 500,
    )  # fmt: skip


def save_vectors(directory: str, queries: Embeddings, gallery: Embeddings) -> Path:
    path = Path(directory) / "vectors.npz"
    labels = {"query_labels": queries.items.labels, "gallery_labels": gallery.items.labels}
    np.savez(path, queries=queries.vectors, gallery=gallery.vectors, **labels)
    return path


def row(
    evaluation: str,
    seconds: list[float],
    baseline: str,
    baseline_seconds: list[float] | None,
    result: str,
    target: str,
    reached: bool,
) -> dict[str, str]:
    return {
        "evaluation": evaluation,
        "seconds": spread(seconds, 2),
        "baseline": baseline,
        "baseline, seconds": spread(baseline_seconds, 2) if baseline_seconds else "",
        "result": result,
        "target": target,
        "reached": "yes" if reached else "no",
    }


if __name__ == "__main__":
    main()
