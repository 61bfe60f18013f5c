"""The render kernel: tiles' real lists as blocks of unlike length, and gathers through the L2.

It loads centre and conic of every entry that it fetches, but a colour only where it blends: once
per tile, the other warps find it in L1. Tiles' ranges (8 bytes each) are taken to be in the L2.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from archsim.sim.gpu.cache import Gather, run_gather
from archsim.sim.gpu.device import BlockShape, resident_blocks
from archsim.sim.gpu.pieces import Kernel, Stream, gathered_runs, timelines
from archsim.sim.gs3d.tile_raster_costs import (
    BLEND_CHAIN_CYCLES,
    BLOCK_REGISTERS,
    TEST_CHAIN_CYCLES,
)
from archsim.sim.gs3d.tile_raster_frame import (
    BLOCK,
    CONIC_BYTES,
    MEAN2D_BYTES,
    RGB_BYTES,
    WARP,
    Frame,
    WarpWork,
)  # fmt: skip
from archsim.sim.program import MemoryRuns
from archsim.traces.trace import Trace

__all__ = ["render"]

F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]

_TILE = 16
_RENDER_PIECES = 2560  # tiles per piece grow beyond that


def render(frame: Frame, trace: Trace, buffer: int) -> Kernel:
    """Return the kernel that blends tiles, from the pairs in ``buffer``."""
    column = trace.columns
    fetched = column["tile.fetched"]
    tiles = fetched.size
    sm = frame.device.machine.sm
    block = BlockShape(BLOCK, int(BLOCK_REGISTERS.value), BLOCK * (4 + MEAN2D_BYTES + CONIC_BYTES))
    resident = resident_blocks(sm, block) * frame.device.sms
    batches = -(-fetched // BLOCK)
    gather = run_gather(
        Gather(
            index=frame.index[column["pair.gaussian"]], start=column["tile.start"],
            fetched=fetched,
            list_base=frame.values[buffer],
            array_base=np.array([frame.mean2d, frame.conic, frame.rgb], np.int64),
            array_bytes=np.array([MEAN2D_BYTES, CONIC_BYTES, RGB_BYTES], np.int64),
            needed=column["pair.blended"], if_needed=np.array([False, False, True]), batch=BLOCK,
        ),
        frame.device.machine.l2, resident,
    )  # fmt: skip
    warps = BLOCK // WARP
    work = WarpWork(frame, tiles)
    work.add("render/pixel", np.full(tiles, warps), tiles * BLOCK)
    work.add("render/fetch", batches * warps, int(batches.sum()) * BLOCK)
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


def _render_delay(frame: Frame, batches: I64, column: Mapping[str, I64], busy: F64) -> F64:
    """Return the cycles by which each tile's block lasts longer than its pipes are busy, alone.

    A batch is two dependent accesses, the list's entries and what they name. A warp tests one
    entry after the other, each as long as its dependent instructions take, and blends in some.
    """
    generation = frame.device.generation
    per_ns = frame.device.clock_mhz / 1e3
    access = (2 * batches + 1) * generation.latency_ns.value + generation.block_ns.value
    warps = BLOCK // WARP
    tests = column["tile.consumed"] * TEST_CHAIN_CYCLES.value
    blends = column["tile.warp_blend_iterations"] / warps * BLEND_CHAIN_CYCLES.value
    return np.asarray(access * per_ns + np.maximum(tests + blends - busy, 0.0), np.float64)


def _pixels(frame: Frame, trace: Trace) -> MemoryRuns:
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
