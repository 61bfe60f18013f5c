"""The last-level cache on a kernel's real gathers: set-associative, sectored, LRU.

Thread blocks are resident a few per multiprocessor and advance batch by batch in turn; a block
that ends makes room for the next one in launch order. In each batch a block reads its next
``batch`` entries of the index list (consecutive words) and, for every one of the arrays in turn,
the items those entries name (of some arrays, only for the entries marked as needed). A sector that
the cache does not hold is one miss; misses that follow each other in address make one run.

Sets are picked by line address modulo their number (a real GPU hashes; no hash is published).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from archsim.arch.machine import Cache
from archsim.base.errors import ConfigError
from archsim.base.jit import njit
from archsim.sim.program import MemoryRuns

__all__ = ["Gather", "GatherResult", "run_gather"]

I64 = npt.NDArray[np.int64]
I32 = npt.NDArray[np.int32]

_BUFFER_RUNS = 1 << 20
_SECTORS_PER_CALL = 1 << 23  # about 0.1 s: the compiled loop returns this often


@dataclass(frozen=True)
class Gather:
    """What the blocks of a kernel read through an index list.

    Attributes
    ----------
    index : (entries,) int32
        Items by list entry; 4-byte words at ``list_base``.
    start : (blocks + 1,) int64
        Block b owns the entries from ``start[b]``.
    fetched : (blocks,) int64
        Entries that block b reads before it stops.
    array_base, array_bytes : (arrays,) int64
        Base address and item size of the arrays the entries name.
    needed : (entries,) uint8
        0 for entries whose items of the arrays ``if_needed`` are not read.
    if_needed : (arrays,) bool
        Arrays read for the needed entries only.
    batch
        Entries a block reads between two barriers.
    """

    index: I32
    start: I64
    fetched: I64
    list_base: int
    array_base: I64
    array_bytes: I64
    needed: npt.NDArray[np.uint8]
    if_needed: npt.NDArray[np.bool_]
    batch: int


@dataclass(frozen=True)
class GatherResult:
    """Misses by block, in the order they happen, and how many sectors were asked for."""

    misses: MemoryRuns
    sectors: int


def run_gather(gather: Gather, cache: Cache, resident: int) -> GatherResult:
    """Simulate the cache, empty at first, with ``resident`` blocks at a time on the whole GPU.

    Raises :class:`ConfigError` when sectors and lines are no powers of two or do not fit another.
    """
    line, sector = int(cache.line_bytes.value), int(cache.sector_bytes.value)
    ways = int(cache.ways.value)
    sets = int(cache.capacity_bytes.value) // (line * ways)
    if _not_power_of_two(line) or _not_power_of_two(sector) or not sector <= line <= 8 * sector:
        raise ConfigError(
            f"an L2 line of {line} bytes with sectors of {sector} bytes cannot be simulated",
            place="l2",
            remedy="use powers of two, with at most 8 sectors in a line",
        )
    if sets < 1:
        raise ConfigError(
            f"an L2 of {cache.capacity_bytes.value:g} bytes holds no set of {ways} lines of "
            f"{line} bytes",
            place="l2.capacity_bytes",
            remedy="make it larger, or its ways fewer",
        )
    blocks = gather.fetched.size
    entries = np.full((sets, ways), -1, np.int64)
    slot_block = np.full(resident, -1, np.int64)
    slot_done = np.zeros(resident, np.int64)
    state = np.zeros(4, np.int64)  # next block, next slot, busy slots, sectors asked for
    spare = _worst_runs(gather, sector)
    buffer = max(_BUFFER_RUNS, 2 * spare)
    block = np.empty(buffer, np.int32)
    address = np.empty(buffer, np.int64)
    size = np.empty(buffer, np.int32)
    kept: list[tuple[I32, I64, I32]] = []
    finished = False
    while not finished:
        finished, used = _advance(
            entries, line.bit_length() - 1, sector.bit_length() - 1, gather.index, gather.start,
            gather.fetched, gather.list_base, gather.array_base, gather.array_bytes, gather.needed,
            gather.if_needed, gather.batch, slot_block, slot_done, state, block, address, size,
            spare, _SECTORS_PER_CALL,
        )  # fmt: skip
        kept.append((block[:used].copy(), address[:used].copy(), size[:used].copy()))
    return GatherResult(_by_block(kept, blocks), int(state[3]))


def _not_power_of_two(number: int) -> bool:
    return number < 1 or number & (number - 1) != 0


def _worst_runs(gather: Gather, sector: int) -> int:
    """Return the most runs one batch can miss: every sector of every item on its own."""
    per_entry = int(np.sum((gather.array_bytes + sector - 2) // sector + 1))
    return gather.batch * per_entry + gather.batch * 4 // sector + 2


@njit()
def _advance(
    entries: I64, line_bits: int, sector_bits: int, index: I32, start: I64, fetched: I64,
    list_base: int, array_base: I64, array_bytes: I64, needed: npt.NDArray[np.uint8],
    if_needed: npt.NDArray[np.bool_], batch: int, slot_block: I64, slot_done: I64, state: I64,
    block: I32, address: I64, size: I32, spare: int, sector_limit: int,
) -> tuple[bool, int]:  # fmt: skip
    """Advance until all blocks are done, the buffer may overflow or the limit is reached."""
    slots = slot_block.shape[0]
    blocks = fetched.shape[0]
    used = 0
    asked = 0
    while True:
        if used + spare > block.shape[0] or asked > sector_limit:
            state[3] += asked
            return False, used
        slot = state[1]
        state[1] = (slot + 1) % slots
        if slot_block[slot] < 0:
            while state[0] < blocks and fetched[state[0]] == 0:
                state[0] += 1
            if state[0] == blocks:
                if state[2] == 0:
                    state[3] += asked
                    return True, used
                continue
            slot_block[slot] = state[0]
            slot_done[slot] = 0
            state[0] += 1
            state[2] += 1
        current = slot_block[slot]
        first = start[current] + slot_done[slot]
        count = min(batch, fetched[current] - slot_done[slot])
        begin = list_base + first * 4
        merged = -2  # no sector is next to it
        for place in range(begin >> sector_bits, ((begin + count * 4 - 1) >> sector_bits) + 1):
            asked += 1
            if _misses(entries, line_bits - sector_bits, place):
                used = _emit(block, address, size, used, merged, current, place, sector_bits)
                merged = place
        for array in range(array_base.shape[0]):
            base = array_base[array]
            item = array_bytes[array]
            some = if_needed[array]
            for entry in range(first, first + count):
                if some and needed[entry] == 0:
                    continue
                begin = base + index[entry] * item
                for place in range(begin >> sector_bits, ((begin + item - 1) >> sector_bits) + 1):
                    asked += 1
                    if _misses(entries, line_bits - sector_bits, place):
                        used = _emit(
                            block, address, size, used, merged, current, place, sector_bits
                        )
                        merged = place
        slot_done[slot] += count
        if slot_done[slot] == fetched[current]:
            slot_block[slot] = -1
            state[2] -= 1


@njit()
def _misses(entries: I64, sectors_bits: int, place: int) -> bool:
    """Touch one sector; its line becomes the most recent. Return whether it was absent.

    An entry is a line's number and, in its low 8 bits, which sectors are held; entries of a set
    lie in order of their last use.
    """
    tag = place >> sectors_bits
    bit = 1 << (place & ((1 << sectors_bits) - 1))
    sets = entries.shape[0]
    row = entries[tag & (sets - 1) if sets & (sets - 1) == 0 else tag % sets]
    previous = row[0]
    if previous >> 8 == tag:
        row[0] = previous | bit
        return bool(previous & bit == 0)
    for way in range(1, row.shape[0]):  # move older entries back until the line's own place
        here = row[way]
        row[way] = previous
        if here >> 8 == tag:
            row[0] = here | bit
            return bool(here & bit == 0)
        previous = here
    row[0] = tag << 8 | bit
    return True


@njit()
def _emit(block: I32, address: I64, size: I32, used: int, merged: int, current: int, place: int,
          sector_bits: int) -> int:  # fmt: skip
    """Append a missed sector, or extend the last run when that is the sector before."""
    if merged == place - 1:
        size[used - 1] += 1 << sector_bits
        return used
    block[used] = current
    address[used] = place << sector_bits
    size[used] = 1 << sector_bits
    return used + 1


def _by_block(parts: list[tuple[I32, I64, I32]], blocks: int) -> MemoryRuns:
    """Return the runs by block, those of a block in the order in which they came."""
    ptr = np.zeros(blocks + 1, np.int64)
    for of_block, _, _ in parts:
        ptr[1:] += np.bincount(of_block, minlength=blocks)
    np.cumsum(ptr, out=ptr)
    place = ptr[:-1].copy()
    addresses, sizes = np.empty(ptr[-1], np.int64), np.empty(ptr[-1], np.int64)
    for part in parts:
        _put(*part, place, addresses, sizes)
    return MemoryRuns(ptr, addresses, sizes)


@njit()
def _put(of_block: I32, address: I64, size: I32, place: I64, addresses: I64, sizes: I64) -> None:
    """Put runs where their blocks' next ones go (a stable counting sort, in parts)."""
    for run in range(of_block.shape[0]):
        to = place[of_block[run]]
        place[of_block[run]] = to + 1
        addresses[to] = address[run]
        sizes[to] = size[run]
