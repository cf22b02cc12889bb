"""The index that is chosen for a recall@10 of 0.95: what it reaches on fresh queries, and how fast beside exact search.

Vectors are made up: 128 values, once from 5,000 Gaussian clusters (centres of variance 1, 0.35 within), once
unclustered, where no index can know much. Batches of 2,000 queries from the same source.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time

import numpy as np
from made_up import clusters
from results import as_text, publish
from timing import in_turn, spread, times_as_fast

from tfretrieval.retrieval.faiss import FaissRetriever
from tfretrieval.retrieval.recall import is_true_neighbor, true_neighbors
from tfretrieval.retrieval.transformed import TransformedVectors
from tfretrieval.retrieval.tuning import Tuning, tune

D, C, WITHIN, K, BATCH, TARGET = 128, 5000, 0.35, 10, 2000, 0.95


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="tiny sizes, one repeat, nothing kept")
    parser.add_argument("--vectors", type=int, default=1_000_000, help="of the clustered gallery")
    arguments = parser.parse_args()
    quick = arguments.quick
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(asctime)s %(message)s")
    logging.getLogger("tfretrieval").setLevel(logging.INFO)
    cases = {
        f"{C:,} clusters": (arguments.vectors, C, WITHIN, f"recall {TARGET}, 40 times as fast"),
        "unclustered": (min(100_000, arguments.vectors), 1, 1.0, "says what it reaches"),
    }
    if quick:
        cases = {"20 clusters": (4000, 20, WITHIN, "")}
    rows = [measured(name, *case, repeats=1 if quick else 5) for name, case in cases.items()]
    notes = f"{D} values; k = {K}; batches of {BATCH:,}; medians (and their range). Tuning takes the seconds it says."
    publish("target_recall", f"An index chosen for a recall@{K} of {TARGET}", rows, notes, keep=not quick)


def measured(name: str, n: int, c: int, within: float, bar: str, repeats: int) -> dict[str, str]:
    gallery, queries = (clusters(size, D, c, within, 0, part)[0] for part, size in enumerate((n, BATCH)))
    started = time.perf_counter()
    tuned = tune(gallery, TARGET, k=K)
    tuning = time.perf_counter() - started
    show(tuned)
    chosen = FaissRetriever(tuned.chosen.factory, search=tuned.chosen.search or None).fit(gallery)
    flat = FaissRetriever().fit(gallery)
    vectors = TransformedVectors(gallery)
    limits = true_neighbors(vectors, queries, K).distances[:, -1:]
    recall = float(is_true_neighbor(vectors, queries, chosen.kneighbors(queries, K)[1], limits).mean())
    seconds = in_turn(
        {"chosen": lambda: chosen.kneighbors(queries, K), "flat": lambda: flat.kneighbors(queries, K)}, repeats
    )
    speeds = {side: [len(queries) / value for value in values] for side, values in seconds.items()}
    row = {
        "gallery": f"{n:,}, {name}",
        "chosen": f"{tuned.chosen.factory} {tuned.chosen.search or ''}".strip(),
        "tuning, s": f"{tuning:.0f}",
        "recall, fresh queries": f"{recall:.4f}",
        "queries/s": spread(speeds["chosen"], 0),
        "Flat, queries/s": spread(speeds["flat"], 0),
        "as fast": f"{times_as_fast(seconds['chosen'], seconds['flat']):.1f} times",
        "bar": bar,
    }
    print(as_text([row]) + "\n", flush=True)
    return row


def show(tuned: Tuning) -> None:
    rows = [
        {
            "index": trial.factory,
            "parameters": " ".join(f"{name}={value:g}" for name, value in trial.search.items()),
            "recall": f"{trial.recall:.4f}",
            "queries/s": f"{trial.queries_per_second or np.nan:.0f}",
            "bytes a vector": f"{trial.bytes_per_vector:.0f}",
        }
        for trial in tuned.table
    ]
    print(as_text(rows) + "\n", flush=True)


if __name__ == "__main__":
    main()
