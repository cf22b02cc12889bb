"""How many relevant and other pairs have each score, with at most so many different scores."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tfretrieval.retrieval.order import stable_order

BINS_A_POINT = 4
SIGN = np.uint32(1 << 31)


@dataclass(frozen=True, eq=False)
class Tally:
    """Counts of scores.

    Attributes:
        keys: uint32 [p], rising and different: the scores as integers in the same order, without their last bits.
        counts: int64 [2, p], relevant pairs and others of each.
        dropped: how many bits.
    """

    keys: np.ndarray
    counts: np.ndarray
    dropped: int = 0

    @classmethod
    def empty(cls) -> Tally:
        return cls(np.empty(0, np.uint32), np.empty((2, 0), np.int64))


def tallied(scores: np.ndarray, relevant: np.ndarray, dropped: int, most: int) -> Tally:
    """Count scores, float32 [m], and whether each is relevant, bool [m]; at least `dropped` bits are left out.

    Many scores are counted in bins, fast, where that shows that more than `most` of them differ. Else they are
    sorted, with no more bits left out than asked for.

    >>> tallied(np.float32([2, 1, 2]), np.array([True, False, False]), dropped=0, most=9).counts
    array([[0, 1],
           [1, 1]])
    """
    keys = _ordered_bits(scores)
    if len(keys) > BINS_A_POINT * most // 2:
        low, high = int(keys.min()), int(keys.max())
        coarse = max(dropped, ((high - low) // (BINS_A_POINT * most)).bit_length())
        binned = _binned(keys >> np.uint32(coarse), relevant, coarse)
        if coarse == dropped or len(binned.keys) > most:
            return binned
    keys >>= np.uint32(dropped)
    order = stable_order(keys)
    keys, hits = keys[order], np.cumsum(relevant[order])
    ends = np.flatnonzero(np.append(keys[1:] != keys[:-1], len(keys) > 0))
    hits, every = np.diff(hits[ends], prepend=0), np.diff(ends, prepend=-1)
    return Tally(keys[ends], np.stack([hits, every - hits]), dropped)


def merged(one: Tally, other: Tally, most: int) -> Tally:
    """Both together, with as many more bits left out as it takes to have at most `most` different scores."""
    dropped = max(one.dropped, other.dropped)
    one, other = _coarser(one, dropped), _coarser(other, dropped)
    both = one if not len(other.keys) else other if not len(one.keys) else _joined(one, other, BINS_A_POINT * most)
    while len(both.keys) > most:
        both = _coarser(both, both.dropped + 1)
    return both


def _joined(one: Tally, other: Tally, most_bins: int) -> Tally:
    """Keys in a narrow range are found by their place in it, others by sorting."""
    low = min(one.keys[0], other.keys[0])
    bins = int(max(one.keys[-1], other.keys[-1])) - int(low) + 1
    if bins <= most_bins:
        dense = np.zeros((2, bins), np.int64)
        for part in (one, other):
            dense[:, part.keys - low] += part.counts
        kept = np.flatnonzero(dense.any(axis=0))
        return Tally(kept.astype(np.uint32) + low, dense[:, kept], one.dropped)
    keys = np.sort(np.concatenate([one.keys, other.keys]))
    keys = keys[np.append(True, keys[1:] != keys[:-1])]
    counts = np.zeros((2, len(keys)), np.int64)
    for part in (one, other):
        counts[:, np.searchsorted(keys, part.keys)] += part.counts
    return Tally(keys, counts, one.dropped)


def _coarser(tally: Tally, dropped: int) -> Tally:
    if dropped == tally.dropped or not len(tally.keys):
        return Tally(tally.keys, tally.counts, dropped)
    keys = tally.keys >> np.uint32(dropped - tally.dropped)
    starts = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
    return Tally(keys[starts], np.add.reduceat(tally.counts, starts, axis=1), dropped)


def _binned(keys: np.ndarray, relevant: np.ndarray, dropped: int) -> Tally:
    low = keys.min()
    bins = (keys - low).astype(np.int64)
    every = np.bincount(bins)
    hits = np.bincount(bins[relevant], minlength=len(every))
    kept = np.flatnonzero(every)
    return Tally(kept.astype(np.uint32) + low, np.stack([hits, every - hits])[:, kept], dropped)


def _ordered_bits(scores: np.ndarray) -> np.ndarray:
    """Uint32 in the order of the floats: of negative ones all bits are flipped, of others the sign."""
    bits = (scores + np.float32(0)).view(np.uint32)
    return bits ^ ((bits.view(np.int32) >> 31).view(np.uint32) | SIGN)
