"""Seconds of the reference renderer per frame, and of its first call, which compiles.

    python benchmarks/reference_renderer.py SCENE [--lod 0] [--resolution 800 800] [--threads 1]

SCENE is a scene file or folder; without one, Gaussians are drawn: ``--gaussians 500000``.
"""

import argparse
import math
import resource
import time
from pathlib import Path

import numba
import numpy as np

from archsim.traces.gs3d.camera import Camera
from archsim.traces.gs3d.formats import load_scene_file
from archsim.traces.gs3d.projection import project
from archsim.traces.gs3d.quality import ssim
from archsim.traces.gs3d.reference import TILE, render_reference
from archsim.traces.gs3d.scene import Scene
from archsim.traces.gs3d.sorting import tile_lists
from archsim.traces.gs3d.tile_raster import record_tile_raster


def draw_scene(count: int) -> Scene:
    """A ball of small Gaussians with third-degree colour."""
    random = np.random.default_rng(0)
    quats = random.standard_normal((count, 4), np.float32)
    return Scene(
        random.standard_normal((count, 3), np.float32),
        np.exp(random.standard_normal((count, 3), np.float32) * np.float32(0.5) - np.float32(5.5)),
        quats / np.linalg.norm(quats, axis=1, keepdims=True),
        random.random(count, np.float32),
        random.standard_normal((count, 16, 3), np.float32) * np.float32(0.2),
        f"{count} drawn Gaussians",
    )


def look_at_middle(scene: Scene, width: int, height: int) -> Camera:
    """A camera of 50 degrees before the middle 98 % of the scene."""
    low, high = np.percentile(scene.means, [1, 99], axis=0)
    tangent = math.tan(math.radians(25))
    pose = np.eye(4)
    extent = high - low
    pose[:3, 3] = -(low + high) / 2
    pose[2, 3] += 1.15 * extent.max() / 2 / tangent + extent[2] / 2
    focal = min(width, height) / 2 / tangent
    return Camera(width, height, focal, focal, width / 2, height / 2, pose)


def seconds(job, repeats: int = 3) -> float:
    """The least wall time of several calls."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        job()
        times.append(time.perf_counter() - start)
    return min(times)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("scene", nargs="?", type=Path)
    options.add_argument("--lod", type=int)
    options.add_argument("--gaussians", type=int, default=500_000)
    options.add_argument("--resolution", type=int, nargs=2, default=[800, 800])
    options.add_argument("--threads", type=int, default=1)
    chosen = options.parse_args()
    numba.set_num_threads(chosen.threads)

    small = draw_scene(100)
    small_camera = look_at_middle(small, 32, 32)

    def compile_all() -> None:
        reference = render_reference(small, small_camera)
        record_tile_raster(small, small_camera, reference)
        ssim(reference.image, reference.image)

    print(f"first call (compiles unless cached): {seconds(compile_all, 1):8.3f} s")
    if chosen.scene is None:
        scene = draw_scene(chosen.gaussians)
    else:
        scene = load_scene_file(chosen.scene, chosen.lod)
    width, height = chosen.resolution
    camera = look_at_middle(scene, width, height)
    print(f"{scene.name}: {len(scene)} Gaussians, {width} x {height}, {chosen.threads} thread(s)")
    projected = project(scene, camera)
    tiles = -(-width // TILE), -(-height // TILE)
    reference = render_reference(scene, camera)
    for name, job in {
        "project": lambda: project(scene, camera),
        "tile_lists": lambda: tile_lists(projected, *tiles),
        "render_reference": lambda: render_reference(scene, camera),
        "record_tile_raster": lambda: record_tile_raster(scene, camera, reference),
        "ssim": lambda: ssim(reference.image, reference.image),
    }.items():
        print(f"{name:<20} {seconds(job):8.3f} s")
    print(f"pairs {len(reference.pair_visible)}, blends {int(reference.counts.blends.sum())}")
    peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"peak memory, scene included: {peak_kib / 2**20:.2f} GiB")


if __name__ == "__main__":
    main()
