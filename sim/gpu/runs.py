"""Memory runs of a kernel's pieces: whole arrays, picked items, and digit-wise scatters."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from archsim.base.jit import njit
from archsim.sim.program import MemoryRuns

__all__ = ["Layout", "join", "picked", "scattered", "spans"]

I64 = npt.NDArray[np.int64]

_ALIGN_BYTES = 256  # cudaMalloc aligns to 256 bytes


class Layout:
    """Gives arrays their base addresses, one after the other, aligned to 256 bytes."""

    def __init__(self) -> None:
        self._next = 0

    def place(self, size_bytes: int) -> int:
        """Return the base address of a new array of this size."""
        base = self._next
        self._next = -(-(base + max(size_bytes, 1)) // _ALIGN_BYTES) * _ALIGN_BYTES
        return base


def spans(base: int, edges: npt.ArrayLike, sector: int) -> MemoryRuns:
    """Return one contiguous run per piece: ``edges`` are byte offsets, (pieces + 1,), ascending.

    Inner edges are rounded down to a sector, so that neighbouring pieces share none and sizes
    add up to the array's.
    """
    cuts = np.asarray(edges, np.int64).copy()
    cuts[1:-1] -= cuts[1:-1] % sector
    cuts[1:-1] = np.maximum(cuts[1:-1], cuts[0])
    size = np.diff(cuts)
    kept = size > 0
    ptr = np.concatenate([[0], np.cumsum(kept)]).astype(np.int64)
    return MemoryRuns(ptr, (base + cuts[:-1])[kept], size[kept])


def picked(base: int, item_bytes: int, index: npt.NDArray[np.integer], edges: npt.ArrayLike,
           sector: int) -> MemoryRuns:  # fmt: skip
    """Return the sectors that hold the items ``index`` (ascending) of an array, by piece.

    Piece p holds the items from ``edges[p]`` up to ``edges[p + 1]``. A sector is moved once for
    all items of the piece in it; touching sectors make one run.
    """
    borders = np.searchsorted(index, np.asarray(edges, np.int64))
    return MemoryRuns(*_picked(base, item_bytes, index, borders, sector))


@njit()
def _picked(base: int, item_bytes: int, index: npt.NDArray[np.integer], borders: I64,
            sector: int) -> tuple[I64, I64, I64]:  # fmt: skip
    """Return offsets by piece, addresses and sizes of the runs."""
    pieces = borders.shape[0] - 1
    ptr = np.zeros(pieces + 1, np.int64)
    address, size = np.empty(index.shape[0], np.int64), np.empty(index.shape[0], np.int64)
    runs = 0
    for piece in range(pieces):
        upto = np.int64(-1)  # the address past the run
        for item in range(borders[piece], borders[piece + 1]):
            start = base + np.int64(index[item]) * item_bytes
            begin = start // sector * sector
            end = ((start + item_bytes - 1) // sector + 1) * sector
            if upto >= begin:
                size[runs - 1] += end - upto
            else:
                address[runs], size[runs] = begin, end - begin
                runs += 1
            upto = end
        ptr[piece + 1] = runs
    return ptr, address[:runs].copy(), size[:runs].copy()


def scattered(base: int, size_bytes: int, pieces: int, targets: int, sector: int) -> MemoryRuns:
    """Return the runs of pieces that each write one segment into each of ``targets`` places.

    A radix-sort pass writes so: each target is a digit's part of the output. Digits are taken
    as equally frequent; segment borders are rounded down to a sector, so that sizes add up to
    ``size_bytes``.
    """
    cuts = np.arange(targets * pieces + 1, dtype=np.int64) * size_bytes // (targets * pieces)
    cuts[1:-1] -= cuts[1:-1] % sector
    start = base + cuts[:-1].reshape(targets, pieces).T
    size = np.diff(cuts).reshape(targets, pieces).T
    kept = size > 0
    ptr = np.concatenate([[0], np.cumsum(kept.sum(axis=1))]).astype(np.int64)
    return MemoryRuns(ptr, start[kept], size[kept])


def join(*parts: MemoryRuns) -> MemoryRuns:
    """Return, for each piece, the runs of all parts one after the other."""
    counts = np.stack([np.diff(p.ptr) for p in parts])
    ptr = np.concatenate([[0], np.cumsum(counts.sum(axis=0))]).astype(np.int64)
    address = np.empty(ptr[-1], np.int64)
    size = np.empty(ptr[-1], np.int64)
    offset = ptr[:-1].copy()
    for part, count in zip(parts, counts, strict=True):
        place = np.arange(part.address.size) + np.repeat(offset - part.ptr[:-1], count)
        address[place] = part.address
        size[place] = part.size
        offset += count
    return MemoryRuns(ptr, address, size)
