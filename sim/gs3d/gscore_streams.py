"""Where GSCore's data lie in DRAM, and the byte ranges that each task of a frame moves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from archsim.base.jit import njit
from archsim.sim.gs3d.gscore_constants import constant
from archsim.sim.program import MemoryRuns
from archsim.traces.trace import Trace

__all__ = ["DramLayout", "Groups", "gather_runs", "group_chunks", "list_write_runs", "pixel_runs",
           "repeated_runs", "single_runs"]  # fmt: skip

I64 = npt.NDArray[np.int64]

_ALIGN = 4096  # regions begin at multiples of it


@dataclass(frozen=True)
class DramLayout:
    """Regions of the frame in DRAM, one after the other.

    Attributes
    ----------
    parameters, features, lists, spill, pixels
        First byte of all Gaussians' parameters, of the feature records of the visible ones (both
        in memory order), of the tiles' lists, of their split copies, and of the image.
    gaussian_bytes
        Parameters of one Gaussian.
    pairs
        Entries of all lists.
    """

    parameters: int
    features: int
    lists: int
    spill: int
    pixels: int
    gaussian_bytes: int
    pairs: int

    @staticmethod
    def of(trace: Trace) -> DramLayout:
        """Lay out the data of a trace."""
        counts = trace.meta["counts"]
        gaussian_bytes = constant("parameter_bytes") * trace.meta["parameters_per_gaussian"]
        lists = counts["pairs"] * constant("entry_bytes")
        sizes = [
            counts["gaussians"] * gaussian_bytes,
            counts["visible"] * constant("feature_bytes"),
            lists,
            lists,
        ]
        starts = [0]
        for size in sizes:
            starts.append(starts[-1] + -(-size // _ALIGN) * _ALIGN)
        parameters, features, list_start, spill, pixels = starts
        return DramLayout(
            parameters, features, list_start, spill, pixels, gaussian_bytes, counts["pairs"]
        )


@dataclass(frozen=True)
class Groups:
    """Depth chunks that a frame fetches, packed into groups of one half of the feature buffer.

    Attributes
    ----------
    tile : (g,) int64
        Which of the tiles that are not empty each group belongs to; ascending.
    work : (g,) int64
        (Gaussian, subtile) blended.
    begin, end : (t,) int64
        Groups of each tile.
    last : (t,) int64
        The group in which each tile ends; a group behind it was fetched in vain.
    chunk_begin : (g,) int64
        First chunk of each group among those fetched.
    chunk_entries : (c,) int64
        Entries of each chunk fetched.
    pair_chunk : (p,) int64; pair_visible : (p,) int32
        Fetched entries: their chunk and Gaussian, by chunk.
    """

    tile: I64
    work: I64
    begin: I64
    end: I64
    last: I64
    chunk_begin: I64
    chunk_entries: I64
    pair_chunk: I64
    pair_visible: npt.NDArray[np.int32]


def single_runs(start: int, sizes: I64) -> MemoryRuns:
    """Return one run per task, back to back from ``start``; none for a size of zero."""
    ends = start + np.cumsum(sizes)
    some = sizes > 0
    ptr = np.concatenate([[0], np.cumsum(some)]).astype(np.int64)
    return MemoryRuns(ptr, (ends - sizes)[some], sizes[some])


def repeated_runs(address: I64, size: I64, times: I64) -> MemoryRuns:
    """Return tasks that each move one range a number of times."""
    ptr = np.concatenate([[0], np.cumsum(times)]).astype(np.int64)
    return MemoryRuns(ptr, np.repeat(address, times), np.repeat(size, times))


def _merged(task: I64, item: I64, tasks: int, start: int, item_bytes: int) -> MemoryRuns:
    """Return runs of items ascending by task: neighbouring items of a task make one run."""
    first = np.ones(len(item), bool)
    first[1:] = (task[1:] != task[:-1]) | (item[1:] != item[:-1] + 1)
    at = np.flatnonzero(first)
    length = np.diff(np.append(at, len(item)))
    ptr = np.concatenate([[0], np.cumsum(np.bincount(task[at], minlength=tasks))])
    return MemoryRuns(ptr.astype(np.int64), start + item[at] * item_bytes, length * item_bytes)


def list_write_runs(slot: npt.NDArray[np.int32], pairs: I64, flush: int, start: int,
                    entry_bytes: int) -> MemoryRuns:  # fmt: skip
    """Return the list writes of conversion tokens.

    Parameters
    ----------
    slot : (D,) int32
        List position of every pair, in order of Gaussian.
    pairs : (tokens,) int64
        Pairs of each token.
    flush
        Pairs that are combined before they are written, tile by tile; a token's end flushes.
    start, entry_bytes
        Address of list position 0, and bytes of a position.
    """
    inside = np.arange(len(slot)) - np.repeat(np.cumsum(pairs) - pairs, pairs)
    flushes = -(-pairs // flush)
    batch = np.repeat(np.cumsum(flushes) - flushes, pairs) + inside // flush
    span = int(slot.max(initial=0)) + 1
    ordered = np.sort(batch * span + slot)
    batch_of, item = ordered // span, ordered % span
    runs = _merged(batch_of, item, int(flushes.sum()), start, entry_bytes)
    # batches are consecutive per token
    ends = np.concatenate([[0], np.cumsum(flushes)])
    return MemoryRuns(runs.ptr[ends], runs.address, runs.size)


@njit()
def _pack(tile: I64, entries: I64, limit: int, group: I64) -> int:
    """Number groups of consecutive chunks of one tile with at most ``limit`` entries."""
    number = -1
    held = 0
    for i in range(tile.shape[0]):
        if number < 0 or tile[i] != tile[i - 1] or held + entries[i] > limit:
            number += 1
            held = 0
        held += entries[i]
        group[i] = number
    return number + 1


def group_chunks(trace: Trace, tiles: I64, limit: int) -> Groups:
    """Return what the tiles fetch: chunks up to the early termination and one more."""
    column = trace.columns
    buckets = column["tile.buckets"].astype(np.int64)[tiles]
    entries, consumed, work = (
        column[f"bucket.{name}"].astype(np.int64)
        for name in ("entries", "consumed", "subtile_work")
    )
    tile = np.repeat(np.arange(len(tiles)), buckets)
    used = consumed > 0
    ahead = np.zeros_like(used)
    ahead[1:] = used[:-1] & (tile[1:] == tile[:-1])
    fetched = np.flatnonzero(used | ahead)
    group = np.empty(len(fetched), np.int64)
    count = _pack(tile[fetched], entries[fetched], limit, group)
    chunk_begin = np.searchsorted(group, np.arange(count))
    group_tile = tile[fetched][chunk_begin]
    group_used = np.maximum.reduceat(used[fetched].astype(np.int64), chunk_begin) > 0
    end = np.searchsorted(group_tile, np.arange(len(tiles)), side="right")
    last = np.zeros(len(tiles), np.int64)
    last[group_tile[group_used]] = np.flatnonzero(group_used)  # the last assignment stays
    starts = np.cumsum(entries) - entries
    chosen = entries[fetched]
    pair_chunk = np.repeat(np.arange(len(fetched)), chosen)
    inside = np.arange(len(pair_chunk)) - np.repeat(np.cumsum(chosen) - chosen, chosen)
    pair = starts[fetched][pair_chunk] + inside
    return Groups(
        group_tile, np.add.reduceat(work[fetched], chunk_begin),
        np.searchsorted(group_tile, np.arange(len(tiles))), end, last, chunk_begin, chosen,
        pair_chunk, column["pair.gaussian"][pair],
    )  # fmt: skip


def gather_runs(trace: Trace, groups: Groups, layout: DramLayout) -> MemoryRuns:
    """Return the feature gathers of all groups.

    Chunk by chunk, and in memory order inside a chunk (assumed; within a subset the pivots leave
    entries in that order). Records of a chunk that are neighbours in memory make one run.
    """
    visible = trace.meta["counts"]["visible"]
    ordered = np.sort(groups.pair_chunk * visible + groups.pair_visible)
    runs = _merged(
        ordered // visible, ordered % visible, len(groups.chunk_entries), layout.features,
        constant("feature_bytes"),
    )  # fmt: skip
    ends = np.append(groups.chunk_begin, len(groups.chunk_entries))
    return MemoryRuns(runs.ptr[ends], runs.address, runs.size)


def pixel_runs(width: int, height: int, tile: int, start: int, pixel_bytes: int) -> MemoryRuns:
    """Return one run per row of every tile of the image, clipped to it."""
    tiles_x, tiles_y = -(-width // tile), -(-height // tile)
    number = np.arange(tiles_x * tiles_y, dtype=np.int64)
    x = (number % tiles_x) * tile
    y = (number // tiles_x)[:, None] * tile + np.arange(tile)
    address = start + (y * width + x[:, None]) * pixel_bytes
    size = np.broadcast_to((np.minimum(tile, width - x) * pixel_bytes)[:, None], y.shape)
    inside = y < height
    ptr: Any = np.concatenate([[0], np.cumsum(inside.sum(axis=1))])
    return MemoryRuns(ptr.astype(np.int64), address[inside], size[inside])
