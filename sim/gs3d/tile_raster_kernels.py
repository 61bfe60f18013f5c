"""The kernels of INRIA's rasteriser on a recorded frame: counts and addresses, kernel by kernel.

Order and arrays follow diff-gaussian-rasterization (59f5f77): preprocess, prefix sum over the
touched tiles, duplicate with keys, radix sort, tile ranges, render. The sort is CUB's: by default
one sweep per 8-bit digit after one histogram (2n traffic per pass; CUB's choice for 64-bit keys
from compute capability 7.0 on), or two sweeps per 7-bit digit (3n).

DRAM bytes are whole sectors, each moved once per piece of a kernel. A Gaussian behind the near
plane reads its mean only; one in front of it also scale and rotation, and writes its covariance;
one that touches a tile reads opacity and harmonics too. The trace counts those in front per block
of 256, so they are taken as neighbours there. Ranges (8 bytes per tile) are taken to stay in the
L2 until the render kernel reads them. The render kernel loads centre and conic of every entry
that it fetches, but a colour only where it blends: once per tile, the other warps find it in L1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from archsim.sim.gpu.cache import Gather, run_gather
from archsim.sim.gpu.device import BlockShape, Device, resident_blocks
from archsim.sim.gpu.pieces import (
    Grid,
    Kernel,
    Stream,
    Totals,
    cut_blocks,
    gathered_runs,
    grid_of,
    timelines,
)
from archsim.sim.gpu.runs import Layout, join, picked, scattered, spans
from archsim.sim.gs3d.tile_raster_costs import (
    BLEND_CHAIN_CYCLES,
    BLOCK_REGISTERS,
    BRANCHING_SHARE,
    COSTS,
    TEST_CHAIN_CYCLES,
)
from archsim.sim.program import MemoryRuns
from archsim.traces.trace import Trace

__all__ = ["Sort", "tile_raster_kernels"]

F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]
Sort = Literal["onesweep", "two-sweep"]

_WARP = 32
_BLOCK = 256
_TILE = 16
_PIECES = 64  # of a streaming kernel, at most
_RENDER_PIECES = 2560  # tiles per piece grow beyond that
_KEY_BYTES, _VALUE_BYTES = 8, 4
_DIGITS = {"onesweep": 8, "two-sweep": 7}  # bits per pass: CUB's policies for 64-bit keys
#: bytes per Gaussian of the arrays that preprocess writes for a visible one
_DEPTH, _CLAMPED, _MEAN2D, _COV3D, _CONIC, _RGB = 4, 3, 8, 24, 16, 12


@dataclass(frozen=True)
class _Frame:
    """The trace in the kernels' terms, and where its arrays lie."""

    device: Device
    gaussians: int
    index: npt.NDArray[np.int32]  # visible Gaussians, ascending
    touched: I64  # tiles of each
    in_front: I64  # Gaussians past the near plane, by block of 256
    pairs: int
    layout: Layout
    mean2d: int
    conic: int
    rgb: int
    depth: int
    radius: int
    tiles_touched: int
    offset: int
    keys: tuple[int, int]  # a buffer and its alternate
    values: tuple[int, int]

    @property
    def sector(self) -> int:
        return int(self.device.machine.l2.sector_bytes.value)

    def cut(self, items: int) -> I64:
        """Return piece borders in items for a kernel of one thread per item."""
        blocks = cut_blocks(-(-items // _BLOCK), self.device.sms, _PIECES)
        return np.minimum(blocks * _BLOCK, items)

    @property
    def in_flight(self) -> int:
        return 2 * self.device.sms


def tile_raster_kernels(trace: Trace, device: Device, sort: Sort) -> list[Kernel]:
    """Return the kernels of one frame, in launch order."""
    frame = _frame(trace, device)
    key_bits = int(trace.meta["key_bits"])
    coefficients = (int(trace.meta["sh_degree"]) + 1) ** 2
    sorting = _onesweep if sort == "onesweep" else _two_sweep
    passes = -(-key_bits // _DIGITS[sort])
    return [
        _preprocess(frame, coefficients),
        _scan(frame),
        _duplicate(frame),
        *sorting(frame, passes),
        _ranges(frame, trace.columns["tile.pairs"].size, passes % 2),
        _render(frame, trace, passes % 2),
    ]


def _frame(trace: Trace, device: Device) -> _Frame:
    count, pairs = int(trace.meta["gaussians"]), int(trace.meta["pairs"])
    index = trace.columns["visible.index"]
    layout = Layout()
    place = layout.place
    return _Frame(
        device=device, gaussians=count, index=index,
        touched=np.bincount(trace.columns["pair.gaussian"], minlength=index.size),
        in_front=trace.columns["block.in_front"],
        pairs=pairs, layout=layout,
        mean2d=place(count * _MEAN2D), conic=place(count * _CONIC), rgb=place(count * _RGB),
        depth=place(count * _DEPTH), radius=place(count * 4), tiles_touched=place(count * 4),
        offset=place(count * 4),
        keys=(place(pairs * _KEY_BYTES), place(pairs * _KEY_BYTES)),
        values=(place(pairs * _VALUE_BYTES), place(pairs * _VALUE_BYTES)),
    )  # fmt: skip


class _Work:
    """Adds up warp-level slots by piece (or by block) and thread-level totals."""

    def __init__(self, frame: _Frame, pieces: int) -> None:
        self._frame = frame
        self.slots = np.zeros((3, pieces))
        self.totals = np.zeros(3)

    def add(self, cost: str, warps: npt.ArrayLike, threads: int, times: float = 1) -> None:
        """Count units of work: by piece for warps (each warp once), in total for active lanes."""
        entry = COSTS[cost]
        for kind, each in enumerate((entry.instructions, entry.fp32, entry.sfu)):
            self.slots[kind] += np.asarray(warps, np.float64) * (each.value * times)
            self.totals[kind] += threads * each.value * times

    def cycles(self) -> F64:
        """Return the cycles that each piece keeps one multiprocessor's pipes busy, at the longest.

        Slots are warp instructions, a masked lane costing as much as an active one.
        """
        rates, lanes = self._frame.device.rates, _WARP
        issue = self.slots[0] / (rates[0] * BRANCHING_SHARE.value)
        of_lanes = np.maximum(self.slots[1] * lanes / rates[1], self.slots[2] * lanes / rates[4])
        longest: F64 = np.maximum(issue, of_lanes)
        return longest

    def totals_with(self, l2_bytes: int) -> Totals:
        """Return the totals as action counts."""
        instructions, fp32, sfu = (round(float(t)) for t in self.totals)
        return Totals(instructions, fp32, sfu, l2_bytes)

    def kernel(
        self,
        name: str,
        items: I64,
        reads: tuple[Stream, ...],
        writes: tuple[Stream, ...],
        *,
        trips: float = 2,
        launches: int = 1,
        waits: bool = False,
    ) -> Kernel:
        """Return a kernel of one thread per item; ``items`` are the pieces' borders.

        Its L2 traffic is what its streams move.
        """
        moved = sum(int(s.runs.size.sum()) for s in (*reads, *writes))
        grid = Grid(-(-np.diff(items) // _BLOCK), BlockShape(_BLOCK, 40, 0), trips)
        return Kernel(
            name, grid_of(grid, self.cycles(), self._frame.device), reads, writes,
            self._frame.in_flight, self.totals_with(moved), launches, waits,
        )  # fmt: skip


def _warps(edges: I64) -> I64:
    """Return the warps of each piece when every thread has one item."""
    return -(-edges[1:] // _WARP) - -(-edges[:-1] // _WARP)


def _preprocess(frame: _Frame, coefficients: int) -> Kernel:
    edges, index, sector = frame.cut(frame.gaussians), frame.index, frame.sector
    warp = index // _WARP
    active = warp[np.flatnonzero(np.diff(warp, prepend=-1))]  # warps with a visible lane
    active_warps = np.diff(np.searchsorted(active, edges // _WARP))
    active_warps[-1] = active.size - int(active_warps[:-1].sum())
    work = _Work(frame, edges.size - 1)
    work.add("preprocess/gaussian", _warps(edges), frame.gaussians)
    front_warps = np.add.reduceat(-(-frame.in_front // _WARP), edges[:-1] // _BLOCK)
    work.add("preprocess/in_front", np.maximum(front_warps, active_warps),
             int(frame.in_front.sum()))  # fmt: skip
    work.add("preprocess/visible", active_warps, index.size)
    work.add("preprocess/direction", active_warps, index.size)
    work.add("preprocess/coefficient", active_warps, index.size, times=coefficients)
    place = frame.layout.place
    means, scales = place(frame.gaussians * 12), place(frame.gaussians * 12)
    rotations, opacities = place(frame.gaussians * 16), place(frame.gaussians * 4)
    harmonics = place(frame.gaussians * 12 * coefficients)
    clamped, cov3d = place(frame.gaussians * _CLAMPED), place(frame.gaussians * _COV3D)

    def visible(base: int, item_bytes: int) -> MemoryRuns:
        return picked(base, item_bytes, index, edges, sector)

    reads = (
        Stream("preprocess.means", spans(means, edges * 12, sector)),
        Stream("preprocess.shape", join(
            _ahead(frame, scales, 12, edges), _ahead(frame, rotations, 16, edges),
            visible(opacities, 4))),
        Stream("preprocess.harmonics", visible(harmonics, 12 * coefficients)),
    )  # fmt: skip
    writes = (
        Stream("preprocess.radius_tiles", join(
            spans(frame.radius, edges * 4, sector), spans(frame.tiles_touched, edges * 4, sector))),
        Stream("preprocess.features", join(
            visible(frame.depth, _DEPTH), visible(clamped, _CLAMPED),
            visible(frame.mean2d, _MEAN2D), visible(frame.conic, _CONIC),
            visible(frame.rgb, _RGB))),
        Stream("preprocess.covariance", _ahead(frame, cov3d, _COV3D, edges)),
    )  # fmt: skip
    return work.kernel("preprocess", edges, reads, writes, trips=3)


def _ahead(frame: _Frame, base: int, item_bytes: int, edges: I64) -> MemoryRuns:
    """Return the runs of the Gaussians in front of the near plane, one per block of 256."""
    block = np.flatnonzero(frame.in_front)
    size = frame.in_front[block] * item_bytes
    ptr = np.searchsorted(block, -(-edges // _BLOCK)).astype(np.int64)
    size = -(-size // frame.sector) * frame.sector
    return MemoryRuns(ptr, base + block * (_BLOCK * item_bytes), size)


def _scan(frame: _Frame) -> Kernel:
    edges = frame.cut(frame.gaussians)
    work = _Work(frame, edges.size - 1)
    work.add("scan/item", _warps(edges), frame.gaussians)
    reads = (Stream("scan.tiles", spans(frame.tiles_touched, edges * 4, frame.sector)),)
    writes = (Stream("scan.offsets", spans(frame.offset, edges * 4, frame.sector)),)
    # CUB initialises the look-back state in a kernel of its own
    return work.kernel("scan", edges, reads, writes, launches=2)


def _duplicate(frame: _Frame) -> Kernel:
    edges, index, sector = frame.cut(frame.gaussians), frame.index, frame.sector
    warp = index // _WARP
    heads = np.flatnonzero(np.diff(warp, prepend=-1))
    longest = np.maximum.reduceat(frame.touched, heads)  # a warp loops as its longest lane
    borders = np.searchsorted(warp[heads], -(-edges // _WARP))
    steps = np.diff(np.concatenate([[0], np.cumsum(longest)])[borders])
    work = _Work(frame, edges.size - 1)
    work.add("duplicate/gaussian", _warps(edges), frame.gaussians)
    work.add("duplicate/visible", np.diff(borders), index.size)
    work.add("duplicate/pair", steps, frame.pairs)
    written = np.concatenate([[0], np.cumsum(frame.touched)])[np.searchsorted(index, edges)]
    reads = (
        Stream("duplicate.radius", spans(frame.radius, edges * 4, sector)),
        Stream("duplicate.features", join(
            picked(frame.offset, 4, index, edges, sector),
            picked(frame.mean2d, _MEAN2D, index, edges, sector),
            picked(frame.depth, _DEPTH, index, edges, sector))),
    )  # fmt: skip
    writes = (Stream("duplicate.pairs", _pairs(frame, 0, written)),)
    # the host reads the number of pairs back before it launches this kernel
    return work.kernel("duplicate", edges, reads, writes, waits=True)


def _pairs(frame: _Frame, buffer: int, edges: I64) -> MemoryRuns:
    """Return the runs of keys and values of the pairs between ``edges``."""
    return join(
        spans(frame.keys[buffer], edges * _KEY_BYTES, frame.sector),
        spans(frame.values[buffer], edges * _VALUE_BYTES, frame.sector),
    )


def _scattered_pairs(frame: _Frame, buffer: int, pieces: int, digits: int) -> MemoryRuns:
    return join(
        scattered(frame.keys[buffer], frame.pairs * _KEY_BYTES, pieces, digits, frame.sector),
        scattered(frame.values[buffer], frame.pairs * _VALUE_BYTES, pieces, digits, frame.sector),
    )


def _onesweep(frame: _Frame, passes: int) -> list[Kernel]:
    edges = frame.cut(frame.pairs)
    work = _Work(frame, edges.size - 1)
    work.add("histogram/digit", _warps(edges), frame.pairs, times=passes)
    keys = Stream("sort.histogram", spans(frame.keys[0], edges * _KEY_BYTES, frame.sector))
    # the histograms' prefix sums are a kernel of their own
    kernels = [work.kernel("sort histogram", edges, (keys,), (), launches=2)]
    for turn in range(passes):
        work = _Work(frame, edges.size - 1)
        work.add("pass/pair", _warps(edges), frame.pairs)
        read = Stream("sort.pairs", _pairs(frame, turn % 2, edges))
        write = Stream("sort.pairs", _scattered_pairs(
            frame, (turn + 1) % 2, edges.size - 1, 1 << _DIGITS["onesweep"]))  # fmt: skip
        kernels.append(work.kernel(f"sort pass {turn}", edges, (read,), (write,), trips=4))
    return kernels


def _two_sweep(frame: _Frame, passes: int) -> list[Kernel]:
    edges = frame.cut(frame.pairs)
    kernels = []
    for turn in range(passes):
        up, down = _Work(frame, edges.size - 1), _Work(frame, edges.size - 1)
        up.add("upsweep/pair", _warps(edges), frame.pairs)
        keys = spans(frame.keys[turn % 2], edges * _KEY_BYTES, frame.sector)
        down.add("pass/pair", _warps(edges), frame.pairs)
        read = Stream("sort.pairs", _pairs(frame, turn % 2, edges))
        write = Stream("sort.pairs", _scattered_pairs(
            frame, (turn + 1) % 2, edges.size - 1, 1 << _DIGITS["two-sweep"]))  # fmt: skip
        kernels.append(up.kernel(
            f"sort upsweep {turn}", edges, (Stream("sort.histogram", keys),), ()))  # fmt: skip
        # the scan of the digit counts is a kernel of its own
        kernels.append(down.kernel(
            f"sort pass {turn}", edges, (read,), (write,), trips=4, launches=2))  # fmt: skip
    return kernels


def _ranges(frame: _Frame, tiles: int, buffer: int) -> Kernel:
    edges = frame.cut(frame.pairs)
    work = _Work(frame, edges.size - 1)
    work.add("ranges/pair", _warps(edges), frame.pairs)
    sorted_keys = spans(frame.keys[buffer], edges * _KEY_BYTES, frame.sector)
    share = np.linspace(0, tiles * 8, edges.size).astype(np.int64)
    writes = (Stream("ranges.tiles", spans(frame.layout.place(tiles * 8), share, frame.sector)),)
    # the table is cleared by a memset just before
    return work.kernel("ranges", edges, (Stream("ranges.keys", sorted_keys),), writes,
                       launches=2)  # fmt: skip


def _render(frame: _Frame, trace: Trace, buffer: int) -> Kernel:
    column = trace.columns
    fetched = column["tile.fetched"]
    tiles = fetched.size
    sm = frame.device.machine.sm
    block = BlockShape(_BLOCK, int(BLOCK_REGISTERS.value), _BLOCK * (4 + _MEAN2D + _CONIC))
    resident = resident_blocks(sm, block) * frame.device.sms
    batches = -(-fetched // _BLOCK)
    gather = run_gather(
        Gather(
            index=frame.index[column["pair.gaussian"]], start=column["tile.start"],
            fetched=fetched,
            list_base=frame.values[buffer],
            array_base=np.array([frame.mean2d, frame.conic, frame.rgb], np.int64),
            array_bytes=np.array([_MEAN2D, _CONIC, _RGB], np.int64),
            needed=column["pair.blended"], if_needed=np.array([False, False, True]), batch=_BLOCK,
        ),
        frame.device.machine.l2, resident,
    )  # fmt: skip
    warps = _BLOCK // _WARP
    work = _Work(frame, tiles)
    work.add("render/pixel", np.full(tiles, warps), tiles * _BLOCK)
    work.add("render/fetch", batches * warps, int(batches.sum()) * _BLOCK)
    work.add("render/test", column["tile.warp_iterations"], int(column["tile.alpha_tests"].sum()))
    work.add("render/blend", column["tile.warp_blend_iterations"],
             int(column["tile.blends"].sum()))  # fmt: skip
    cycle_ns = 1e3 / frame.device.clock_mhz
    busy = work.cycles() * cycle_ns
    delay = _render_delay(frame, batches, column, busy / cycle_ns) * cycle_ns
    spread = timelines(busy, delay, frame.device.sms, resident // frame.device.sms, _RENDER_PIECES)
    pieces = spread.duration_ps.size
    misses = gathered_runs(gather.misses, spread.first, pieces)
    pixels = _pixels(frame, trace)
    written = int(pixels.size.sum())
    reads = (Stream("render.gathers", misses),)
    writes = (Stream("render.pixels", gathered_runs(pixels, spread.last, pieces)),)
    return Kernel(
        "render", spread.duration_ps, reads, writes,
        max(round(resident / max(spread.per_piece, 1.0)), frame.device.sms),
        work.totals_with(gather.sectors * frame.sector + written), lane=spread.lane,
    )  # fmt: skip


def _render_delay(frame: _Frame, batches: I64, column: Mapping[str, I64], busy: F64) -> F64:
    """Return the cycles by which each tile's block lasts longer than its pipes are busy, alone.

    A batch is two dependent accesses, the list's entries and what they name. A warp tests one
    entry after the other, each as long as its dependent instructions take, and blends in some.
    """
    generation = frame.device.generation
    per_ns = frame.device.clock_mhz / 1e3
    access = (2 * batches + 1) * generation.latency_ns.value + generation.block_ns.value
    warps = _BLOCK // _WARP
    tests = column["tile.consumed"] * TEST_CHAIN_CYCLES.value
    blends = column["tile.warp_blend_iterations"] / warps * BLEND_CHAIN_CYCLES.value
    return np.asarray(access * per_ns + np.maximum(tests + blends - busy, 0.0), np.float64)


def _pixels(frame: _Frame, trace: Trace) -> MemoryRuns:
    """Return the rows of pixels that each tile writes in five planes.

    Planes of 4 bytes per pixel: transmittance, contributor count, red, green, blue.
    """
    width, height = int(trace.meta["width"]), int(trace.meta["height"])
    tiles_x = -(-width // _TILE)
    tile = np.arange(trace.columns["tile.pairs"].size, dtype=np.int64)
    planes = np.array([frame.layout.place(width * height * 4) for _ in range(5)], np.int64)
    x = (tile % tiles_x) * _TILE
    row = (tile // tiles_x * _TILE)[:, None] + np.arange(_TILE)
    address = planes[None, :, None] + 4 * (row * width + x[:, None])[:, None, :]
    size = np.broadcast_to((4 * np.minimum(_TILE, width - x))[:, None, None], address.shape)
    kept = np.broadcast_to((row < height)[:, None, :], address.shape)
    counts = np.concatenate([[0], np.cumsum(kept.sum(axis=(1, 2)))])
    return MemoryRuns(counts.astype(np.int64), address[kept], size[kept])
