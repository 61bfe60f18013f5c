"""Tiles of a real scene through the Verilated hardware."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from archsim.rtl.blocks.codebook_decoder import TABLES, record_layout
from archsim.rtl.blocks.slice import COUNTERS, MONITORED, frame_ports
from archsim.rtl.golden import GoldenTiles
from archsim.rtl.parameters import TILE, Parameters
from archsim.rtl.scene_image import SceneImage
from archsim.rtl.tools.columns import pack
from archsim.rtl.tools.library import Library, Memory, Run

__all__ = ["IDEAL", "MemoryTiming", "TileRun", "run_tiles"]

I64 = npt.NDArray[np.int64]
_MOST_CYCLES_PER_ITEM = 400  # a run that takes longer hangs


@dataclass(frozen=True)
class MemoryTiming:
    """How the two memories answer.

    Attributes
    ----------
    latency_cycles
        From a request to its first beat: one number, or one per request in order.
    bytes_per_cycle
        At most, of each; None: a beat a cycle.
    outstanding
        Requests in flight.
    """

    coarse_latency: int | I64 = 1
    fine_latency: int | I64 = 1
    bytes_per_cycle: float | None = None
    outstanding: int = 16


#: Answers in the next cycle, a beat per cycle.
IDEAL = MemoryTiming()


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
    """

    pixels: I64
    finish: I64
    cycles: int
    counters: dict[str, int]
    run: Run

    @property
    def tile_cycles(self) -> I64:
        """Cycles from the tile before's last pixel to each tile's last pixel, (T,)."""
        return np.diff(self.finish, prepend=0)


def run_tiles(
    library: Library, image: SceneImage, golden: GoldenTiles, constants: dict[str, int],
    p: Parameters, *, memory: MemoryTiming = IDEAL, stall_percent: float = 0, seed: int = 0,
    wave: Any = None, progress: Callable[[int], None] | None = None,
) -> TileRun:  # fmt: skip
    """Render the golden model's tiles in hardware; the pixels are for the caller to compare."""
    inputs = _inputs(image, golden, p)
    load_words = sum(_length(inputs[n]) for n in ("load_cells", "load_voxels", "load_codebooks"))
    tiles = golden.origins.shape[0]
    beats = tiles * TILE * TILE // p.lanes
    work = load_words + golden.samples["cell"].size + int(golden.visits.loaded.sum())
    limit = 100_000 + _MOST_CYCLES_PER_ITEM * work
    run = library.run(
        inputs, expect={"pixels": beats}, memories=_memories(image, p, memory),
        ports={**{n: constants[n] for n in frame_ports(p)}, "load_words": load_words},
        times=("pixels", "samples"),
        stall_percent=stall_percent, seed=seed, limit_cycles=limit, wave=wave, progress=progress,
        settle_cycles=256,
    )  # fmt: skip
    names = ("red", "green", "blue", "transmittance")
    output = run.outputs["pixels"]
    assert isinstance(output, dict)
    pixels = np.stack([np.asarray(output[n], np.int64).reshape(tiles, -1) for n in names], axis=2)
    per_tile = beats // tiles
    begin = int(run.times["samples"][0])
    finish = run.times["pixels"][per_tile - 1 :: per_tile] - begin + 1
    shown = [f"{m}_{s}" for m in MONITORED for s in ("moved", "stalled", "starved")]
    counters = {name: run.ports[name] for name in (*shown, *COUNTERS)}
    return TileRun(pixels, finish, int(finish[-1]), counters, run)


def _inputs(image: SceneImage, golden: GoldenTiles, p: Parameters) -> dict[str, Any]:
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
        "tiles": {"x": golden.origins[:, 0], "y": golden.origins[:, 1]},
        "samples": golden.samples,
    }  # fmt: skip


def _memories(image: SceneImage, p: Parameters, timing: MemoryTiming) -> tuple[Memory, ...]:
    coarse = image.coarse.astype(np.uint64)
    word = coarse[:, 0] | coarse[:, 1] << 16 | coarse[:, 2] << 32 | coarse[:, 3] << 48
    layout = record_layout({name: getattr(p, f"{name}_entries") for name in TABLES})
    fine = pack(layout, {**image.index, "spare": np.zeros(word.size, np.int64)})
    shared = {"bytes_per_cycle": timing.bytes_per_cycle, "outstanding": timing.outstanding}
    return (
        Memory(word.view(np.uint8), "coarse_request", "coarse_response",
               latency_cycles=timing.coarse_latency, **shared),
        Memory(np.ascontiguousarray(fine).reshape(-1), "fine_request", "fine_response",
               latency_cycles=timing.fine_latency, **shared),
    )  # fmt: skip


def _length(columns: Any) -> int:
    first = next(iter(columns.values()))
    return _length(first) if isinstance(first, dict) else int(np.shape(first)[0])
