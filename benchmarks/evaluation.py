"""What it costs to evaluate, beside a bare search, scikit-learn's AP and pytorch-metric-learning's MAP@R.

At a depth of 1,000, `evaluate` with all its metrics, curves and intervals stands beside the search alone. Of full
rankings it stands beside the average precision of each query from brute-force distances, and beside MAP@R, which
looks at as many neighbors as the largest class has items: an evaluation to that depth knows as much. Vectors are made
up: 128 values, Gaussian clusters.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import faiss
import numpy as np
from made_up import clusters
from peer import Peer
from results import publish
from sklearn.metrics import average_precision_score
from timing import in_turn, spread, times_as_fast

from tfretrieval.embedding.store import Embeddings
from tfretrieval.evaluation import evaluate
from tfretrieval.retrieval.index import Index
from tfretrieval.retrieval.settings import FaissSettings

D, CLASSES, WITHIN, DEPTH = 128, (100, 10), 1.0, 1000
SHARE = 10  # scikit-learn's side is measured on every tenth query, its seconds are ten times as many
PML = ("torch==2.13.0", "pytorch-metric-learning", "faiss-cpu")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="tiny sizes, one repeat, no peer to install, nothing kept")
    quick = parser.parse_args().quick
    n, q, q_full, depth, repeats = (2000, 60, 40, 100, 1) if quick else (100_000, 10_000, 2000, DEPTH, 3)

    rows = [beside_search(n, q, depth, CLASSES[0], repeats)]
    for c in CLASSES:
        rows += beside_peers(n, q_full, c, repeats, quick)
    rows += [memory(n, q, depth), memory(n, q_full, 0)]
    notes = (
        f"{n:,} gallery vectors of {D} values; medians of {repeats} rounds (and their range), a ratio is the median "
        f"over rounds; scikit-learn's seconds are {SHARE} times those of every {SHARE}th query; memory is the growth "
        "of a new process after its imports."
    )
    publish("evaluation", "Evaluation beside a bare search and beside peers", rows, notes, keep=not quick)


def store(n: int, c: int, part: int) -> Embeddings:
    vectors, labels = clusters(n, D, c, WITHIN, seed=0, part=part)
    return Embeddings.from_arrays(vectors, labels, [str(i) for i in range(c)], [f"{part}-{i}" for i in range(n)])


def beside_search(n: int, q: int, depth: int, c: int, repeats: int) -> dict[str, str]:
    gallery, queries = store(n, c, 0), store(q, c, 1)
    bare = faiss.IndexFlatL2(D)
    bare.add(gallery.vectors)
    index = Index.build(gallery, FaissSettings(metric="euclidean"))
    seconds = in_turn(
        {
            "ours": lambda: evaluate(index, queries, depth=depth),
            "bare": lambda: bare.search(queries.vectors, depth),
        },
        repeats,
    )
    ratio = statistics.median(a / b for a, b in zip(seconds["ours"], seconds["bare"]))
    return row(
        f"{q:,} queries, {c} classes, depth {depth:,}", "IndexFlatL2.search alone", seconds["ours"], seconds["bare"],
        f"takes {ratio:.2f} times as long", "at most 1.5",
    )  # fmt: skip


def beside_peers(n: int, q: int, c: int, repeats: int, quick: bool) -> list[dict[str, str]]:
    gallery, queries = store(n, c, 0), store(q, c, 1)
    index = Index.build(gallery, FaissSettings(metric="euclidean"))

    def scikit_learn() -> float:
        started = time.perf_counter()
        for vector, label in zip(queries.vectors[::SHARE], queries.items.labels[::SHARE]):
            distances = np.linalg.norm(gallery.vectors - vector, axis=1)
            average_precision_score(gallery.items.labels == label, -distances)
        return SHARE * (time.perf_counter() - started)

    deepest = int(np.bincount(gallery.items.labels).max())
    sides = {
        "full rankings": lambda: evaluate(index, queries),
        f"depth {deepest:,}, the largest class": lambda: evaluate(index, queries, depth=deepest),
        "scikit-learn AP": scikit_learn,
    }
    ours, enough = list(sides)[:2]
    beside = [(ours, "scikit-learn AP")]
    peers = []
    with tempfile.TemporaryDirectory() as folder:
        if not quick:
            peers = [Peer("map_at_r.py", str(saved(folder, queries, gallery)), requirements=PML)]
            sides["pytorch-metric-learning MAP@R"] = lambda: peers[0].seconds("map_at_r")
            beside += [(ours, "pytorch-metric-learning MAP@R"), (enough, "pytorch-metric-learning MAP@R")]
            sides[ours](), sides[enough](), peers[0].ask("warm up")
        seconds = in_turn(sides, repeats, warm_ups=0)
    for peer in peers:
        peer.close()
    found = []
    for mine, name in beside:
        ratio = times_as_fast(seconds[mine], seconds[name])
        what = f"{q:,} queries, {c} classes, {mine}"
        found.append(row(what, name, seconds[mine], seconds[name], f"{ratio:.1f} times as fast", "at least 3"))
    return found


def memory(n: int, q: int, depth: int) -> dict[str, str]:
    with tempfile.TemporaryDirectory() as folder:
        peer = Peer("peak_memory.py", str(saved(folder, store(q, CLASSES[0], 1), store(n, CLASSES[0], 0))))
        found = peer.ask(str(depth))
        peer.close()
    above = (found["bytes"] - found["vectors"]) / 1e6
    what = f"depth {depth:,}" if depth else "full rankings"
    return row(
        f"{q:,} queries, {CLASSES[0]} classes, {what}", "memory of the vectors", [found["seconds"]], None,
        f"{above:.0f} MB above them at the peak", "at most 500 MB",
    )  # fmt: skip


def saved(folder: str, queries: Embeddings, gallery: Embeddings) -> Path:
    path = Path(folder) / "vectors.npz"
    labels = {"query_labels": queries.items.labels, "gallery_labels": gallery.items.labels}
    np.savez(path, queries=queries.vectors, gallery=gallery.vectors, **labels)
    return path


def row(what: str, peer: str, seconds: list[float], theirs: list[float] | None, found: str, bar: str) -> dict[str, str]:
    return {
        "evaluate": what, "seconds": spread(seconds, 2), "beside": peer,
        "its seconds": spread(theirs, 2) if theirs else "", "found": found, "bar": bar,
    }  # fmt: skip


if __name__ == "__main__":
    main()
