"""What a method says about a GPU kernel: pieces with instruction counts and memory runs."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from archsim.sim.program import MemoryRuns

__all__ = ["Kernel", "Stream", "Totals", "cut_blocks"]

I64 = npt.NDArray[np.int64]


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

    A piece is one thread block or a run of consecutive blocks that one multiprocessor executes.

    Attributes
    ----------
    name
        Stage name in reports.
    issue_slots, fp32_slots, sfu_slots : (pieces,) int64
        Warp instructions of the piece: all, on the FP32 lanes, on the special-function lanes.
    reads, writes
        Streams with one entry per piece.
    in_flight
        Pieces whose reads (or writes) may be outstanding at once.
    launches
        Launch gaps before it starts: 1, and one for each small kernel or host round trip just
        before it whose own work is neglected.
    """

    name: str
    issue_slots: I64
    fp32_slots: I64
    sfu_slots: I64
    reads: tuple[Stream, ...]
    writes: tuple[Stream, ...]
    in_flight: int
    totals: Totals = field(default_factory=Totals)
    launches: int = 1

    def __post_init__(self) -> None:
        pieces = self.issue_slots.size
        if self.in_flight < 1 or self.launches < 1:
            raise ValueError(f"kernel {self.name}: in_flight and launches are at least 1")
        for slots in (self.fp32_slots, self.sfu_slots):
            if slots.size != pieces:
                raise ValueError(f"kernel {self.name}: slots of different numbers of pieces")
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
