"""The kernels over pairs of Gaussian and tile: duplicate with keys, radix sort, tiles' ranges.

The sort is CUB's: by default one sweep per 8-bit digit after one histogram (2n traffic per pass;
CUB's choice for 64-bit keys from compute capability 7.0 on), or two sweeps per 7-bit digit (3n).
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from archsim.sim.gpu.pieces import Kernel, Stream
from archsim.sim.gpu.runs import join, picked, scattered, spans
from archsim.sim.gs3d.tile_raster_frame import (
    DEPTH_BYTES,
    KEY_BYTES,
    MEAN2D_BYTES,
    VALUE_BYTES,
    WARP,
    Frame,
    WarpWork,
    warps_of,
)  # fmt: skip
from archsim.sim.program import MemoryRuns

__all__ = ["Sort", "duplicate", "passes_of", "ranges", "sort_pairs"]

I64 = npt.NDArray[np.int64]
Sort = Literal["onesweep", "two-sweep"]

_DIGITS = {"onesweep": 8, "two-sweep": 7}  # bits per pass: CUB's policies for 64-bit keys


def passes_of(sort: Sort, key_bits: int) -> int:
    """Return the passes over keys of so many bits."""
    return -(-key_bits // _DIGITS[sort])


def sort_pairs(frame: Frame, sort: Sort, passes: int) -> list[Kernel]:
    """Return the kernels of a radix sort of the pairs; pass p reads buffer p % 2."""
    return _onesweep(frame, passes) if sort == "onesweep" else _two_sweep(frame, passes)


def duplicate(frame: Frame) -> Kernel:
    """Return the kernel that writes a key and a value for every Gaussian and tile."""
    edges, index, sector = frame.cut(frame.gaussians), frame.index, frame.sector
    warp = index // WARP
    heads = np.flatnonzero(np.diff(warp, prepend=-1))
    longest = np.maximum.reduceat(frame.touched, heads)  # a warp loops as its longest lane
    borders = np.searchsorted(warp[heads], -(-edges // WARP))
    steps = np.diff(np.concatenate([[0], np.cumsum(longest)])[borders])
    work = WarpWork(frame, edges.size - 1)
    work.add("duplicate/gaussian", warps_of(edges), frame.gaussians)
    work.add("duplicate/visible", np.diff(borders), index.size)
    work.add("duplicate/pair", steps, frame.pairs)
    written = np.concatenate([[0], np.cumsum(frame.touched)])[np.searchsorted(index, edges)]
    reads = (
        Stream("duplicate.radius", spans(frame.radius, edges * 4, sector)),
        Stream("duplicate.features", join(
            picked(frame.offset, 4, index, edges, sector),
            picked(frame.mean2d, MEAN2D_BYTES, index, edges, sector),
            picked(frame.depth, DEPTH_BYTES, index, edges, sector))),
    )  # fmt: skip
    writes = (Stream("duplicate.pairs", _pairs(frame, 0, written)),)
    # the host reads the number of pairs back before it launches this kernel
    return work.kernel("duplicate", edges, reads, writes, waits=True)


def _pairs(frame: Frame, buffer: int, edges: I64) -> MemoryRuns:
    """Return the runs of keys and values of the pairs between ``edges``."""
    return join(
        spans(frame.keys[buffer], edges * KEY_BYTES, frame.sector),
        spans(frame.values[buffer], edges * VALUE_BYTES, frame.sector),
    )


def _scattered_pairs(frame: Frame, buffer: int, pieces: int, digits: int) -> MemoryRuns:
    return join(
        scattered(frame.keys[buffer], frame.pairs * KEY_BYTES, pieces, digits, frame.sector),
        scattered(frame.values[buffer], frame.pairs * VALUE_BYTES, pieces, digits, frame.sector),
    )


def _onesweep(frame: Frame, passes: int) -> list[Kernel]:
    edges = frame.cut(frame.pairs)
    work = WarpWork(frame, edges.size - 1)
    work.add("histogram/digit", warps_of(edges), frame.pairs, times=passes)
    keys = Stream("sort.histogram", spans(frame.keys[0], edges * KEY_BYTES, frame.sector))
    # the histograms' prefix sums are a kernel of their own
    kernels = [work.kernel("sort histogram", edges, (keys,), (), launches=2)]
    for turn in range(passes):
        work = WarpWork(frame, edges.size - 1)
        work.add("pass/pair", warps_of(edges), frame.pairs)
        read = Stream("sort.pairs", _pairs(frame, turn % 2, edges))
        write = Stream("sort.pairs", _scattered_pairs(
            frame, (turn + 1) % 2, edges.size - 1, 1 << _DIGITS["onesweep"]))  # fmt: skip
        kernels.append(work.kernel(f"sort pass {turn}", edges, (read,), (write,), trips=4))
    return kernels


def _two_sweep(frame: Frame, passes: int) -> list[Kernel]:
    edges = frame.cut(frame.pairs)
    kernels = []
    for turn in range(passes):
        up, down = WarpWork(frame, edges.size - 1), WarpWork(frame, edges.size - 1)
        up.add("upsweep/pair", warps_of(edges), frame.pairs)
        keys = spans(frame.keys[turn % 2], edges * KEY_BYTES, frame.sector)
        down.add("pass/pair", warps_of(edges), frame.pairs)
        read = Stream("sort.pairs", _pairs(frame, turn % 2, edges))
        write = Stream("sort.pairs", _scattered_pairs(
            frame, (turn + 1) % 2, edges.size - 1, 1 << _DIGITS["two-sweep"]))  # fmt: skip
        kernels.append(up.kernel(
            f"sort upsweep {turn}", edges, (Stream("sort.histogram", keys),), ()))  # fmt: skip
        # the scan of the digit counts is a kernel of its own
        kernels.append(down.kernel(
            f"sort pass {turn}", edges, (read,), (write,), trips=4, launches=2))  # fmt: skip
    return kernels


def ranges(frame: Frame, tiles: int, buffer: int) -> Kernel:
    """Return the kernel that finds where each tile's pairs begin and end in the sorted buffer."""
    edges = frame.cut(frame.pairs)
    work = WarpWork(frame, edges.size - 1)
    work.add("ranges/pair", warps_of(edges), frame.pairs)
    sorted_keys = spans(frame.keys[buffer], edges * KEY_BYTES, frame.sector)
    share = np.linspace(0, tiles * 8, edges.size).astype(np.int64)
    writes = (Stream("ranges.tiles", spans(frame.layout.place(tiles * 8), share, frame.sector)),)
    # the table is cleared by a memset just before
    return work.kernel("ranges", edges, (Stream("ranges.keys", sorted_keys),), writes,
                       launches=2)  # fmt: skip
