"""FAISS indexes larger than memory: built in shards, merged on disk and searched from there."""

import logging
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import psutil
from faiss.contrib.ondisk import merge_ondisk

from tfretrieval.atomic import os_errors_as_user_errors
from tfretrieval.errors import UserError
from tfretrieval.progress import progress
from tfretrieval.quiet import STDOUT, silent
from tfretrieval.retrieval.candidates import number_of_lists
from tfretrieval.retrieval.distances import blocks
from tfretrieval.retrieval.faiss import LISTS, FaissRetriever, new_index
from tfretrieval.retrieval.transformed import TransformedVectors

log = logging.getLogger(__name__)

MIN_MEMORY = 96 << 20
MAX_POINTS_PER_CENTROID = 64
MIN_TRAINING_POINTS = 1 << 16
BLOCK_BYTES = 16 << 20
ID_BYTES = 8


def fit_on_disk(
    retriever: FaissRetriever, vectors: TransformedVectors, memory: int, directory: Path, seed: int = 0
) -> FaissRetriever:
    """Fit an IVF retriever whose inverted lists stay in a file of `directory`.

    Centroids are trained on a sample. Shards are indexed in memory and written to disk, then FAISS merges them.

    Args:
        retriever: not fitted; its factory names an IVF index with plain lists.
        vectors: the gallery.
        memory: bytes to allocate beside those in use already. Memory-mapped files do not count.
        directory: where `lists.ivfdata` is written, until the retriever is saved; shards are written there meanwhile.
        seed: random seed of the sample.

    Raises:
        UserError: the index is of another type, the memory does not suffice, or the disk has no room.
    """
    index = new_index(vectors.dim, retriever.factory, retriever.metric)
    ivf = faiss.downcast_index(index)
    if not isinstance(ivf, faiss.IndexIVF) or isinstance(ivf, faiss.IndexIVFFastScan):
        raise UserError(
            f"the index {retriever.factory!r} cannot be built within a memory limit",
            "use IVFn,Flat, IVFn,SQ8 or IVFn,PQm",
        )
    if memory < MIN_MEMORY:
        used = allocated_bytes() >> 20
        raise UserError(
            f"the memory limit leaves {max(0, memory) >> 20} MB beside the {used} MB in use",
            f"raise it to {used + (MIN_MEMORY >> 20)} MB or more",
        )
    _train(ivf, vectors, memory, seed)
    shards = []
    with os_errors_as_user_errors(directory), progress(None, "index", total=len(vectors)) as bar:
        for part in blocks(len(vectors), memory // 2 // (2 * (ivf.code_size + ID_BYTES))):
            shards.append(_write_shard(index, vectors, part, directory / f"{part.start}.shard", bar))
        log.info("merging %d shards on disk", len(shards))
        with silent(STDOUT):  # FAISS prints its progress
            merge_ondisk(index, [str(shard) for shard in shards], str(directory / LISTS))
    for shard in shards:
        shard.unlink()
    retriever.index_, retriever.mapped_ = index, True
    retriever.n_items_, retriever.n_features_in_ = len(vectors), vectors.dim
    retriever.set_search(retriever.search)
    return retriever


def default_factory(n: int, dim: int, memory: int) -> str:
    """An IVF index over n vectors whose centroids can be trained within `memory` bytes."""
    return f"IVF{number_of_lists(n, min(n, _max_training_points(memory, dim)))},Flat"


def exceeds(memory_limit: int, vectors: np.ndarray) -> bool:
    """Whether indexing the vectors in memory, which holds them and an index over them, exceeds a limit in bytes."""
    return allocated_bytes() + 3 * vectors.nbytes > memory_limit


def allocated_bytes() -> int:
    """Memory of this process that is not mapped from files."""
    memory = psutil.Process().memory_info()
    return int(memory.rss - getattr(memory, "shared", 0))


def _max_training_points(memory: int, dim: int) -> int:
    return max(1, memory // 3 // (4 * dim))


def _train(ivf: Any, vectors: TransformedVectors, memory: int, seed: int) -> None:
    wanted = max(MIN_TRAINING_POINTS, MAX_POINTS_PER_CENTROID * ivf.nlist)
    points = min(len(vectors), _max_training_points(memory, vectors.dim), wanted)
    if points < ivf.nlist:
        raise UserError(f"the memory limit allows to train {points} centroids, not {ivf.nlist}", "use fewer centroids")
    ivf.cp.seed, ivf.cp.max_points_per_centroid, ivf.cp.min_points_per_centroid = seed + 1, MAX_POINTS_PER_CENTROID, 1
    ivf.train(vectors.sample(points, seed)[1])


def _write_shard(empty: Any, vectors: TransformedVectors, part: slice, file: Path, bar: Any) -> Path:
    shard, row = faiss.clone_index(empty), part.start
    for block in vectors.in_blocks(max(1, BLOCK_BYTES // (4 * vectors.dim)), part.start, part.stop):
        shard.add_with_ids(block, np.arange(row, row + len(block), dtype=np.int64))
        row += len(block)
        bar.update(len(block))
    faiss.write_index(shard, str(file))
    return file
