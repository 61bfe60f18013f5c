"""Element-wise kernels, one or fused: bytes in and out, and instructions per element."""

from __future__ import annotations

from archsim.sim.gpu.device import BlockShape
from archsim.sim.gpu.work import Memory, Work, blocks

__all__ = ["elementwise"]

_THREADS = 256
_PER_THREAD = 8  # elements: 16-byte accesses of 2-byte elements
#: PyTorch's kernel for operands that do not lie alike in memory (ATen/native/cuda/CUDALoops.cuh,
#: launch_legacy_kernel): threads of a block, elements of a thread, one access each.
_STRIDED_THREADS = 128
_STRIDED_PER_THREAD = {2: 4, 4: 2}
#: Its instructions for an element, counted: number and bound, addresses, accesses, conversions; and
#: for each dimension of the index a division by multiplying, a remainder, three offsets, a test.
_STRIDED, _PER_DIMENSION = 13, 12


def elementwise(elements: int, *, read_bytes: float, write_bytes: float, instructions: float = 8,
                special: float = 0, held: float = 1.0, left: float = 0.0,
                in_place: bool = False, dimensions: int = 0, element_bytes: int = 2,
                kind: str = "element-wise", name: str = "element-wise") -> Work:  # fmt: skip
    """Return a kernel over ``elements``; bytes, instructions and special functions are of one.

    Fused operations are one call: their instructions added up, what lies between them not moved.
    ``in_place``: the output goes where the first input was. ``held`` is the share of the input
    that earlier kernels touched, ``left`` the share that is known to be in the L2.

    ``dimensions`` of the index, where operands do not lie alike (broadcast or transposed): PyTorch
    then loads elements of ``element_bytes`` (2 or 4) one by one and computes their offsets.
    """
    threads, per_thread = _THREADS, _PER_THREAD
    if dimensions:
        threads, per_thread = _STRIDED_THREADS, _STRIDED_PER_THREAD[element_bytes]
        instructions += _STRIDED + _PER_DIMENSION * dimensions
    per_block = threads * per_thread
    grid = blocks(
        -(-elements // per_block), trips=1, issue=per_block / 32 * instructions,
        sfu=per_block * special, l2=per_block * (read_bytes + write_bytes),
    )  # fmt: skip
    read = elements * read_bytes
    memory = Memory(read, elements * write_bytes, held_bytes=held * read, left_bytes=left * read,
                    in_place=in_place)  # fmt: skip
    return Work(name, kind, BlockShape(threads, 32, 0), *grid, memory)
