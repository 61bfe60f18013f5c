"""What a method says about a GPU kernel in the task graph: pieces with durations and memory runs.

A piece is what one multiprocessor does in some stretch of its time: some blocks of a grid of like
blocks, or a span of a multiprocessor's timeline where blocks are not alike. Durations come from
the kernel model (:mod:`archsim.sim.gpu.timing`); the task graph adds memory and launches.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from archsim.base.jit import njit
from archsim.sim.gpu.device import BlockShape, Device, resident_blocks
from archsim.sim.gpu.scheduler import placed
from archsim.sim.program import MemoryRuns

__all__ = [
    "Grid", "Kernel", "Stream", "Timelines", "Totals", "cut_blocks", "gathered_runs", "grid_of",
    "timelines",
]  # fmt: skip

I64 = npt.NDArray[np.int64]
F64 = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Stream:
    """An array, or several of one meaning, that the pieces of a kernel read or write."""

    name: str
    runs: MemoryRuns


@dataclass(frozen=True)
class Totals:
    """Thread-level action counts of a kernel, active lanes only; bytes between L1 and L2."""

    instructions: int = 0
    fp32: int = 0
    sfu: int = 0
    l2_bytes: int = 0


@dataclass(frozen=True)
class Kernel:
    """One kernel, or kernels that nothing is modelled of but their launches.

    Attributes
    ----------
    name
        Stage name in reports.
    duration_ps : (pieces,) int64
        What the pieces take on their multiprocessors.
    reads, writes
        Streams with one entry per piece.
    in_flight
        Pieces whose reads (or writes) may be outstanding at once.
    launches
        Launches before it starts: 1, and one for each small kernel just before it whose own work
        is neglected.
    waits
        Whether the host waits for all work before it launches: it reads a result back.
    lane : (pieces,) int64
        The multiprocessor of each piece, whose pieces follow each other; ``None`` where any
        multiprocessor may take any piece.
    """

    name: str
    duration_ps: I64
    reads: tuple[Stream, ...]
    writes: tuple[Stream, ...]
    in_flight: int
    totals: Totals = field(default_factory=Totals)
    launches: int = 1
    waits: bool = False
    lane: I64 | None = None

    def __post_init__(self) -> None:
        pieces = self.duration_ps.size
        if self.in_flight < 1 or self.launches < 1:
            raise ValueError(f"kernel {self.name}: in_flight and launches are at least 1")
        if self.lane is not None and self.lane.size != pieces:
            raise ValueError(f"kernel {self.name}: lanes of another number of pieces")
        for stream in (*self.reads, *self.writes):
            if stream.runs.ptr.size != pieces + 1:
                raise ValueError(f"kernel {self.name}: stream {stream.name} has other pieces")


def cut_blocks(blocks: int, sms: int, most: int) -> I64:
    """Return piece borders in blocks, (pieces + 1,): at most ``most`` pieces, equal within one.

    With more blocks than that, the number of pieces is a multiple of ``sms``, so that every
    multiprocessor gets the same share.
    """
    pieces = blocks if blocks <= most else max(most // sms, 1) * sms
    pieces = min(pieces, blocks)
    return np.arange(pieces + 1, dtype=np.int64) * blocks // max(pieces, 1)


# --- grids of like blocks -----------------------------------------------------------------------


@dataclass(frozen=True)
class Grid:
    """Pieces of a grid: how many blocks each has, their shape, and what one block waits for."""

    blocks: I64
    shape: BlockShape
    trips: float


def grid_of(grid: Grid, cycles: F64, device: Device) -> I64:
    """Return the durations of pieces whose blocks keep their pipes busy for ``cycles`` in all.

    A piece's blocks run ``resident`` at a time on one multiprocessor: bound by its pipes, or, with
    too few blocks to hide it, by each block's own latency.
    """
    generation = device.generation
    cycle_ns = 1e3 / device.clock_mhz
    resident = resident_blocks(device.machine.sm, grid.shape)
    delay = generation.block_ns.value + grid.trips * generation.latency_ns.value
    busy = cycles * cycle_ns
    rounds = -(-grid.blocks // resident)
    alone = rounds * delay + busy * np.minimum(rounds / np.maximum(grid.blocks, 1), 1.0)
    duration: I64 = np.ceil(np.maximum(busy, alone) * 1e3).astype(np.int64)
    return duration


# --- blocks that are not alike ------------------------------------------------------------------


@dataclass(frozen=True)
class Timelines:
    """Multiprocessors' times cut into spans of equal length: pieces.

    ``first[b]`` and ``last[b]`` are the pieces in which block b starts and ends; ``per_piece`` is
    the mean number of blocks that start in a piece.
    """

    duration_ps: I64
    lane: I64
    first: I64
    last: I64
    per_piece: float


def timelines(busy_ns: F64, delay_ns: F64, sms: int, resident: int, most: int) -> Timelines:
    """Place blocks over multiprocessors as they free up, and cut the times into pieces."""
    start, finish, sm = placed(busy_ns, delay_ns, sms, resident)
    ends = np.zeros(sms)
    np.maximum.at(ends, sm, finish)
    spans = max(1, min(most // sms, -(-busy_ns.size // sms)))
    length = np.maximum(ends / spans, 1e-3)
    lane = np.tile(np.arange(sms), spans)  # in the order of time, as their reads are asked for
    duration = np.where(ends > 0, np.ceil(length * 1e3), 0).astype(np.int64)
    first = np.minimum((start / length[sm]).astype(np.int64), spans - 1) * sms + sm
    last = np.minimum((finish / length[sm]).astype(np.int64), spans - 1) * sms + sm
    return Timelines(np.tile(duration, spans), lane, first, last, busy_ns.size / (sms * spans))


def gathered_runs(runs: MemoryRuns, piece: I64, pieces: int) -> MemoryRuns:
    """Return the runs of blocks by the piece that each block belongs to, blocks in their order."""
    order = np.argsort(piece, kind="stable")
    length = np.diff(runs.ptr)
    per_piece = np.bincount(piece, weights=length, minlength=pieces).astype(np.int64)
    ptr = np.concatenate([[0], np.cumsum(per_piece)]).astype(np.int64)
    return MemoryRuns(ptr, *_in_order(order, runs.ptr, runs.address, runs.size))


@njit()
def _in_order(order: I64, ptr: I64, address: I64, size: I64) -> tuple[I64, I64]:
    """Return addresses and sizes of the runs of the blocks in another order."""
    addresses, sizes = np.empty(address.shape[0], np.int64), np.empty(size.shape[0], np.int64)
    to = 0
    for block in order:
        for run in range(ptr[block], ptr[block + 1]):
            addresses[to], sizes[to] = address[run], size[run]
            to += 1
    return addresses, sizes
