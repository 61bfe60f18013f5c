"""Attention as FlashAttention-2 runs it: prefill, decode with split keys, and both in one kernel.

A block takes a tile of queries of one head through its keys, step by step: a product, a softmax
that depends on it, and a product that depends on that. In a mixed batch every query head is a
block of its own, padded to a whole tile; in pure decode the query heads that share keys are packed
into one tile, and keys are split over blocks until these fill the multiprocessors.

Source: T. Dao, FlashAttention-2 (ICLR 2024), and the paged kernel of its vLLM fork: query tiles of
64, key steps of 128 for heads of 128.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from archsim.sim.gpu.device import BlockShape, Device
from archsim.sim.gpu.work import PIPES, Memory, Work, blocks

__all__ = ["Heads", "decode", "mixed", "prefill"]

I64 = npt.NDArray[np.int64]

#: Vector instructions per score: scale, mask, two maxima, subtract, exponential, sum, conversion.
_PER_SCORE = 27


@dataclass(frozen=True)
class Heads:
    """The heads of a layer: ``queries`` share ``keys`` in groups; ``size`` values of an element."""

    queries: int
    keys: int
    size: int
    element_bytes: float = 2

    @property
    def kv_bytes(self) -> float:
        """Bytes of keys and values of one token."""
        return 2 * self.keys * self.size * self.element_bytes


@dataclass(frozen=True)
class _Kernel:
    """A compiled kernel: its tile of queries, its step of keys, what a block asks for."""

    queries: int
    keys: int
    shape: BlockShape
    trips: int


#: The paged kernel: 80 KB of shared memory, one block on a multiprocessor of Ada, and dependent
#: reads of lengths, block table and first keys.
_PAGED = _Kernel(64, 128, BlockShape(128, 255, 80 * 1024), 6)
_DENSE = _Kernel(128, 64, BlockShape(128, 255, 48 * 1024), 2)


def prefill(tokens: int, heads: Heads, device: Device, *, batch: int = 1, past: int = 0,
            causal: bool = True, name: str = "attention") -> Work:  # fmt: skip
    """Return the attention of ``tokens`` new queries over ``past`` keys and their own."""
    kernel = _DENSE
    tiles = np.arange(-(-tokens // kernel.queries), 0, -1, dtype=np.int64)
    seen = np.minimum(tiles * kernel.queries, tokens) if causal else np.full_like(tiles, tokens)
    keys = past + seen  # the library launches long rows first
    kv = (past + tokens) * heads.kv_bytes * batch
    moved = 2 * tokens * heads.queries * heads.size * heads.element_bytes * batch
    streamed = float(keys.sum()) * 2 * heads.size * heads.element_bytes
    again = max(streamed * heads.queries * batch - kv, 0.0) / max(device.sms, 1)
    memory = Memory(
        kv + moved / 2, moved / 2, held_bytes=kv + moved / 2,
        again_bytes=again, reuse_bytes=kv / (heads.keys * batch),
    )  # fmt: skip
    count = np.full(keys.size, heads.queries * batch, np.int64)
    return _work(name, kernel, heads, keys, count, memory)


def mixed(chunk: int, past: int, sequences: int, context: int, heads: Heads, device: Device, *,
          name: str = "attention") -> Work:  # fmt: skip
    """Return one kernel over a prefill chunk and ``sequences`` that decode one token each.

    The chunk's ``chunk`` queries see ``past`` keys and their own, a decoding query ``context``
    keys and its own. The grid is as long as the longest sequence in every sequence: most blocks
    of decoding sequences find no query and end.
    """
    kernel = _PAGED
    tiles = -(-chunk // kernel.queries)
    keys = past + np.minimum((np.arange(tiles) + 1) * kernel.queries, chunk)
    of_tile = [keys]
    count = [np.ones(tiles, np.int64)]
    if sequences:
        of_tile += [np.array([context + 1]), np.zeros(1, np.int64)]
        count += [np.array([sequences]), np.array([sequences * (tiles - 1)])]
    of_head, number = np.concatenate(of_tile), np.concatenate(count)
    kv_head = heads.kv_bytes / heads.keys
    kv = sequences * (context + 1) * heads.kv_bytes + (past + chunk) * heads.kv_bytes
    moved = 2 * (chunk + sequences) * heads.queries * heads.size * heads.element_bytes
    # the heads of a group are launched one after the other: together as far as places allow
    group = heads.queries // heads.keys
    together = min(max(device.sms / (tiles + sequences), 1.0), group)
    again = sequences * (context + 1) * heads.kv_bytes * (group / together - 1)
    memory = Memory(
        kv + moved / 2, moved / 2, held_bytes=moved / 2,
        again_bytes=again, reuse_bytes=sequences * context * kv_head,
    )  # fmt: skip
    return _work(
        name, kernel, heads, np.tile(of_head, heads.queries), np.tile(number, heads.queries), memory
    )


def decode(sequences: int, context: int, heads: Heads, device: Device, *, held: float = 0.0,
           name: str = "attention") -> list[Work]:  # fmt: skip
    """Return the attention of one new token in each of ``sequences``, over ``context`` keys.

    A second kernel combines the splits.

    ``held`` is the share of keys and values that earlier kernels left in the L2, should they fit.
    """
    kernel = _PAGED
    steps = -(-(context + 1) // kernel.keys)
    rows = sequences * heads.keys
    splits = _splits(rows, steps, device.sms)
    kv = sequences * (context + 1) * heads.kv_bytes
    moved = 2 * sequences * heads.queries * heads.size * heads.element_bytes
    partial = 4.0 * splits * sequences * heads.queries * heads.size if splits > 1 else 0.0
    room = device.machine.l2.capacity_bytes.value
    left = held * kv if kv <= room else 0.0
    memory = Memory(kv + moved / 2, moved / 2, held_bytes=moved / 2, left_bytes=left)
    per_split = np.array([min(-(-steps // splits) * kernel.keys, context + 1)])
    work = _work(name, kernel, heads, per_split, np.array([rows * splits]), memory, partial)
    if splits == 1 and sequences == 1:  # inferred from fit rows: all others have the second kernel
        return [work]
    grid = blocks(sequences * heads.queries, trips=kernel.trips, l2=4.0 * splits * heads.size)
    combine = Work(f"{name} combine", "attention", BlockShape(128, 32, 0), *grid)
    return [work, combine]


def _splits(rows: int, steps: int, sms: int) -> int:
    """Return the library's number of splits: the least with 85 % of the best use of the places."""
    if rows >= 0.8 * sms:
        return 1
    most = min(128, sms, steps)
    splits = np.arange(1, most + 1)
    each = -(-steps // splits)
    useful = np.concatenate([[True], each[1:] != each[:-1]])
    waves = rows * splits / sms
    use = np.where(useful, waves / np.ceil(waves), 0.0)
    return int(splits[np.flatnonzero(use >= 0.85 * use.max())[0]])


def _work(name: str, kernel: _Kernel, heads: Heads, keys: I64, count: I64, memory: Memory,
          partial: float = 0.0) -> Work:  # fmt: skip
    steps = -(-keys // kernel.keys)  # the products are of whole steps, the loads of real keys
    scores = steps * (kernel.queries * kernel.keys)
    counts = np.zeros((steps.size, len(PIPES)))
    counts[:, PIPES.index("tensor")] = scores * 2 * heads.size
    counts[:, PIPES.index("issue")] = scores * (_PER_SCORE / 32)
    counts[:, PIPES.index("sfu")] = scores
    row = heads.size * heads.element_bytes
    counts[:, PIPES.index("l2")] = keys * 2 * row + (steps > 0) * (
        2 * kernel.queries * row + partial / max(int(count.sum()), 1)
    )
    trips = np.where(steps > 0, float(kernel.trips), 0.0)
    step = kernel.queries * kernel.keys
    return Work(
        name,
        "attention",
        kernel.shape,
        count,
        counts,
        trips,
        memory,
        serial=True,
        step_products=step * 2.0 * heads.size,
    )
