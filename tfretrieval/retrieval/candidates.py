"""Which FAISS indexes are worth a try for a gallery, and what they need."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import faiss

LARGEST_GRAPH = 200_000
LEAST_POINTS_A_CENTROID = 39
LEAST_EF, MOST_EF = 16, 1024
REFINED = 16
LINK_BYTES = 4


@dataclass(frozen=True)
class Candidate:
    """An index with one search parameter that trades speed for recall.

    Attributes:
        factory: of `faiss.index_factory`.
        parameter: its name.
        least: the fastest value of it.
        most: the greatest value that makes sense.
        fixed: search parameters that stay.
    """

    factory: str
    parameter: str
    least: int
    most: int
    fixed: tuple[tuple[str, float], ...] = ()

    def search(self, value: int) -> dict[str, float]:
        """All search parameters for a value of the one."""
        return {self.parameter: value, **dict(self.fixed)}


def candidates(n: int, d: int) -> Iterator[Candidate]:
    """Indexes for n vectors of d values: inverted lists, the same over 4-bit codes that are refined, and a graph.

    The number of lists is the power of two nearest to 4 sqrt(n), with at least 39 vectors in each. Codes that are
    refined by 8-bit values take about a third of the memory. A graph is built by searching it, which takes too long
    beyond 200,000 vectors.

    >>> [one.factory for one in candidates(100_000, 64)]
    ['IVF1024,Flat', 'IVF1024,PQ32x4fs,RFlat', 'IVF1024,PQ32x4fs,Refine(SQ8)', 'HNSW32']
    """
    lists = 1 << round(math.log2(4 * math.sqrt(n)))
    while lists > 1 and n < LEAST_POINTS_A_CENTROID * lists:
        lists //= 2
    yield Candidate(f"IVF{lists},Flat", "nprobe", 1, lists)
    if d % 4 == 0:
        for refinement in ("RFlat", "Refine(SQ8)"):
            codes = f"IVF{lists},PQ{d // 2}x4fs,{refinement}"
            yield Candidate(codes, "nprobe", 1, lists, (("k_factor_rf", REFINED),))
    if n <= LARGEST_GRAPH:
        yield Candidate("HNSW32", "efSearch", LEAST_EF, MOST_EF)


def bytes_a_vector(index: Any) -> float:
    """Memory of a FAISS index for each of its vectors: codes, ids, lowest links of a graph, share of the centroids."""
    index = faiss.downcast_index(index)
    if isinstance(index, faiss.IndexRefine):
        return bytes_a_vector(index.base_index) + bytes_a_vector(index.refine_index)
    if isinstance(index, faiss.IndexPreTransform):
        return bytes_a_vector(index.index)
    if isinstance(index, faiss.IndexHNSW):
        return bytes_a_vector(index.storage) + LINK_BYTES * index.hnsw.nb_neighbors(0)  # type: ignore[attr-defined]
    if isinstance(index, faiss.IndexIVF):
        return float(index.code_size + 8 + index.nlist * index.d * 4 / max(index.ntotal, 1))
    return float(index.sa_code_size())
