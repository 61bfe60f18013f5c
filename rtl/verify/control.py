"""Benches of the blocks that fetch, decode and decide what comes next."""

from __future__ import annotations

from typing import Any

import numpy as np

from archsim.rtl.blocks.codebook_decoder import TABLES, CodebookDecoder
from archsim.rtl.blocks.memory_reader import MemoryReader
from archsim.rtl.blocks.tile_controller import TileController
from archsim.rtl.blocks.voxel_sorter import VoxelSorter
from archsim.rtl.format import FLOAT
from archsim.rtl.tools.library import Memory
from archsim.rtl.verify.bench import Bench, Seen, Stimulus
from archsim.rtl.verify.streams import FLOW

__all__ = ["CONTROL_BENCHES"]

Rng = np.random.Generator
_ALWAYS_TAKEN = {"load.ready": "a table is written in every cycle"}

_BOOKS = {"scale": 4096, "rotation": 64, "base": 64, "harmonics": 32}
_DEGREE = 2


def _records(rng: Rng, n: int) -> Stimulus:
    decoder = CodebookDecoder(entries=_BOOKS, degree=_DEGREE)
    places = [(number, entry, lane)
              for number, table in enumerate(TABLES)
              for entry in range(_BOOKS[table])
              for lane in range(len(decoder.names[table]))]  # fmt: skip
    table, entry, lane = rng.permutation(np.array(places)).T
    load = {"table": table, "entry": entry, "lane": lane,
            "value": rng.integers(0, 1 << FLOAT.width, len(table))}  # fmt: skip
    record = {name: rng.integers(0, words, n) for name, words in _BOOKS.items()}
    spare = 64 - 8 - sum((words - 1).bit_length() for words in _BOOKS.values())
    record |= {"opacity": rng.integers(0, 256, n), "spare": rng.integers(0, 1 << spare, n)}
    return Stimulus({"load": load, "i": record}, first=("load",))


_CELLS, _VOXELS, _ROWS = 512, 64, 16


