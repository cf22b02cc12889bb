"""The FAISS indexes that tuning tries for a gallery, and the memory they take."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import faiss

from tfretrieval.retrieval.faiss import MIN_POINTS_PER_CENTROID

MAX_GRAPH_ITEMS = 200_000
MIN_EF, MAX_EF = 16, 1024
REFINE_FACTOR = 16


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
    lists = number_of_lists(n, n)
    yield Candidate(f"IVF{lists},Flat", "nprobe", 1, lists)
    if d % 4 == 0:
        for refinement in ("RFlat", "Refine(SQ8)"):
            codes = f"IVF{lists},PQ{d // 2}x4fs,{refinement}"
            yield Candidate(codes, "nprobe", 1, lists, (("k_factor_rf", REFINE_FACTOR),))
    if n <= MAX_GRAPH_ITEMS:
        yield Candidate("HNSW32", "efSearch", MIN_EF, MAX_EF)


def number_of_lists(n: int, n_training: int) -> int:
    """The power of two nearest to 4 sqrt(n), or a smaller one so that each list has 39 training vectors."""
    lists = 1 << round(math.log2(4 * math.sqrt(n)))
    while lists > 1 and n_training < MIN_POINTS_PER_CENTROID * lists:
        lists //= 2
    return lists


def bytes_per_vector(index: Any) -> float:
    """Size of a FAISS index, as it would be written to disk, per vector."""
    sizes: list[int] = []
    writer = faiss.PyCallbackIOWriter(lambda block: sizes.append(len(block)))  # type: ignore[attr-defined]
    faiss.write_index(index, writer)
    return sum(sizes) / max(index.ntotal, 1)
