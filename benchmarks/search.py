"""Overhead of a search by `FaissRetriever` over calling the same FAISS index directly.

Batches of 2,000 queries, 10 neighbors, 128 dimensions, Gaussian clusters. For exact indexes the overhead includes
recomputing the distances of the neighbors by difference and ordering equally near ones by row.
"""

from __future__ import annotations

import argparse
import statistics

import faiss
import numpy as np
from results import publish
from synthetic_vectors import gaussian_clusters
from timing import spread, time_interleaved

from tfretrieval.retrieval.faiss import FaissRetriever

D, C, STD, K, BATCH = 128, 1000, 0.5, 10, 2000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="tiny sizes, one round, nothing saved")
    parser.add_argument("--vectors", type=int, default=200_000, help="gallery size")
    options = parser.parse_args()
    n, batch, lists, repeats = (5000, 50, 32, 1) if options.quick else (options.vectors, BATCH, 1024, 15)
    gallery, queries = (gaussian_clusters(size, D, C, STD, 0, part)[0] for part, size in enumerate((n, batch)))
    retrievers = {
        "Flat": FaissRetriever("Flat"),
        "Flat, cosine": FaissRetriever("Flat", "cosine"),
        f"IVF{lists},Flat": FaissRetriever(f"IVF{lists},Flat", search={"nprobe": 16}),
        "HNSW32": FaissRetriever("HNSW32", search={"efSearch": 64}),
    }
    rows = [measure(name, retriever, gallery, queries, repeats) for name, retriever in retrievers.items()]
    notes = (
        f"{n:,} vectors of {D} dimensions, batches of {batch:,}, k = {K}; medians of {repeats} rounds, ranges in "
        "parentheses."
    )
    publish("search", "Overhead over FAISS", rows, notes, save=not options.quick)


def measure(
    name: str, retriever: FaissRetriever, gallery: np.ndarray, queries: np.ndarray, repeats: int
) -> dict[str, str]:
    retriever.fit(gallery)
    prepared = queries.copy()
    if retriever.metric == "cosine":
        faiss.normalize_L2(prepared)
    calls = 1 if name.startswith("Flat") else 5  # per round

    def search_retriever() -> None:
        for _ in range(calls):
            retriever.kneighbors(queries, K)

    def search_faiss() -> None:
        for _ in range(calls):
            retriever.index_.search(prepared, K)

    seconds = time_interleaved({"tfretrieval": search_retriever, "faiss": search_faiss}, repeats)
    overhead = statistics.median(a / b for a, b in zip(seconds["tfretrieval"], seconds["faiss"])) - 1
    milliseconds = {side: [1000 * value / calls for value in values] for side, values in seconds.items()}
    return {
        "index": name,
        "tfretrieval, ms/batch": spread(milliseconds["tfretrieval"], 1),
        "FAISS, ms/batch": spread(milliseconds["faiss"], 1),
        "overhead": f"{100 * overhead:+.1f} %",
        "target": "at most +5 %",
        "reached": "yes" if overhead <= 0.05 else "no",
    }


if __name__ == "__main__":
    main()
