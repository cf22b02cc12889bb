"""Removal from a FAISS index, after which its ids are again the rows of what is left."""

from __future__ import annotations

from typing import Any

import faiss
import numpy as np


def keep_rows(index: Any, kept: np.ndarray) -> None:
    """Take out the vectors whose row is not kept, and number the others from 0 in their order.

    Args:
        index: holds n vectors, the ids of which are their rows. Changed in place.
        kept: bool [n].

    Raises:
        NotImplementedError: the index is neither flat nor made of inverted lists in memory; it is unchanged.

    >>> index = faiss.IndexFlatL2(1)
    >>> index.add(np.float32([[0], [1], [2]]))
    >>> keep_rows(index, np.array([True, False, True]))
    >>> index.reconstruct_n(0, 2).tolist()
    [[0.0], [2.0]]
    """
    innermost = _innermost(index)
    lists = getattr(innermost, "invlists", None)
    lists = lists and faiss.downcast_InvertedLists(lists)
    if not isinstance(innermost, faiss.IndexFlatCodes) and not isinstance(lists, faiss.ArrayInvertedLists):
        raise NotImplementedError
    index.remove_ids(np.flatnonzero(~kept))
    if isinstance(lists, faiss.ArrayInvertedLists):
        new_rows = np.cumsum(kept) - 1
        for number in range(innermost.nlist):
            size = lists.list_size(number)
            if size:
                ids = faiss.rev_swig_ptr(lists.get_ids(number), size)
                ids[:] = new_rows[ids]


def _innermost(index: Any) -> Any:
    index = faiss.downcast_index(index)
    while isinstance(index, faiss.IndexPreTransform):
        index = faiss.downcast_index(index.index)
    return index
