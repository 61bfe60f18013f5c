"""Gathers and scatters of rows through an index: embeddings, cached tokens, paged keys."""

from __future__ import annotations

from archsim.sim.gpu.device import BlockShape, Device
from archsim.sim.gpu.work import Memory, Work, blocks

__all__ = ["gather", "index_select"]

_THREADS = 256
_PER_THREAD = 16  # bytes of one access


def gather(rows: int, row_bytes: int, *, distinct: int | None = None, sector_bytes: int = 32,
           held: float = 0.0,
           trips: int = 2, name: str = "gather") -> Work:  # fmt: skip
    """Return a kernel that copies ``rows`` rows named by an index of 4 bytes each.

    A scatter is the same with the index on the other side. Rows are whole sectors; of ``distinct``
    rows (all, unless given) each is fetched once, and ``held`` of them are still in the L2.
    ``trips``: dependent accesses, the index and the row, unless a block takes rows in turn.
    """
    whole = -(-row_bytes // sector_bytes) * sector_bytes
    per_block = max(_THREADS * _PER_THREAD // whole, 1)
    moved = per_block * (2 * whole + 4)
    grid = blocks(
        -(-rows // per_block), trips=trips, l2=moved, issue=moved / _PER_THREAD / 32 * 6
    )  # fmt: skip
    fetched = float((rows if distinct is None else distinct) * whole)
    memory = Memory(fetched + 4.0 * rows, float(rows * whole), held_bytes=held * fetched)
    return Work(name, "gather", BlockShape(_THREADS, 32, 0), *grid, memory)


#: PyTorch's kernel: threads of a block, blocks that a multiprocessor gets, rows up to which every
#: block takes them in turn (ATen/native/cuda/Indexing.cu, indexSelectLargeIndex and -SmallIndex).
_SELECT_THREADS = 128
_SELECT_BLOCKS = 8
_SELECT_FEW = 16
#: Of the latency of a read from memory, one that the L2 or the L1 has: 185 and 39 of 552 cycles
#: (gpgpu-sim_distribution SM87_ORIN, 708e053).
_FROM_L2, _FROM_L1 = 185 / 552, 39 / 552
#: Instructions of a thread for an element: two divisions by sizes known at run time share the lanes
#: with loads and stores of one element each; scaled to fit rows.
_SELECT_INSTRUCTIONS = 14


def index_select(rows: int, columns: int, device: Device, *, element_bytes: float = 2,
                 distinct: int | None = None, name: str = "index select") -> Work:  # fmt: skip
    """Return PyTorch's copy of ``rows`` rows named by an index: its embedding.

    A thread copies one element, and the next one a whole grid further on: it waits for the word of
    the index, then for the element. The grid is no larger than eight blocks of 128 threads for
    each multiprocessor, so that these waits and not the memory's rate bound long copies. Of
    ``distinct`` rows (all, unless given) each is fetched once; rows named again are in the L1.
    """
    if rows <= _SELECT_FEW:  # the grid spans one row, and takes the rows in turn
        number = min(-(-columns // _SELECT_THREADS), _SELECT_BLOCKS * device.sms)
        trips = 1.0 + rows
    else:
        number = min(-(-rows * columns // _SELECT_THREADS), _SELECT_BLOCKS * device.sms)
        new = 1.0 if distinct is None else min(distinct / rows, 1.0)
        steps = -(-rows * columns // (number * _SELECT_THREADS))
        trips = 1.0 + steps * (_FROM_L2 + new + (1 - new) * _FROM_L1)
    per_block = rows * columns / number
    fetched = (rows if distinct is None else distinct) * columns * element_bytes
    written = rows * columns * element_bytes
    grid = blocks(
        number, trips=trips, issue=per_block / 32 * _SELECT_INSTRUCTIONS,
        l2=(fetched + written) / number,
    )  # fmt: skip
    shape = BlockShape(_SELECT_THREADS, 32, 0)
    return Work(name, "gather", shape, *grid, Memory(fetched + 8.0 * rows, written))
