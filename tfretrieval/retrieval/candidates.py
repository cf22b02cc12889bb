"""The FAISS indexes that tuning tries for a gallery, and the memory they take."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import faiss

MAX_GRAPH_ITEMS = 200_000
MIN_POINTS_PER_CENTROID = 39
MIN_EF, MAX_EF = 16, 1024
REFINE_FACTOR = 16
LINK_BYTES = 4


@dataclass(frozen=True)
class Candidate:
    """An index with one search parameter that trades speed for recall.

    Attributes:
        factory: factory string.
        parameter: name of the search parameter.
        smallest: the fastest value of it.
        largest: the largest value that makes sense.
        fixed: further search parameters, which stay the same.
    """

    factory: str
    parameter: str
    smallest: int
    largest: int
    fixed: tuple[tuple[str, float], ...] = ()

    def search(self, value: int) -> dict[str, float]:
        """All search parameters for one value of the variable one."""
        return {self.parameter: value, **dict(self.fixed)}


def candidates(n: int, d: int) -> Iterator[Candidate]:
    """Indexes for n vectors of d dimensions: inverted lists, inverted lists over refined 4-bit codes, and a graph.

    The number of lists is the power of two nearest to 4 sqrt(n), with at least 39 vectors in each. Codes refined by
    8-bit values take about a third of the memory. Building a graph takes too long beyond 200,000 vectors.

    >>> [one.factory for one in candidates(100_000, 64)]
    ['IVF1024,Flat', 'IVF1024,PQ32x4fs,RFlat', 'IVF1024,PQ32x4fs,Refine(SQ8)', 'HNSW32']
    """
    lists = 1 << round(math.log2(4 * math.sqrt(n)))
    while lists > 1 and n < MIN_POINTS_PER_CENTROID * lists:
        lists //= 2
    yield Candidate(f"IVF{lists},Flat", "nprobe", 1, lists)
    if d % 4 == 0:
        for refinement in ("RFlat", "Refine(SQ8)"):
            codes = f"IVF{lists},PQ{d // 2}x4fs,{refinement}"
            yield Candidate(codes, "nprobe", 1, lists, (("k_factor_rf", REFINE_FACTOR),))
    if n <= MAX_GRAPH_ITEMS:
        yield Candidate("HNSW32", "efSearch", MIN_EF, MAX_EF)


def bytes_per_vector(index: Any) -> float:
    """Memory of a FAISS index per vector: codes, ids, links of the lowest layer of a graph, part of the centroids."""
    index = faiss.downcast_index(index)
    if isinstance(index, faiss.IndexRefine):
        return bytes_per_vector(index.base_index) + bytes_per_vector(index.refine_index)
    if isinstance(index, faiss.IndexPreTransform):
        return bytes_per_vector(index.index)
    if isinstance(index, faiss.IndexHNSW):
        return bytes_per_vector(index.storage) + LINK_BYTES * index.hnsw.nb_neighbors(0)  # type: ignore[attr-defined]
    if isinstance(index, faiss.IndexIVF):
        return float(index.code_size + 8 + index.nlist * index.d * 4 / max(index.ntotal, 1))
    return float(index.sa_code_size())
