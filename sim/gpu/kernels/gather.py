"""Gathers and scatters of rows through an index: embeddings, cached tokens, paged keys."""

from __future__ import annotations

from archsim.sim.gpu.device import BlockShape
from archsim.sim.gpu.work import Memory, Work, blocks

__all__ = ["gather"]

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
