"""Tiles of a run configuration's scene through RTL, golden, float and timing model."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from archsim.arch.machine import Accelerator
from archsim.base.errors import CheckError, ConfigError
from archsim.config import ResolvedRun, load_run
from archsim.output import to_json, write_folder
from archsim.progress import Reporter
from archsim.rtl.golden import GoldenTiles, golden_tiles, tile_image
from archsim.rtl.memory_timing import MemoryTiming
from archsim.rtl.parameters import TILE, Parameters, parameters_of
from archsim.rtl.quality import float_tiles, tile_psnr_db
from archsim.rtl.scene_image import SceneImage, build_image, frame_constants
from archsim.traces.cache import TraceCache
from archsim.traces.gs3d.camera import Camera
from archsim.traces.gs3d.images import to_uint8, write_png
from archsim.traces.gs3d.workload import load_cameras, load_scene

__all__ = [
    "Prepared", "Simulated", "build_hardware", "choose_tiles", "golden_quality", "prepare",
    "simulate", "write_simulation",
]  # fmt: skip

_RANGE = re.compile(r"(\d+)-(\d+)")
_RANDOM = re.compile(r"random:(\d+)(?::seed=(\d+))?")


@dataclass(frozen=True)
class Prepared:
    """A frame's tiles, ready for the hardware; ``scene`` has name, gaussians and sh_degree."""

    run: ResolvedRun
    scene: dict[str, Any]
    machine: Accelerator
    parameters: Parameters
    voxel_size: str | float
    camera: Camera
    tiles: list[int]
    image: SceneImage
    golden: GoldenTiles


@dataclass(frozen=True)
class Simulated:
    """What the hardware gave for a frame's tiles.

    Attributes
    ----------
    hardware
        A :class:`archsim.rtl.simulate.TileRun`.
    equal
        Tiles whose pixels equal the golden model's: all.
    seconds
        CPU time of the hardware's simulation.
    """

    hardware: Any
    equal: int
    seconds: float