def _samples(rng: Rng, n: int) -> Stimulus:
    """Rays that walk an 8x8x8 grid in one direction: their order has no circle."""
    samples: dict[str, list[int]] = {"cell": [], "first": [], "miss": [], "last": []}
    tile = 0
    while len(samples["cell"]) < n:
        for _ in range(int(rng.integers(1, 9))):
            place = rng.integers(0, 3, 3)
            for step in range(int(rng.integers(1, 12)) if tile % 5 else 1):
                if place.max() > 7:
                    break
                samples["cell"].append(int(place @ [64, 8, 1]))
                samples["first"].append(int(step == 0))
                samples["miss"].append(int(tile % 5 == 0 or rng.random() < 0.02))
                samples["last"].append(0)
                place[rng.integers(0, 3)] += 1
        samples["last"][-1] = 1
        tile += 1
    # as many voxels as rows and twice as many: the table overflows, or not
    chosen = rng.choice(_CELLS, _VOXELS, replace=False)
    near = np.flatnonzero((np.indices((8, 8, 8)) < 5).all(0).ravel())
    chosen[: _VOXELS // 2] = rng.choice(near, _VOXELS // 2, replace=False)
    chosen = np.unique(chosen)
    voxel, occupied = np.zeros(_CELLS, np.int64), np.zeros(_CELLS, np.int64)
    voxel[chosen], occupied[chosen] = rng.permutation(_VOXELS)[: len(chosen)], 1
    order = rng.permutation(_CELLS)
    load = {"cell": order, "voxel": voxel[order], "occupied": occupied[order]}
    fed = {name: np.array(column) for name, column in samples.items()}
    return Stimulus({"load": load, "i": fed}, first=("load",))


def _queue(rng: Rng, n: int) -> Stimulus:
    voxels = _VOXELS
    last = (rng.random(n) < 0.15).astype(np.int64)
    last[-1:] = 1
    none = ((rng.random(n) < 0.3) & (last == 1) & (np.roll(last, 1) == 1)).astype(np.int64)
    tiles = int(last.sum())
    component = TileController(voxels=voxels)
    word = component.signature.members["load"].signature.members["payload"].shape["word"].shape
    bits = {name: field.width for name, field in word}
    load = {
        "voxel": rng.permutation(voxels),
        "word": {name: rng.integers(0, 1 << width, voxels) for name, width in bits.items()},
    }
    corner = component.signature.members["tiles"].signature.members["payload"].shape
    return Stimulus({
        "load": load,
        "tiles": {axis: rng.integers(0, 1 << corner[axis].width, tiles) for axis in "xy"},
        "i": {"voxel": rng.integers(0, voxels, n), "none": none, "last": last},
    }, first=("load",))  # fmt: skip


_ADDRESS_BITS, _COUNT_BITS, _BURST = 12, 7, 16


def _ranges(rng: Rng, n: int) -> Stimulus:
    """Ranges of at least ``n`` beats in all, short ones and long ones."""
    ranges = max(8, n // 20)
    count = rng.integers(1, rng.choice([3, 1 << _COUNT_BITS], ranges))
    address = rng.integers(0, (1 << _ADDRESS_BITS) - count + 1)
    data = rng.integers(0, 256, 8 << _ADDRESS_BITS).astype(np.uint8)
    latency = rng.integers(1, 40, 1000)
    memory = Memory(data, "request", "response", latency_cycles=latency, outstanding=4)
    return _read({"address": address, "count": count}, memory)


def _reader() -> MemoryReader:
    return MemoryReader(width=64, address_bits=_ADDRESS_BITS, count_bits=_COUNT_BITS,
                        burst=_BURST, depth=64)  # fmt: skip


def _read(ranges: dict[str, Any], memory: Memory) -> Stimulus:
    words = memory.data.view(np.uint64)
    parts = [words[a : a + c] for a, c in zip(ranges["address"], ranges["count"])]
    leaves = {"request": _reader().model(ranges), "o": np.concatenate(parts)}
    return Stimulus({"i": ranges}, memories=(memory,), leaves=leaves)


def _whole_bursts() -> list[Stimulus]:
    """Ranges that end with a burst, at the memory's first and last word."""
    (memory,) = _ranges(np.random.default_rng(0), 30).memories
    size = 1 << _ADDRESS_BITS
    count = np.array([_BURST, 2 * _BURST, 1, _BURST + 1, _BURST - 1, (1 << _COUNT_BITS) - 1])
    address = np.array([0, size - 2 * _BURST, size - 1, 5, 0, 77])
    return [_read({"address": address, "count": count}, memory)]


def _overflow(seen: Seen) -> bool:
    return seen.run.ports["dropped"] > 0


CONTROL_BENCHES: tuple[Bench, ...] = (
    Bench(
        "codebook-decoder", lambda: CodebookDecoder(entries=_BOOKS, degree=_DEGREE), _records,
        bins=FLOW,
        cannot_toggle={**_ALWAYS_TAKEN, "load.payload.lane:5": "a word has 24 floats at degree 2"},
    ),
    Bench(
        "voxel-sorter", lambda: VoxelSorter(cells=_CELLS, voxels=_VOXELS, rows=_ROWS), _samples,
        bins={**FLOW, "table overflow": _overflow}, cannot_toggle=_ALWAYS_TAKEN,
        late_reset=("i", 130),  # in a tile whose voxels have rows
    ),
    Bench(
        "tile-controller", lambda: TileController(voxels=_VOXELS), _queue,
        bins=FLOW, cannot_toggle=_ALWAYS_TAKEN,
    ),
    Bench(
        "memory-reader", _reader, _ranges, _whole_bursts, FLOW,
        cannot_toggle={"response.ready": "room is set aside before beats are asked for"},
    ),
)  # fmt: skip
