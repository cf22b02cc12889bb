"""An IVF index that is built shard by shard within a limit of memory, and searched from the disk.

The centroids are learned from a sample. Each shard is assigned and encoded in memory and written in the order of the
lists; then the lists are written one after the other, each from all shards, into one file that FAISS maps.
"""

from __future__ import annotations

import ctypes
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from tfretrieval.errors import UserError
from tfretrieval.progress import progress
from tfretrieval.retrieval.blocks import blocks
from tfretrieval.retrieval.streamed import Streamed

log = logging.getLogger(__name__)

LISTS = "lists.ivfdata"
LEAST_MEMORY = 96 << 20
POINTS_A_CENTROID, MOST_POINTS_A_CENTROID = 39, 64
LEAST_POINTS = 1 << 16
BLOCK_BYTES = 16 << 20
ID_BYTES = 8


def default_factory(n: int, dim: int, memory: int) -> str:
    """An IVF index over n vectors whose centroids can be learned within so many bytes."""
    points = min(n, _training_points(memory, dim))
    lists = max(1, min(int(4 * n**0.5), points // POINTS_A_CENTROID))
    return f"IVF{1 << (lists.bit_length() - 1)},Flat"


def build_sharded(vectors: Streamed, index: Any, memory: int, folder: Path, seed: int = 0) -> Any:
    """Train an empty IVF index and fill it from vectors that are read in blocks.

    Args:
        vectors: the gallery.
        index: an untrained `faiss.IndexIVF` with plain lists.
        memory: bytes that may be used beside those in use already.
        folder: where `lists.ivfdata` is written; shards lie there meanwhile.
        seed: of the sample that the centroids are learned from.

    Returns:
        the index, its lists mapped from the file.

    Raises:
        UserError: the index is of another kind, the memory is too little, or there is no room on the disk.
    """
    ivf = faiss.downcast_index(index)
    if not isinstance(ivf, faiss.IndexIVF) or isinstance(ivf, faiss.IndexIVFFastScan):
        raise UserError("within a memory limit an index of the kind IVFn,Flat, IVFn,SQ8 or IVFn,PQm can be built")
    if memory < LEAST_MEMORY:
        raise UserError(
            f"the memory limit leaves {max(0, memory) >> 20} MB beside the {resident_bytes() >> 20} MB in use already; "
            f"raise it so that {LEAST_MEMORY >> 20} MB or more are left"
        )
    wanted = max(LEAST_POINTS, MOST_POINTS_A_CENTROID * ivf.nlist)
    points = min(len(vectors), _training_points(memory, vectors.dim), wanted)
    if points < ivf.nlist:
        raise UserError(f"the memory limit leaves room to learn {points} centroids, not {ivf.nlist}; choose fewer")
    ivf.cp.seed, ivf.cp.max_points_per_centroid, ivf.cp.min_points_per_centroid = seed + 1, MOST_POINTS_A_CENTROID, 1
    ivf.train(vectors.sample(points, seed)[1])
    shards = [_shard(vectors, ivf, part, folder) for part in _parts(vectors, ivf, memory)]
    log.info("%d shards of up to %d vectors", len(shards), max(shard.n for shard in shards))
    _join(ivf, shards, folder / LISTS, memory)
    return index


@dataclass(frozen=True)
class _Shard:
    """Codes and ids in the order of the lists, in files; list l is the rows starts[l] to starts[l + 1]."""

    codes: Path
    ids: Path
    starts: np.ndarray

    @property
    def n(self) -> int:
        return int(self.starts[-1])


def _training_points(memory: int, dim: int) -> int:
    return max(1, memory // 3 // (4 * dim))


def _parts(vectors: Streamed, ivf: Any, memory: int) -> Sequence[slice]:
    """The rows of each shard: their codes are in memory twice while they are put in order."""
    return list(blocks(len(vectors), max(1, int(0.5 * memory) // (2 * ivf.code_size + 5 * ID_BYTES))))


def _shard(vectors: Streamed, ivf: Any, part: slice, folder: Path) -> _Shard:
    n = part.stop - part.start
    lists, codes = np.empty(n, np.int64), np.empty((n, ivf.code_size), np.uint8)
    with progress(None, "index", total=n) as bar:
        for block in blocks(n, max(1, BLOCK_BYTES // (4 * vectors.dim))):
            here = vectors.part(part.start + block.start, part.start + block.stop)
            assigned = np.ascontiguousarray(ivf.quantizer.search(here, 1)[1][:, 0])
            encoded = np.empty((len(here), ivf.code_size), np.uint8)
            ivf.encode_vectors(len(here), *(faiss.swig_ptr(array) for array in (here, assigned, encoded)))
            lists[block], codes[block] = assigned, encoded
            bar.update(len(here))
    order = np.argsort(lists, kind="stable")
    starts = np.concatenate([[0], np.cumsum(np.bincount(lists, minlength=ivf.nlist))])
    shard = _Shard(folder / f"{part.start}.codes", folder / f"{part.start}.ids", starts)
    with shard.codes.open("wb") as file:
        for block in blocks(n, max(1, BLOCK_BYTES // ivf.code_size)):
            codes[order[block]].tofile(file)
    (order + part.start).tofile(shard.ids)
    return shard


def _join(ivf: Any, shards: Sequence[_Shard], file: Path, memory: int) -> None:
    """Write the lists into one file and give them to the index; the shards are deleted."""
    sizes = np.sum([np.diff(shard.starts) for shard in shards], axis=0)
    library: Any = faiss  # whose stubs lack some of this
    entries = library.OnDiskOneListVector()
    offset = 0
    for size in sizes.tolist():
        entry = library.OnDiskOneList()
        entry.size, entry.capacity, entry.offset = size, size, offset
        entries.push_back(entry)
        offset += size * (ivf.code_size + ID_BYTES)
    with file.open("wb") as target:
        for chunk in _chunks(sizes, max(1, memory // 4 // (ivf.code_size + ID_BYTES))):
            _write_lists(target, shards, chunk, ivf.code_size)
        if not offset:
            target.write(b"\0")
    for shard in shards:
        os.unlink(shard.codes)
        os.unlink(shard.ids)
    lists = library.OnDiskInvertedLists(ivf.nlist, ivf.code_size, str(file))
    lists.lists.swap(entries)
    lists.totsize, lists.read_only = offset, True
    lists.do_mmap()
    ivf.replace_invlists(lists, True)
    lists.this.disown()
    ivf.ntotal = int(sizes.sum())


def _chunks(sizes: np.ndarray, rows: int) -> list[slice]:
    """Neighboring lists with about so many rows together; a list that is longer stands alone."""
    starts, total = [0], 0
    for number, size in enumerate(sizes.tolist()):
        if total and total + size > rows:
            starts.append(number)
            total = 0
        total += size
    return [slice(start, stop) for start, stop in zip(starts, [*starts[1:], len(sizes)])]


def _write_lists(target: Any, shards: Sequence[_Shard], chunk: slice, code_size: int) -> None:
    """A list is the codes of all its vectors, then their ids."""
    pieces = []
    for shard in shards:
        first, last = int(shard.starts[chunk.start]), int(shard.starts[chunk.stop])
        codes = np.fromfile(shard.codes, np.uint8, (last - first) * code_size, offset=first * code_size)
        ids = np.fromfile(shard.ids, np.int64, last - first, offset=first * ID_BYTES)
        pieces.append((codes.reshape(-1, code_size), ids, shard.starts - first))
    for number in range(chunk.start, chunk.stop):
        for column in (0, 1):
            for piece in pieces:
                piece[column][piece[2][number] : piece[2][number + 1]].tofile(target)


def give_back(index: Any) -> None:
    """Drop the pages of mapped lists that searches have brought into memory; they are read again when needed."""
    lists: Any = faiss.extract_index_ivf(index).invlists
    lists = faiss.downcast_InvertedLists(lists)
    if isinstance(lists, faiss.OnDiskInvertedLists) and lists.totsize:
        MADV_DONTNEED = 4
        ctypes.CDLL(None).madvise(ctypes.c_void_p(int(lists.ptr)), ctypes.c_size_t(lists.totsize), MADV_DONTNEED)


def resident_bytes() -> int:
    """Memory of this process that is in RAM."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