def choose_tiles(text: str, camera: Camera) -> list[int]:
    """Return the tiles that a text names: ``all``, ``random:64``, or numbers and ranges.

    ``random:64:seed=7`` draws others. Tiles are numbered row by row. Raises :class:`ConfigError`.
    """
    count = -(-camera.width // TILE) * -(-camera.height // TILE)
    remedy = (f"use all, random:N, random:N:seed=K, or numbers and ranges of 0 to {count - 1} "
              "such as 0-63,100")  # fmt: skip
    if text == "all":
        return list(range(count))
    drawn = _RANDOM.fullmatch(text)
    if drawn:
        rng = np.random.default_rng(int(drawn[2] or 0))
        return sorted(int(t) for t in rng.choice(count, min(int(drawn[1]), count), replace=False))
    tiles: list[int] = []
    for part in text.split(","):
        span = _RANGE.fullmatch(part.strip())
        if span:
            tiles += range(int(span[1]), int(span[2]) + 1)
        elif part.strip().isdigit():
            tiles.append(int(part))
        else:
            raise ConfigError(f"--tiles {text!r} is not understood", remedy=remedy)
    if not tiles or max(tiles) >= count:
        raise ConfigError(f"--tiles {text!r}: the frame has tiles 0 to {count - 1}", remedy=remedy)
    return sorted(set(tiles))


def prepare(
    config: str, assignments: list[str], size: str, tiles: str, reporter: Reporter
) -> Prepared:
    """Load a configuration's scene, store it as the hardware does, and run the golden model.

    Harmonics of a higher degree than the size computes are left out, unless the configuration says
    which degree it wants: then one that is too high is an error.
    """
    run = load_run(config, assignments=assignments)
    plan = next((s for s in run.systems if s.method.kind == "streaminggs"), None)
    if plan is None or not isinstance(plan.machine, Accelerator):
        raise ConfigError(f"{config} has no system with the streaminggs method",
                          remedy="use streaminggs or a configuration with one")  # fmt: skip
    p = parameters_of(plan.machine, size)
    voxel_size = plan.config.voxel_size
    workload = run.config.workload
    if workload.sh_degree is None:
        workload = workload.model_copy(update={"sh_degree": p.sh_degree})
    cache = TraceCache.default()
    with reporter.step(f"load the scene, harmonics up to degree {workload.sh_degree}") as done:
        scene = load_scene(workload, seed=run.config.seed, progress=done)
        camera = load_cameras(workload, scene)[0]
    facts = {"name": scene.name, "gaussians": len(scene), "sh_degree": scene.sh_degree}
    with reporter.step("train codebooks, store the scene"):
        image = build_image(scene, voxel_size, p, cache)
    chosen = choose_tiles(tiles, camera)
    with reporter.step("golden model") as done:
        golden = golden_tiles(image, camera, chosen, p, lambda n: done(n, len(chosen)))
    return Prepared(run, facts, plan.machine, p, voxel_size, camera, chosen, image, golden)


def build_hardware(prepared: Prepared, reporter: Reporter) -> Any:
    """Return the hardware of a size as a :class:`archsim.rtl.tools.library.Library`."""
    from archsim.rtl.tools.environment import need_package

    need_package("amaranth", "rtl")
    from archsim.rtl.blocks.machine import make_machine
    from archsim.rtl.tools.library import build_library

    p = prepared.parameters
    with reporter.step(f"build {p.size} with Verilator (minutes the first time)"):
        return build_library(make_machine(p), checks=False, fast=True, made_from=repr(p))


def simulate(
    prepared: Prepared, library: Any, memory: MemoryTiming | Sequence[MemoryTiming],
    reporter: Reporter,
) -> Simulated:  # fmt: skip
    """Render the tiles in hardware and hold them to the golden model.

    Raises :class:`CheckError` when a pixel differs.
    """
    from archsim.rtl.simulate import run_tiles

    p, golden = prepared.parameters, prepared.golden
    constants = frame_constants(prepared.camera, prepared.image.grid)
    filters = p.coarse_filters * p.slices
    expected = max(int(golden.visits.loaded.sum()) * p.coarse_interval // filters, 1)
    with reporter.step("hardware") as done:
        begin = time.process_time()
        hardware = run_tiles(
            library, prepared.image, golden, constants, p, memory=memory,
            progress=lambda cycle: done(min(cycle, expected), expected),
        )  # fmt: skip
        seconds = time.process_time() - begin
    same = (hardware.pixels == golden.pixels).all(axis=(1, 2))
    if not same.all():
        wrong = [prepared.tiles[k] for k in np.flatnonzero(~same)]
        raise CheckError(
            f"{len(wrong)} of {same.size} tiles differ from the golden model, first tile "
            f"{wrong[0]}",
            remedy="report this scene, size and tile: they must be equal",
        )
    return Simulated(hardware, int(same.sum()), seconds)


def golden_quality(prepared: Prepared, reporter: Reporter) -> tuple[float, float]:
    """Return PSNR in dB and largest difference of the golden model to the float renderer."""
    with reporter.step("float renderer"):
        floats = float_tiles(prepared.image, prepared.camera, prepared.golden)
    return tile_psnr_db(prepared.golden, floats, prepared.camera)


def frame_of(prepared: Prepared, pixels: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
    """Return the frame over black; tiles not rendered are grey."""
    camera = prepared.camera
    frame = np.full((camera.height + TILE, camera.width + TILE, 3), 0.5, np.float32)
    for (x, y), tile in zip(prepared.golden.origins, tile_image(pixels), strict=True):
        frame[y : y + TILE, x : x + TILE] = tile[..., :3]
    return to_uint8(frame[: camera.height, : camera.width])


def simulation_data(
    prepared: Prepared, done: Simulated, quality: tuple[float, float]
) -> dict[str, Any]:
    """Return what ``result.json`` holds of a simulation."""
    hardware, p = done.hardware, prepared.parameters
    total_cycles = hardware.run.cycles
    return {
        "schema": "archsim-result-rtl-sim-1",
        "configuration": prepared.run.name,
        "machine": p.machine,
        "size": p.size,
        "parameters": p.describe(),
        "camera": prepared.camera.name,
        "resolution": [prepared.camera.width, prepared.camera.height],
        "voxel_size": prepared.voxel_size,
        "scene": prepared.scene,
        "tiles": prepared.tiles,
        "tiles_equal_to_golden": done.equal,
        "psnr_db": None if np.isinf(quality[0]) else quality[0],
        "largest_difference": quality[1],
        "cycles": hardware.cycles,
        "tile_cycles": [int(c) for c in hardware.tile_cycles],
        "counters": hardware.counters,
        "clamped_gaussians": prepared.image.clamped,
        "dropped_samples": prepared.golden.dropped,
        "simulation": {
            "cpu_s": done.seconds,
            "cycles_with_loading": total_cycles,
            "cycles_per_cpu_s": total_cycles / max(done.seconds, 1e-9),
            "tiles_per_cpu_s": len(prepared.tiles) / max(done.seconds, 1e-9),
        },
    }


def write_simulation(
    prepared: Prepared, done: Simulated, quality: tuple[float, float], folder: Path
) -> dict[str, Any]:
    """Write ``result.json`` and the image; return the data."""
    data = simulation_data(prepared, done, quality)
    image = frame_of(prepared, done.hardware.pixels)

    def fill(where: Path) -> None:
        write_png(image, where / "images" / "rtl.png")
        (where / "result.json").write_text(to_json(data), encoding="utf-8")

    write_folder(folder, fill)
    return data
