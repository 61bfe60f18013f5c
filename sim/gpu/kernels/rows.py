"""Kernels that reduce rows: softmax, layer norm, RMS norm, top-k.

One block per row, or several short rows to a block; long rows are read again for every pass, from
the L2 as far as the rows in flight fit. Source of the passes: PyTorch's softmax (three passes over
rows beyond 1024 elements), Triton's reductions as torch.compile emits them (rows kept in registers
up to 8192 elements, else two passes).
"""

from __future__ import annotations

from archsim.sim.gpu.device import BlockShape, Device, resident_blocks
from archsim.sim.gpu.work import Memory, Work, blocks

__all__ = ["layer_norm", "softmax", "top_k"]

_THREADS = 256
_SHORT = 1024  # elements: several rows to a block
_IN_REGISTERS = 8192  # elements of a row that Triton keeps
#: Instructions per element of softmax: conversions, maximum, two exponentials, sum and a division.
_SOFTMAX = 69
#: Of a norm: conversion, two sums, scale and shift, conversion.
_NORM = 7
#: Of one pass of a radix selection over a row: load, digit, shared-memory count.
_SELECT = 10
_SELECT_INTEGER = 6  # of them on the integer lanes
_SELECT_PASSES = 4


def softmax(rows: int, columns: int, device: Device, *, element_bytes: float = 2,
            held: float = 1.0, left: float = 0.0, name: str = "softmax") -> Work:  # fmt: skip
    """Return the softmax of ``rows`` rows; ``held`` and ``left`` as in an element-wise kernel."""
    passes = 1 if columns <= _SHORT else 3
    return _reduction(
        "softmax", name, rows, columns, device, passes, _SOFTMAX, 2, element_bytes, held, left
    )


def layer_norm(rows: int, columns: int, device: Device, *, element_bytes: float = 2,
               held: float = 1.0, left: float = 0.0, inputs: int = 1, outputs: int = 1,
               in_place: bool = False, again_bytes: float = 0, threads: int | None = None,
               name: str = "layer norm") -> Work:  # fmt: skip
    """Return a layer or RMS norm; with two inputs and outputs it adds and keeps the residual.

    A kernel that does not keep rows in registers reads ``again_bytes`` of an element once more,
    from the L2; ``threads`` of a block, unless they follow from the row.
    """
    passes = 1 if columns <= _IN_REGISTERS else 2
    return _reduction(
        "norm", name, rows, columns, device, passes, _NORM * inputs, 0,
        element_bytes * inputs, held, left, write_bytes=element_bytes * outputs, in_place=in_place,
        again_bytes=again_bytes, block_threads=threads,
    )  # fmt: skip


def top_k(rows: int, columns: int, k: int, device: Device, *, element_bytes: float = 2,
          held: float = 1.0, left: float = 0.0, name: str = "top-k") -> Work:  # fmt: skip
    """Return the selection of the ``k`` largest of every row by radix passes, and their sort."""
    sort = k * max(k.bit_length(), 1) ** 2 / max(columns, 1)
    return _reduction(
        "top-k", name, rows, columns, device, _SELECT_PASSES, _SELECT * _SELECT_PASSES + sort, 0,
        element_bytes, held, left, write_bytes=(element_bytes + 8) * k / columns,
        integer=_SELECT_INTEGER * _SELECT_PASSES,
    )  # fmt: skip


def _reduction(kind: str, name: str, rows: int, columns: int, device: Device, passes: int,
               instructions: float, special: float, element_bytes: float, held: float, left: float,
               write_bytes: float | None = None, in_place: bool = False,
               integer: float = 0, again_bytes: float = 0,
               block_threads: int | None = None) -> Work:  # fmt: skip
    per_block = max(1, _THREADS * 8 // columns) if columns <= _SHORT else 1
    number = -(-rows // per_block)
    elements = per_block * columns
    threads = block_threads or min(_THREADS, max(32, elements // 8 // 32 * 32))
    shape = BlockShape(threads, 40, 1024)
    written = element_bytes if write_bytes is None else write_bytes
    grid = blocks(
        number, trips=passes,
        issue=elements / 32 * instructions, sfu=elements * special, int32=elements * integer,
        l2=elements * (element_bytes * passes + again_bytes + written),
    )  # fmt: skip
    read, write = rows * columns * element_bytes, rows * columns * written
    places = device.sms * resident_blocks(device.machine.sm, shape)
    in_flight = places * elements * (element_bytes + written)  # between two uses of a row
    memory = Memory(
        read, write, held_bytes=held * read, left_bytes=left * read,
        again_bytes=read * (passes - 1), reuse_bytes=in_flight, in_place=in_place,
    )  # fmt: skip
    return Work(name, kind, shape, *grid, memory)
