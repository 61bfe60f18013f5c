"""A recorded frame in the terms of INRIA's kernels: where arrays lie, and counts of warps' work."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from archsim.sim.gpu.device import BlockShape, Device
from archsim.sim.gpu.pieces import Grid, Kernel, Stream, Totals, cut_blocks, grid_of
from archsim.sim.gpu.runs import Layout
from archsim.sim.gs3d.tile_raster_costs import BRANCHING_SHARE, COSTS
from archsim.traces.trace import Trace

__all__ = [
    "BLOCK", "CLAMPED_BYTES", "CONIC_BYTES", "COV3D_BYTES", "DEPTH_BYTES", "KEY_BYTES",
    "MEAN2D_BYTES", "RGB_BYTES", "VALUE_BYTES", "WARP", "Frame", "WarpWork", "frame_of", "warps_of",
]  # fmt: skip

F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]

WARP = 32
BLOCK = 256
_PIECES = 64  # of a streaming kernel, at most
KEY_BYTES, VALUE_BYTES = 8, 4
#: bytes per Gaussian of the arrays that preprocess writes for a visible one
DEPTH_BYTES, CLAMPED_BYTES, MEAN2D_BYTES, COV3D_BYTES, CONIC_BYTES, RGB_BYTES = 4, 3, 8, 24, 16, 12


@dataclass(frozen=True)
class Frame:
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
        """Bytes of a sector of the L2."""
        return int(self.device.machine.l2.sector_bytes.value)

    def cut(self, items: int) -> I64:
        """Return piece borders in items for a kernel of one thread per item."""
        blocks = cut_blocks(-(-items // BLOCK), self.device.sms, _PIECES)
        return np.minimum(blocks * BLOCK, items)

    @property
    def in_flight(self) -> int:
        """Pieces whose reads or writes may be outstanding at once."""
        return 2 * self.device.sms


def frame_of(trace: Trace, device: Device) -> Frame:
    """Return a recorded frame with its arrays laid out on a device."""
    count, pairs = int(trace.meta["gaussians"]), int(trace.meta["pairs"])
    index = trace.columns["visible.index"]
    layout = Layout()
    place = layout.place
    return Frame(
        device=device, gaussians=count, index=index,
        touched=np.bincount(trace.columns["pair.gaussian"], minlength=index.size),
        in_front=trace.columns["block.in_front"],
        pairs=pairs, layout=layout,
        mean2d=place(count * MEAN2D_BYTES), conic=place(count * CONIC_BYTES),
        rgb=place(count * RGB_BYTES),
        depth=place(count * DEPTH_BYTES), radius=place(count * 4), tiles_touched=place(count * 4),
        offset=place(count * 4),
        keys=(place(pairs * KEY_BYTES), place(pairs * KEY_BYTES)),
        values=(place(pairs * VALUE_BYTES), place(pairs * VALUE_BYTES)),
    )  # fmt: skip


class WarpWork:
    """Adds up warp-level slots by piece (or by block) and thread-level totals."""

    def __init__(self, frame: Frame, pieces: int) -> None:
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
        rates, lanes = self._frame.device.rates, WARP
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
        grid = Grid(-(-np.diff(items) // BLOCK), BlockShape(BLOCK, 40, 0), trips)
        return Kernel(
            name, grid_of(grid, self.cycles(), self._frame.device), reads, writes,
            self._frame.in_flight, self.totals_with(moved), launches, waits,
        )  # fmt: skip


def warps_of(edges: I64) -> I64:
    """Return the warps of each piece when every thread has one item."""
    return -(-edges[1:] // WARP) - -(-edges[:-1] // WARP)
