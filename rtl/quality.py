"""The golden model's tiles against the float renderer in the same order of voxels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from archsim.rtl.golden import GoldenTiles, tile_image
from archsim.rtl.parameters import TILE
from archsim.rtl.scene_image import SceneImage
from archsim.traces.gs3d.blend import INRIA_RULE
from archsim.traces.gs3d.camera import Camera
from archsim.traces.gs3d.projection import project
from archsim.traces.gs3d.streaminggs.filters import gaussian_extents
from archsim.traces.gs3d.streaminggs.order import VoxelQueue
from archsim.traces.gs3d.streaminggs.render import Groups, stream_groups

__all__ = ["drawn_pixels", "float_tiles", "tile_psnr_db"]

F32 = npt.NDArray[np.float32]


def float_tiles(image: SceneImage, camera: Camera, golden: GoldenTiles) -> F32:
    """Render the golden model's tiles in floating point, from the same stored scene and queues.

    Returns colour over black and transmittance, (T, 16, 16, 4); pixels outside the frame are 0.
    """
    scene = image.decoded
    grid = replace(image.grid, order=np.arange(len(scene), dtype=np.int32))
    projected = project(scene, camera)
    across, down = -(-camera.width // TILE), -(-camera.height // TILE)
    number = golden.origins[:, 1] // TILE * across + golden.origins[:, 0] // TILE
    visits = golden.visits
    group = number[visits.tile]
    order = np.argsort(group, kind="stable")
    start = np.concatenate([[0], np.cumsum(np.bincount(group, minlength=across * down))])
    queue = VoxelQueue(
        start.astype(np.int64), visits.voxel[order].astype(np.int32),
        np.zeros(across * down, np.int64),
    )  # fmt: skip
    extents = gaussian_extents(scene, camera, projected, grid, "inria")
    size = scene.scales.max(axis=1)
    groups = Groups(camera.width, camera.height, TILE, TILE, across, TILE)
    frame = stream_groups(grid, queue, projected, extents.coarse, size, groups, INRIA_RULE).frame
    whole = np.concatenate([frame.colour, frame.transmittance[:, :, None]], axis=2)
    tiles = np.zeros((number.size, TILE, TILE, 4), np.float32)
    for k, (x, y) in enumerate(golden.origins):
        part = whole[y : y + TILE, x : x + TILE]
        tiles[k, : part.shape[0], : part.shape[1]] = part
    return tiles


def drawn_pixels(golden: GoldenTiles, camera: Camera) -> npt.NDArray[np.bool_]:
    """Return which pixels of the tiles lie in the frame, in tiles that any Gaussian reached."""
    x = golden.origins[:, 0, None] + np.arange(TILE)
    y = golden.origins[:, 1, None] + np.arange(TILE)
    inside = (y < camera.height)[:, :, None] & (x < camera.width)[:, None, :]
    reached = np.zeros(golden.origins.shape[0], np.bool_)
    reached[golden.visits.tile[golden.visits.pixels > 0]] = True
    return inside & reached[:, None, None]


def tile_psnr_db(golden: GoldenTiles, floats: F32, camera: Camera) -> tuple[float, float]:
    """Return PSNR in dB and the largest difference, over tiles that any Gaussian reached."""
    pixels = drawn_pixels(golden, camera)
    apart = (tile_image(golden.pixels)[..., :3] - floats[..., :3])[pixels].astype(np.float64)
    if not apart.any():
        return float("inf"), 0.0
    return float(-10 * np.log10(np.mean(apart**2))), float(np.abs(apart).max())
