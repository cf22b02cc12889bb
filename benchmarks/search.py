"""What a search through tfretrieval costs over calling the same FAISS index directly.

Batches of 2,000 queries, 10 neighbors each, 128 values, Gaussian clusters. For the exact index this includes the
distances by difference and the order by row of equally near items.
"""

from __future__ import annotations

import argparse
import statistics

import faiss
import numpy as np
from made_up import clusters
from results import publish
from timing import in_turn, spread

from tfretrieval.retrieval.faiss import FaissRetriever

D, C, WITHIN, K, BATCH = 128, 1000, 0.5, 10, 2000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="tiny sizes, one repeat, nothing kept")
    parser.add_argument("--vectors", type=int, default=200_000, help="of the gallery")
    arguments = parser.parse_args()
    n, batch, repeats = (5000, 50, 1) if arguments.quick else (arguments.vectors, BATCH, 15)
    lists = 32 if arguments.quick else 1024

    gallery, queries = (clusters(size, D, C, WITHIN, 0, part)[0] for part, size in enumerate((n, batch)))
    kinds = {
        "Flat": {"factory": "Flat"},
        "Flat, cosine": {"factory": "Flat", "metric": "cosine"},
        f"IVF{lists},Flat": {"factory": f"IVF{lists},Flat", "search": {"nprobe": 16}},
        "HNSW32": {"factory": "HNSW32", "search": {"efSearch": 64}},
    }
    rows = [measured(name, gallery, queries, repeats, **options) for name, options in kinds.items()]
    notes = (
        f"{n:,} vectors of {D} values, batches of {batch:,}, k = {K}; medians of {repeats} rounds (and their range)."
    )
    publish("search", "A search through tfretrieval beside FAISS called directly", rows, notes, not arguments.quick)


def measured(name: str, gallery: np.ndarray, queries: np.ndarray, repeats: int, **options: object) -> dict[str, str]:
    retriever = FaissRetriever(**options).fit(gallery)
    asked = queries.copy()
    if retriever.metric == "cosine":
        faiss.normalize_L2(asked)
    calls = 1 if name.startswith("Flat") else 5

    def ours() -> None:
        for _ in range(calls):
            retriever.kneighbors(queries, K)

    def directly() -> None:
        for _ in range(calls):
            retriever.index_.search(asked, K)

    seconds = in_turn({"ours": ours, "faiss": directly}, repeats)
    cost = statistics.median(a / b for a, b in zip(seconds["ours"], seconds["faiss"])) - 1
    per_call = {side: [1000 * value / calls for value in values] for side, values in seconds.items()}
    return {
        "index": name, "tfretrieval, ms a batch": spread(per_call["ours"], 1),
        "faiss, ms a batch": spread(per_call["faiss"], 1), "costs more": f"{100 * cost:+.1f} %", "bar": "at most +5 %",
    }  # fmt: skip


if __name__ == "__main__":
    main()
