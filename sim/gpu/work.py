"""What one kernel asks of a GPU: a grid of blocks, with counts by pipe and bytes by level."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from archsim.sim.gpu.device import BlockShape

__all__ = ["PIPES", "Memory", "Work", "blocks"]

F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]

#: What the pipes of a multiprocessor count: lane operations, but warp instructions for ``issue``
#: and bytes for ``shared`` and ``l2``.
PIPES = ("issue", "fp32", "fp16", "int32", "sfu", "tensor", "shared", "l2")


@dataclass(frozen=True)
class Memory:
    """What a kernel moves below the L1, all its blocks together.

    Attributes
    ----------
    read_bytes, write_bytes
        Each byte once: what a cold L2 with room for everything would move over the DRAM's pins.
    held_bytes
        Of ``read_bytes``, what earlier kernels touched: still in the L2 as far as it had room.
    left_bytes
        Of ``read_bytes``, what is known to be in the L2: the last wave of the kernel before.
    again_bytes
        Reads of bytes that other blocks, or this one, had read before: hits as far as the L2
        holds the ``reuse_bytes`` that pass between the first and the next use.
    reuse_bytes
        Bytes that the L2 must hold for those hits.
    in_place
        Whether the writes go where the reads came from.
    """

    read_bytes: float = 0.0
    write_bytes: float = 0.0
    held_bytes: float = 0.0
    left_bytes: float = 0.0
    again_bytes: float = 0.0
    reuse_bytes: float = 0.0
    in_place: bool = False

    @property
    def footprint_bytes(self) -> float:
        """Bytes touched, each once."""
        if self.in_place:
            return max(self.read_bytes, self.write_bytes)
        return self.read_bytes + self.write_bytes


@dataclass(frozen=True)
class Work:
    """One kernel, or one of several that run back to back for one operator.

    Attributes
    ----------
    name
        Of the operator, for reports.
    kind
        The class of kernel: gemm, attention, softmax, ...
    shape
        What a block asks of its multiprocessor: occupancy follows.
    count : (groups,) int64
        Blocks of each group, in launch order; blocks of a group are alike.
    counts : (groups, len(PIPES)) float64
        Counts of one block of each group, masked lanes included.
    trips : (groups,) float64
        Dependent accesses to memory that one block makes one after the other.
    memory
        Bytes below the L1.
    serial
        Whether the tensor and the vector phases of a block depend on one another, so that they
        do not overlap: softmax between the two products of attention.
    step_products
        Tensor products of the step that follows a block's last bytes.
    sharing
        Blocks that add up one tile of the output: the splits of k.
    launches
        Kernels: this one, and small ones before it of which nothing but the launch is modelled.
    """

    name: str
    kind: str
    shape: BlockShape
    count: I64
    counts: F64
    trips: F64
    memory: Memory = field(default_factory=Memory)
    serial: bool = False
    step_products: float = 0.0
    sharing: int = 1
    launches: int = 1

    def __post_init__(self) -> None:
        groups = self.count.shape[0]
        if self.counts.shape != (groups, len(PIPES)) or self.trips.shape != (groups,):
            raise ValueError(f"kernel {self.name}: counts of different numbers of groups")

    @property
    def blocks(self) -> int:
        """Blocks of the grid."""
        return int(self.count.sum())

    def total(self, pipe: str) -> float:
        """Return the count of a pipe over the whole grid."""
        if self.count.size == 1:
            return int(self.count[0]) * float(self.counts[0, PIPES.index(pipe)])
        return float(self.count @ self.counts[:, PIPES.index(pipe)])


def blocks(number: float | int, trips: float = 1.0, **counts: float) -> tuple[I64, F64, F64]:
    """Return count, counts and trips of a grid of like blocks; counts by the names of PIPES."""
    row = np.array([[counts.pop(pipe, 0.0) for pipe in PIPES]])
    if counts:
        raise ValueError(f"no pipe {next(iter(counts))!r}; use {', '.join(PIPES)}")
    return np.array([int(number)], np.int64), row, np.array([trips])
