"""Tiles of a real scene through the Verilated hardware."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from archsim.rtl.blocks.codebook_decoder import TABLES, record_layout
from archsim.rtl.blocks.slice import COUNTERS, MONITORED, frame_ports
from archsim.rtl.golden import GoldenTiles, cycles_by_tile
from archsim.rtl.memory_timing import IDEAL, MemoryTiming, timing_of_slice
from archsim.rtl.parameters import TILE, Parameters
from archsim.rtl.scene_image import SceneImage
from archsim.rtl.tools.columns import pack
from archsim.rtl.tools.library import Library, Memory, Run

__all__ = ["TileRun", "TileStimulus", "load_cycles", "run_tiles", "tile_stimulus"]

I64 = npt.NDArray[np.int64]
_CHANNELS = ("red", "green", "blue", "transmittance")
_MOST_CYCLES_PER_ITEM = 400  # a run that takes longer hangs


@dataclass(frozen=True)
class TileRun:
    """What the hardware did.

    Attributes
    ----------
    pixels : (T, 256, 4) int64
        As :class:`archsim.rtl.golden.GoldenTiles`.
    finish : (T,) int64
        Cycle of each tile's last pixel, counted from the first sample taken.
    cycles
        Until the last pixel.
    counters
        The hardware's counters.
    run
        The library's own record.
    slices
        That the tiles were dealt to.
    """

    pixels: I64
    finish: I64
    cycles: int
    counters: dict[str, int]
    run: Run
    slices: int = 1

    @property
    def tile_cycles(self) -> I64:
        """Cycles from the last pixel of a slice's tile before to each tile's last pixel, (T,)."""
        return cycles_by_tile(self.finish, self.slices)


@dataclass(frozen=True)
class TileStimulus:
    """What the hardware is fed for a set of tiles.

    Attributes
    ----------
    inputs
        Columns by stream: tables, tiles, samples.
    memories
        The records behind each slice's requests.
    ports
        The frame's constants.
    pixels
        Columns that must leave, by stream.
    """

    inputs: dict[str, Any]
    memories: tuple[Memory, ...]
    ports: dict[str, int]
    pixels: dict[str, Any]


def tile_stimulus(
    image: SceneImage, golden: GoldenTiles, constants: dict[str, int], p: Parameters,
    memory: MemoryTiming | Sequence[MemoryTiming] = IDEAL,
) -> TileStimulus:  # fmt: skip
    """Return what renders the golden model's tiles.

    With several slices, tile k goes to slice k modulo their number.
    """
    tables = _tables(image)
    load_words = sum(_length(columns) for columns in tables.values())
    inputs: dict[str, Any] = dict(tables)
    memories: list[Memory] = []
    pixels: dict[str, Any] = {}
    for number, suffix in enumerate(_suffixes(p)):
        own = golden.of_slice(number, p.slices)
        inputs[f"tiles{suffix}"] = {"x": own.origins[:, 0], "y": own.origins[:, 1]}
        inputs[f"samples{suffix}"] = own.samples
        memories += _memories(image, p, timing_of_slice(memory, number), suffix)
        lanes = own.pixels.reshape(-1, p.lanes, len(_CHANNELS))
        pixels[f"pixels{suffix}"] = {name: lanes[..., k] for k, name in enumerate(_CHANNELS)}
    ports = {**{n: constants[n] for n in frame_ports(p)}, "load_words": load_words}
    return TileStimulus(inputs, tuple(memories), ports, pixels)


def _suffixes(p: Parameters) -> list[str]:
    """Return what stands behind the names of each slice's streams and counters."""
    return [""] if p.slices == 1 else [f"_{number}" for number in range(p.slices)]


