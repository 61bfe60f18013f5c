"""Element-wise kernels, one or fused: bytes in and out, and instructions per element."""

from __future__ import annotations

from archsim.sim.gpu.device import BlockShape
from archsim.sim.gpu.work import Memory, Work, blocks

__all__ = ["elementwise"]

_THREADS = 256
_PER_THREAD = 8  # elements: 16-byte accesses of 2-byte elements


def elementwise(elements: int, *, read_bytes: float, write_bytes: float, instructions: float = 8,
                special: float = 0, held: float = 1.0, left: float = 0.0,
                in_place: bool = False, kind: str = "element-wise",
                name: str = "element-wise") -> Work:  # fmt: skip
    """Return a kernel over ``elements``; bytes, instructions and special functions are of one.

    Fused operations are one call: their instructions added up, what lies between them not moved.
    ``in_place``: the output goes where the first input was. ``held`` is the share of the input
    that earlier kernels touched, ``left`` the share that is known to be in the L2.
    """
    per_block = _THREADS * _PER_THREAD
    grid = blocks(
        -(-elements // per_block), trips=1, issue=per_block / 32 * instructions,
        sfu=per_block * special, l2=per_block * (read_bytes + write_bytes),
    )  # fmt: skip
    read = elements * read_bytes
    memory = Memory(read, elements * write_bytes, held_bytes=held * read, left_bytes=left * read,
                    in_place=in_place)  # fmt: skip
    return Work(name, kind, BlockShape(_THREADS, 32, 0), *grid, memory)
