"""Bench of the top: a slice with small tables renders tiles of a scene, its streams held up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
from amaranth.lib import data

from archsim.rtl.blocks.codebook_decoder import TABLES, record_layout
from archsim.rtl.blocks.machine import LOADS
from archsim.rtl.blocks.slice import MONITORED, Slice
from archsim.rtl.blocks.tile_controller import ADDRESS_BITS
from archsim.rtl.comparison import memory_requests
from archsim.rtl.format import FLOAT
from archsim.rtl.golden import GoldenTiles, golden_tiles
from archsim.rtl.memory_timing import MemoryTiming
from archsim.rtl.parameters import BURST, TILE, Parameters
from archsim.rtl.scene_image import SIZE, SceneImage, build_image, frame_constants
from archsim.rtl.simulate import tile_stimulus
from archsim.rtl.tools.columns import Columns, count
from archsim.rtl.tools.library import Memory
from archsim.rtl.verify.bench import Bench, Bin, Seen, Stimulus
from archsim.rtl.verify.streams import flow
from archsim.traces.gs3d.camera import Camera
from archsim.traces.gs3d.workload import Gs3dWorkload, load_cameras, load_scene

__all__ = ["TOP_BENCHES", "TOP_PARAMETERS", "top_scene", "with_side"]

Rng = np.random.Generator

#: Short lists and FIFOs and few rows, so that all of them fill; two coarse filters.
TOP_PARAMETERS = Parameters(
    machine="bench", size="bench", slices=1, coarse_filters=2, coarse_interval=4, fine_interval=8,
    lanes=8, list_entries=32, tile_voxels=8, cells=512, voxels=512, coarse_fifo=4, fine_fifo=4,
    feature_fifo=4, sh_degree=0, scale_entries=4096, rotation_entries=64, base_entries=64,
    harmonics_entries=2,
)  # fmt: skip
_USED_SCALES = 64  #: words of that codebook that the scene uses
_KEYS = {"load_cells": "cell", "load_voxels": "voxel"}

_BEATS_PER_TILE = TILE * TILE // TOP_PARAMETERS.lanes
_BEAT_BYTES = 8


@cache
def top_scene() -> tuple[SceneImage, Camera]:
    """Return 4,000 large and bright Gaussians as stored, and a camera that sees all of them."""
    workload = Gs3dWorkload.model_validate(
        {"scene": "builtin:object", "gaussians": 4000, "sh_degree": 0, "resolution": [512, 512]}
    )
    scene = load_scene(workload, seed=0)
    # large, the brightest beyond white, half of them opaque
    scene = replace(
        scene, scales=scene.scales * np.float32(1.5), sh=scene.sh * np.float32(3),
        opacities=np.minimum(scene.opacities * np.float32(2), np.float32(1)),
    )  # fmt: skip
    stored = replace(TOP_PARAMETERS, scale_entries=_USED_SCALES)
    image = build_image(scene, "extent/9", stored)
    return _with_all_words(image), load_cameras(workload, scene)[0]


def _with_all_words(image: SceneImage) -> SceneImage:
    """Return the image with its scales anywhere in a whole codebook, and indices of no effect.

    Now and then a Gaussian's bound is as large as can be: it is found to be nothing later.
    """
    rng = np.random.default_rng(0)
    coarse = image.coarse.copy()
    coarse[::50, 3] = SIZE.high
    used = image.codebooks["scale"]
    places = rng.permutation(TOP_PARAMETERS.scale_entries)[: used.shape[0]]
    book = rng.integers(0, 1 << FLOAT.width, (TOP_PARAMETERS.scale_entries, used.shape[1]))
    book[places] = used
    index = {
        **image.index,
        "scale": places[image.index["scale"]],
        "harmonics": rng.integers(0, 2, image.index["scale"].size),  # without lanes at degree 0
    }
    books = {**image.codebooks, "scale": book, "harmonics": np.zeros((2, 0), np.int64)}
    return replace(image, codebooks=books, index=index, coarse=coarse)


def with_side(camera: Camera, side: int) -> Camera:
    """Return a camera with the same view in a frame of so many pixels each way."""
    scale = side / camera.width
    return replace(camera, width=side, height=side, fx=camera.fx * scale, fy=camera.fy * scale,
                   cx=camera.cx * scale, cy=camera.cy * scale)  # fmt: skip


def _tiles(rng: Rng, n: int) -> Stimulus:
    """About ``n`` beats of pixels: tiles from anywhere in a frame of any size."""
    image, camera = top_scene()
    side = int(rng.choice([128, 512, 4096]))
    camera = with_side(camera, side)
    tiles = rng.integers(0, (side // TILE) ** 2, max(2, -(-n // _BEATS_PER_TILE)))
    golden = golden_tiles(image, camera, tiles.tolist(), TOP_PARAMETERS)
    latency = rng.integers(1, int(rng.choice([2, 60])), 1000)
    timing = MemoryTiming(latency, np.roll(latency, 1), outstanding=4)
    fed = tile_stimulus(image, golden, frame_constants(camera, image.grid), TOP_PARAMETERS, timing)
    start = _places(rng, image)
    fed.inputs["load_voxels"]["word"]["start"] = start
    moved = np.repeat(start - image.grid.start[:-1], image.grid.count)
    records = np.arange(moved.size) + moved
    coarse, fine = (_spread(one, records) for one in fed.memories)
    _fill_spare_bits(rng, fine, records)
    tables = {name: _whole_table(rng, name, fed.inputs[name]) for name in LOADS}
    words = sum(count(table) for table in tables.values())
    leaves = {**fed.pixels, **_requests(image, golden, start)}
    return Stimulus({**fed.inputs, **tables}, {**fed.ports, "load_words": words},
                    memories=(coarse, fine), leaves=leaves)  # fmt: skip


def _places(rng: Rng, image: SceneImage) -> Any:
    """Return the first record of each voxel, anywhere in a memory of all addresses."""
    room = 2 * int(image.grid.count.max())
    slots = rng.permutation((1 << ADDRESS_BITS) // room)[: image.grid.occupied]
    return slots * room + rng.integers(0, room // 2, slots.size)


def _spread(memory: Memory, places: Any) -> Memory:
    spread = np.zeros((1 << ADDRESS_BITS, _BEAT_BYTES), np.uint8)
    spread[places] = memory.data.reshape(-1, _BEAT_BYTES)
    return replace(memory, data=spread.reshape(-1))


def _fill_spare_bits(rng: Rng, memory: Memory, places: Any) -> None:
    """Set the bits of the fine records at random that nothing may depend on."""
    layout = record_layout({name: getattr(TOP_PARAMETERS, f"{name}_entries") for name in TABLES})
    spare = layout["spare"]
    bits = rng.integers(0, 1 << spare.width, places.size, np.uint64)
    memory.data.view(np.uint64)[places] |= bits << np.uint64(spare.offset)


def _whole_table(rng: Rng, name: str, used: Columns) -> Any:
    """Return a table in random order, with anything in the words that the scene does not use."""
    if name not in _KEYS:
        return _joined(used, None, rng.permutation(count(used)))
    layout = getattr(Slice(TOP_PARAMETERS), name).payload.shape()
    given: Any = used
    spare = np.setdiff1d(np.arange(1 << layout[_KEYS[name]].width), given[_KEYS[name]])
    junk = {**_anything(rng, layout, spare.size), _KEYS[name]: spare}
    if name == "load_cells":
        junk["occupied"] = np.zeros_like(spare)
    return _joined(given, junk, rng.permutation(count(used) + spare.size))


def _anything(rng: Rng, layout: Any, n: int) -> dict[str, Any]:
    return {
        name: _anything(rng, field.shape, n) if isinstance(field.shape, data.Layout)
        else rng.integers(0, 1 << field.width, n)
        for name, field in layout
    }  # fmt: skip


def _joined(first: Any, second: Any, order: Any) -> Any:
    if isinstance(first, dict):
        return {name: _joined(first[name], second and second[name], order) for name in first}
    return (first if second is None else np.concatenate([first, second]))[order]


def _requests(image: SceneImage, golden: GoldenTiles, start: Any) -> dict[str, Any]:
    """Return the requests of both memories if no tile stopped early."""
    spread = replace(image, grid=replace(image.grid, start=np.append(start, 0)))
    coarse, fine = memory_requests(spread, golden, BURST)
    behind = image.coarse.shape[0] * _BEAT_BYTES
    return {
        "coarse_request": {"address": coarse[0] // _BEAT_BYTES, "count": coarse[1] // _BEAT_BYTES},
        "fine_request": {"address": (fine[0] - behind) // _BEAT_BYTES,
                         "count": fine[1] // _BEAT_BYTES},
    }  # fmt: skip


def _counted(name: str) -> Bin:
    return lambda seen: seen.run.ports[name] > 0


def _inside() -> Mapping[str, Bin]:
    """Return the bins of the streams between the blocks: each stalled and each starved."""
    return {f"{name} {state}": _counted(f"{name}_{state}")
            for name in MONITORED for state in ("stalled", "starved")}  # fmt: skip


def _saturated(seen: Seen) -> bool:
    pixels: Any = seen.outputs["pixels"]
    return bool((pixels["red"] == (1 << 16) - 1).any())


TOP_BENCHES: tuple[Bench, ...] = (
    Bench(
        "top", lambda: Slice(TOP_PARAMETERS), _tiles,
        bins={
            **flow("tiles", "samples", outputs=("coarse_request", "fine_request", "pixels")),
            **_inside(),
            "early stop: voxels not visited": _counted("skipped_voxels"),
            "early stop: records dropped": _counted("dropped"),
            "early stop: subtiles skipped": _counted("skipped_subtiles"),
            "table overflow": _counted("sorter_dropped"),
            "a list that a full half ends": _counted("cut"),
        },
        beats=20_000,  # 625 tiles: they come from a scene, not from random bits
        limit_cycles_per_beat=100, heavy=True, made_from=repr(TOP_PARAMETERS),
        may_skip=("coarse_request", "fine_request"),
        cannot_toggle={
            **{f"{name}.ready": "a table is written in every cycle" for name in LOADS},
            **{f"tiles.payload.{axis}:{bit}": "tiles begin at multiples of 16"
               for axis in "xy" for bit in range(4)},
            **{f"load_codebooks.payload.lane:{bit}": "a word has at most 4 floats at degree 0"
               for bit in range(2, 6)},
            "fine_request.payload.count": "a record is one beat",
        },
    ),
)  # fmt: skip
