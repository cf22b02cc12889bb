"""The index chosen for a recall@10 of 0.95: its recall on new queries, and its speed compared with exact search.

Vectors are synthetic, 128 dimensions: once 5,000 Gaussian clusters (centers of variance 1, standard deviation 0.35
within), and once unclustered, where no index can do better than exact search. Batches of 2,000 queries of the same
distribution.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time

import numpy as np
from results import as_text, publish
from synthetic_vectors import gaussian_clusters
from timing import speedup, spread, time_interleaved

from tfretrieval.retrieval.faiss import FaissRetriever
from tfretrieval.retrieval.recall import is_true_neighbor, true_neighbors
from tfretrieval.retrieval.transformed import TransformedVectors
from tfretrieval.retrieval.tuning import Tuning, tune

D, C, STD, K, BATCH, TARGET, MIN_SPEEDUP = 128, 5000, 0.35, 10, 2000, 0.95, 40


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="tiny sizes, one round, nothing saved")
    parser.add_argument("--vectors", type=int, default=1_000_000, help="size of the clustered gallery")
    options = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(asctime)s %(message)s")
    logging.getLogger("tfretrieval").setLevel(logging.INFO)
    galleries = {
        f"{C:,} clusters": (options.vectors, C, STD, MIN_SPEEDUP),
        "unclustered": (min(100_000, options.vectors), 1, 1.0, 0),
    }
    if options.quick:
        galleries = {"20 clusters": (4000, 20, STD, 0)}
    repeats = 1 if options.quick else 5
    rows = [measure(name, *gallery, repeats=repeats) for name, gallery in galleries.items()]
    notes = f"{D} dimensions, k = {K}, batches of {BATCH:,}; medians of {repeats} rounds, ranges in parentheses."
    publish("target_recall", f"Index chosen for a recall@{K} of {TARGET}", rows, notes, save=not options.quick)


def measure(name: str, n: int, c: int, std: float, min_speedup: float, repeats: int) -> dict[str, str]:
    gallery, queries = (gaussian_clusters(size, D, c, std, 0, part)[0] for part, size in enumerate((n, BATCH)))
    started = time.perf_counter()
    tuning = tune(gallery, TARGET, k=K)
    tuning_seconds = time.perf_counter() - started
    print_trials(tuning)
    chosen = FaissRetriever(tuning.chosen.factory, search=tuning.chosen.search or None).fit(gallery)
    flat = FaissRetriever().fit(gallery)
    vectors = TransformedVectors(gallery)
    kth_distances = true_neighbors(vectors, queries, K).distances[:, -1:]
    recall = float(is_true_neighbor(vectors, queries, chosen.kneighbors(queries, K)[1], kth_distances).mean())
    seconds = time_interleaved(
        {"chosen": lambda: chosen.kneighbors(queries, K), "Flat": lambda: flat.kneighbors(queries, K)}, repeats
    )
    ratio = speedup(seconds["chosen"], seconds["Flat"])
    rates = {side: [len(queries) / value for value in values] for side, values in seconds.items()}
    row = {
        "gallery": f"{n:,}, {name}",
        "chosen": " ".join([tuning.chosen.factory, *(f"{k}={v:g}" for k, v in tuning.chosen.search.items())]),
        "tuning, s": f"{tuning_seconds:.0f}",
        "recall on new queries": f"{recall:.4f}",
        "queries/s": spread(rates["chosen"], 0),
        "Flat, queries/s": spread(rates["Flat"], 0),
        "speedup": f"{ratio:.1f}",
        "target": f"recall {TARGET}" + (f", {min_speedup} times as fast" if min_speedup else ""),
        "reached": "yes" if recall >= TARGET and ratio >= min_speedup else "no",
    }
    print(as_text([row]) + "\n", flush=True)
    return row


def print_trials(tuning: Tuning) -> None:
    rows = [
        {
            "index": trial.factory,
            "parameters": " ".join(f"{name}={value:g}" for name, value in trial.search.items()),
            "recall": f"{trial.recall:.4f}",
            "queries/s": f"{trial.queries_per_second or np.nan:.0f}",
            "bytes/vector": f"{trial.bytes_per_vector:.0f}",
        }
        for trial in tuning.table
    ]
    print(as_text(rows) + "\n", flush=True)


if __name__ == "__main__":
    main()