def run_tiles(
    library: Library, image: SceneImage, golden: GoldenTiles, constants: dict[str, int],
    p: Parameters, *, memory: MemoryTiming | Sequence[MemoryTiming] = IDEAL,
    stall_percent: float = 0, seed: int = 0, wave: Any = None,
    progress: Callable[[int], None] | None = None,
) -> TileRun:  # fmt: skip
    """Render the golden model's tiles in hardware; the pixels are for the caller to compare.

    With several slices the memories' timing is one for all or one per slice, and counters are sums.
    """
    fed = tile_stimulus(image, golden, constants, p, memory)
    suffixes = _suffixes(p)
    tiles, per_tile = golden.origins.shape[0], TILE * TILE // p.lanes
    work = fed.ports["load_words"] + golden.samples["cell"].size + int(golden.visits.loaded.sum())
    run = library.run(
        fed.inputs, expect={name: _length(columns) for name, columns in fed.pixels.items()},
        memories=fed.memories, ports=fed.ports,
        times=tuple(f"{n}{s}" for n in ("pixels", "samples") for s in suffixes),
        stall_percent=stall_percent, seed=seed,
        limit_cycles=100_000 + _MOST_CYCLES_PER_ITEM * work, wave=wave, progress=progress,
        settle_cycles=256,
    )  # fmt: skip
    pixels = np.zeros((tiles, TILE * TILE, 4), np.int64)
    finish = np.zeros(tiles, np.int64)
    begin = min(int(run.times[f"samples{s}"][0]) for s in suffixes if run.times[f"samples{s}"].size)
    for number, suffix in enumerate(suffixes):
        output = run.outputs[f"pixels{suffix}"]
        assert isinstance(output, dict)
        for channel, name in enumerate(_CHANNELS):
            given = np.asarray(output[name], np.int64).reshape(-1, TILE * TILE)
            pixels[number :: p.slices, :, channel] = given
        ends = run.times[f"pixels{suffix}"][per_tile - 1 :: per_tile]
        finish[number :: p.slices] = ends - begin + 1
    shown = [f"{m}_{s}" for m in MONITORED for s in ("moved", "stalled", "starved")]
    counters = {n: sum(run.ports[f"{n}{s}"] for s in suffixes) for n in (*shown, *COUNTERS)}
    return TileRun(pixels, finish, int(finish.max(initial=0)), counters, run, p.slices)


def load_cycles(image: SceneImage) -> int:
    """Return the cycles until the tables are loaded, all three at once."""
    return max(_length(columns) for columns in _tables(image).values())


def _tables(image: SceneImage) -> dict[str, Any]:
    """Return what the load streams carry."""
    grid = image.grid
    rename = grid.rename.astype(np.int64)
    index = grid.index()
    books = [image.codebooks[name] for name in TABLES]
    table = np.concatenate([np.full(b.size, k) for k, b in enumerate(books)])
    entry = np.concatenate([np.repeat(np.arange(b.shape[0]), b.shape[1]) for b in books])
    lane = np.concatenate([np.tile(np.arange(b.shape[1]), b.shape[0]) for b in books])
    value = np.concatenate([b.ravel() for b in books])
    return {
        "load_cells": {
            "cell": np.arange(rename.size),
            "voxel": np.maximum(rename, 0),
            "occupied": (rename >= 0).astype(np.int64),
        },
        "load_voxels": {
            "voxel": np.arange(grid.occupied),
            "word": {
                "start": grid.start[:-1].astype(np.int64), "count": grid.count,
                "ix": index[:, 0], "iy": index[:, 1], "iz": index[:, 2],
            },
        },
        "load_codebooks": {"table": table, "entry": entry, "lane": lane, "value": value},
    }  # fmt: skip


def _memories(
    image: SceneImage, p: Parameters, timing: MemoryTiming, suffix: str
) -> tuple[Memory, ...]:
    coarse = image.coarse.astype(np.uint64)
    word = coarse[:, 0] | coarse[:, 1] << 16 | coarse[:, 2] << 32 | coarse[:, 3] << 48
    layout = record_layout({name: getattr(p, f"{name}_entries") for name in TABLES})
    fine = pack(layout, {**image.index, "spare": np.zeros(word.size, np.int64)})
    shared: dict[str, Any] = {
        "bytes_per_cycle": timing.bytes_per_cycle,
        "outstanding": timing.outstanding,
    }
    parts = (
        ("coarse", word.view(np.uint8), timing.coarse_latency),
        ("fine", np.ascontiguousarray(fine).reshape(-1), timing.fine_latency),
    )
    return tuple(
        Memory(data, f"{name}_request{suffix}", f"{name}_response{suffix}",
               latency_cycles=latency, **shared)
        for name, data, latency in parts
    )  # fmt: skip


def _length(columns: Any) -> int:
    first = next(iter(columns.values()))
    return _length(first) if isinstance(first, dict) else int(np.shape(first)[0])
