"""Hierarchical sorting: pivots split a tile's list into chunks, a bitonic network sorts each chunk.

GSCore (ASPLOS 2024) orders a list approximately first (its quick sorting units compare every entry
with a few pivots and scatter it to a subset) and sorts precisely only the chunk that is about to be
rendered (its bitonic sorting units), so chunks behind an early termination are never sorted.
Chunks hold at most 256 entries (public re-implementation and the Neo paper; second-hand); seven
pivots, eight subsets (NeRArch-Sim's model of the unit; second-hand).

Assumed, for want of a source: pivots are every second one of 15 entries sampled evenly from the
list (one pass of a 16-wide bitonic unit); a subset larger than a chunk is split again; neighbouring
subsets share a chunk while they fit. Chunks are in depth order, so their precise sorts give the
exact depth order.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from archsim.base.jit import njit

__all__ = ["PIVOTS", "bitonic_sort", "depth_keys", "split_list"]

Array = npt.NDArray[Any]

#: pivots of one pass (NeRArch-Sim models the quick sorting unit with 7 pivots and 8 subsets)
PIVOTS = 7


def depth_keys(depth: npt.NDArray[np.float32], index: npt.NDArray[np.int32]) -> Array:
    """Return unsigned 64-bit keys that order by depth (positive), then by index; shape (n,)."""
    bits = np.ascontiguousarray(depth, np.float32).view(np.uint32).astype(np.uint64)
    keys: Array = (bits << np.uint64(32)) | index.astype(np.uint64)
    return keys


@njit()
def bitonic_sort(key: Array, tag: Array, begin: int, end: int, key_pad: Array, tag_pad: Array,
                 largest: np.uint64) -> None:  # fmt: skip
    """Sort ``key[begin:end]`` (with its ``tag``) by a bitonic network, padded to a power of two.

    ``key_pad`` and ``tag_pad`` are scratch of at least that power of two; ``largest`` exceeds
    every key.
    """
    n = end - begin
    width = 1
    while width < n:
        width *= 2
    for i in range(width):
        key_pad[i] = key[begin + i] if i < n else largest
        tag_pad[i] = tag[begin + i] if i < n else 0
    size = 2
    while size <= width:
        stride = size // 2
        while stride > 0:
            for i in range(width):
                other = i ^ stride
                if other > i and (key_pad[i] > key_pad[other]) == ((i & size) == 0):
                    key_pad[i], key_pad[other] = key_pad[other], key_pad[i]
                    tag_pad[i], tag_pad[other] = tag_pad[other], tag_pad[i]
            stride //= 2
        size *= 2
    for i in range(n):
        key[begin + i] = key_pad[i]
        tag[begin + i] = tag_pad[i]


@njit()
def _choose_pivots(key: Array, begin: int, end: int, pivots: int, sample: Array) -> None:
    # 2 * pivots + 1 evenly spread entries, sorted by insertion; every second one is a pivot
    count = 2 * pivots + 1
    n = end - begin
    for i in range(count):
        value = key[begin + (2 * i + 1) * n // (2 * count)]
        j = i
        while j > 0 and sample[j - 1] > value:
            sample[j] = sample[j - 1]
            j -= 1
        sample[j] = value


@njit()
def split_list(
    key: Array, tag: Array, begin: int, end: int, limit: int, pivots: int,
    key_scratch: Array, tag_scratch: Array, stack: Array, sample: Array, sizes: Array,
) -> tuple[int, int, int]:  # fmt: skip
    """Split ``key[begin:end]`` into depth-ordered chunks of at most ``limit`` entries, in place.

    Within a subset entries keep their order. Keys are distinct, so every pass makes progress.

    Parameters
    ----------
    key : (n,) uint64; tag : (n,) uint16
        The lists, and what travels with each entry.
    limit
        Most entries of a chunk, more than twice ``pivots``.
    pivots
        Pivots of one pass.
    key_scratch, tag_scratch
        As long as the list.
    stack : (m, 2) int64
        Scratch: ranges still to split; m >= 8 times the passes nested in each other.
    sample : (2 * pivots + 1,) uint64
        Scratch.
    sizes : (end - begin,) int64
        Filled with the chunk sizes.

    Returns
    -------
    tuple of int
        Chunks, passes, and entries moved by all passes together.
    """
    chunks = passes = moved = 0
    ends = np.zeros(pivots + 1, np.int64)
    depth = 0
    if end > begin:
        stack[0, 0], stack[0, 1] = begin, end
        depth = 1
    while depth > 0:
        depth -= 1
        low, high = stack[depth, 0], stack[depth, 1]
        if high - low <= limit:
            sizes[chunks] = high - low
            chunks += 1
            continue
        passes += 1
        moved += high - low
        _choose_pivots(key, low, high, pivots, sample)
        ends[:] = 0
        for i in range(low, high):
            subset = 0
            for p in range(pivots):
                subset += key[i] >= sample[2 * p + 1]
            ends[subset] += 1
        total = 0
        for subset in range(pivots + 1):
            count = ends[subset]
            ends[subset] = total
            total += count
        for i in range(low, high):
            subset = 0
            for p in range(pivots):
                subset += key[i] >= sample[2 * p + 1]
            key_scratch[ends[subset]] = key[i]
            tag_scratch[ends[subset]] = tag[i]
            ends[subset] += 1
        for i in range(high - low):
            key[low + i] = key_scratch[i]
            tag[low + i] = tag_scratch[i]
        # ranges for the stack, farthest first; neighbours are joined while they fit a chunk
        upper = high
        subset = pivots
        while subset >= 0:
            lower = low + (ends[subset - 1] if subset > 0 else 0)
            while subset > 0:
                joined = low + (ends[subset - 2] if subset > 1 else 0)
                if upper - joined > limit:
                    break
                lower = joined
                subset -= 1
            if upper > lower:
                stack[depth, 0], stack[depth, 1] = lower, upper
                depth += 1
            upper = lower
            subset -= 1
    return chunks, passes, moved
