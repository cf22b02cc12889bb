"""Indexes whose vectors stay on disk."""

from __future__ import annotations

import subprocess
import sys

import faiss
import numpy as np
import pytest

from tfretrieval.artifacts import SAMPLED_BLOCK_BYTES
from tfretrieval.embedding.store import Embeddings
from tfretrieval.errors import UserError
from tfretrieval.retrieval.index import Index
from tfretrieval.retrieval.settings import FaissSettings, load_class, load_retriever

KINDS = [
    ("knn", {}),
    ("faiss", {}),
    ("faiss", {"factory": "IVF4,Flat", "search": {"nprobe": 2}}),
    ("faiss", {"factory": "HNSW16"}),
    ("faiss", {"factory": "IVF4,PQ4x4"}),
]


def make_retriever(kind, **options):
    return load_class(kind)(**options)


def vectors(n, d=16, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


@pytest.mark.parametrize(("kind", "options"), KINDS)
@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_a_mapped_index_answers_as_one_in_memory(kind, options, metric, tmp_path):
    retriever = make_retriever(kind, metric=metric, **options).fit(vectors(700))
    retriever.save(tmp_path)
    mapped = load_retriever(tmp_path, mmap=True)
    for k in (5, 200, 400):
        expected, found = (one.kneighbors(vectors(20, seed=1), k) for one in (retriever, mapped))
        np.testing.assert_array_equal(found[1], expected[1])
        np.testing.assert_array_equal(found[0], expected[0])
    with pytest.raises(UserError, match="load it without mmap"):
        mapped.add(vectors(1))
    with pytest.raises(UserError, match="load it without mmap"):
        mapped.remove([0])


LOADS = """
import resource, sys
import tfretrieval.retrieval.faiss, tfretrieval.retrieval.knn
from tfretrieval.retrieval.settings import load_retriever
def anonymous():
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1024
before = anonymous()
retriever = load_retriever(sys.argv[1], mmap=sys.argv[2] == "mapped")
print(anonymous() - before)
"""

maps_flat = pytest.mark.skipif(not hasattr(faiss, "IO_FLAG_MMAP_IFC"), reason="this FAISS maps inverted lists only")
on_linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")


@on_linux
@pytest.mark.parametrize(
    ("kind", "factory"), [("knn", None), pytest.param("faiss", "Flat", marks=maps_flat), ("faiss", "IVF4,Flat")]
)
def test_a_mapped_index_takes_little_memory(kind, factory, tmp_path):
    options = {"factory": factory} if factory else {}
    make_retriever(kind, **options).fit(vectors(40_000, 128)).save(tmp_path)
    took = {
        how: float(subprocess.run([sys.executable, "-c", LOADS, tmp_path, how], capture_output=True, check=True).stdout)
        for how in ("mapped", "read")
    }
    assert took["mapped"] < 6
    assert took["read"] > 18


def test_a_mapped_load_tells_another_file_and_a_whole_load_every_byte(tmp_path):
    retriever = make_retriever("knn").fit(vectors(40_000, 64))
    retriever.save(tmp_path)
    data = tmp_path / "vectors.npy"
    content = bytearray(data.read_bytes())
    content[SAMPLED_BLOCK_BYTES + 9] ^= 1
    data.write_bytes(content)
    assert load_retriever(tmp_path, mmap=True).n_items_ == 40_000
    with pytest.raises(UserError, match="corrupt"):
        load_retriever(tmp_path)
    data.write_bytes(content[:-64])
    with pytest.raises(UserError, match="corrupt"):
        load_retriever(tmp_path, mmap=True)


def test_an_index_with_its_transform_is_mapped(tmp_path):
    gallery = Embeddings.from_arrays(vectors(50))
    Index.build(gallery, FaissSettings(pca=4)).save(tmp_path / "index")
    index = Index.load(tmp_path / "index", mmap=True)
    assert (index.search(gallery.vectors, 1).rows[:, 0] == np.arange(50)).all()
    with pytest.raises(UserError, match="without mmap"):
        index.add(Embeddings.from_arrays(vectors(1), ids=["new"]))
