"""The indexes that tuning tries, and their memory."""

from __future__ import annotations

import faiss
import numpy as np
import pytest

from tfretrieval.retrieval.candidates import bytes_per_vector, candidates
from tfretrieval.retrieval.faiss import FaissRetriever

VECTORS = np.random.default_rng(0).normal(size=(5000, 16)).astype(np.float32)


@pytest.mark.parametrize("factory", ["Flat", "IVF4,Flat", "IVF4,PQ8x4fs,RFlat", "SQ8", "PCA8,Flat", "HNSW32"])
def test_bytes_per_vector_are_close_to_the_size_of_the_written_index(factory):
    index = FaissRetriever(factory).fit(VECTORS).index_
    written = faiss.serialize_index(index).nbytes / 5000
    assert bytes_per_vector(index) == pytest.approx(written, rel=0.12)


@pytest.mark.parametrize("n", [1000, 5000, 200_000, 10**6])
def test_lists_have_enough_vectors_and_large_galleries_no_graph(n):
    found = list(candidates(n, 128))
    lists = int(found[0].factory.split(",")[0][3:])
    assert n / lists >= 39
    assert any(one.factory.startswith("HNSW") for one in found) == (n <= 200_000)
    assert len(list(candidates(n, 6))) < len(found)
