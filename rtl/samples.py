"""The cells that a tile's rays cross: what the voxel sorting unit is fed.

The hardware has no ray sampler: its three divisions per ray and the walk through the grid are done
here, in float64, as the functional model does them.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from archsim.base.jit import njit
from archsim.rtl.parameters import TILE
from archsim.traces.gs3d.camera import Camera
from archsim.traces.gs3d.streaminggs.grid import VoxelGrid
from archsim.traces.gs3d.streaminggs.rays import enter_grid

__all__ = ["STRIDE", "tile_samples"]

Array = npt.NDArray[Any]

#: Rays go through every so many pixels in x and y.
STRIDE = 4


def tile_samples(grid: VoxelGrid, camera: Camera, x0: int, y0: int) -> dict[str, Array]:
    """Return columns ``cell, first, miss, last`` of the tile whose first pixel is (x0, y0).

    A ray that meets no cell is one sample with ``miss``.
    """
    pose = camera.world_to_camera
    rays = (TILE // STRIDE) ** 2
    columns = np.zeros((rays * (int(grid.cells.sum()) + 1), 3), np.int64)
    view = np.array([camera.fx, camera.fy, camera.cx, camera.cy])
    area = np.array([x0, y0, min(x0 + TILE, camera.width), min(y0 + TILE, camera.height)])
    count = _walk(
        area, STRIDE, camera.position, np.ascontiguousarray(pose[:3, :3]), view, grid.origin,
        grid.size, grid.cells, columns,
    )  # fmt: skip
    last = np.zeros(count, np.int64)
    last[-1] = 1
    return {"cell": columns[:count, 0], "first": columns[:count, 1],
            "miss": columns[:count, 2], "last": last}  # fmt: skip


@njit()
def _walk(
    area: Array, stride: int, position: Array, rotation: Array, view: Array, origin: Array,
    size: float, cells: Array, columns: Array,
) -> int:  # fmt: skip
    direction, border, delta = np.empty(3), np.empty(3), np.empty(3)
    index, step = np.empty(3, np.int64), np.empty(3, np.int64)
    count = 0
    for y in range(min(area[1] + stride // 2, area[3] - 1), area[3], stride):
        for x in range(min(area[0] + stride // 2, area[2] - 1), area[2], stride):
            right, down = (x + 0.5 - view[2]) / view[0], (y + 0.5 - view[3]) / view[1]
            for axis in range(3):
                direction[axis] = (
                    rotation[0, axis] * right + rotation[1, axis] * down + rotation[2, axis]
                )
            columns[count, 1] = 1
            if not enter_grid(position, direction, origin, size, cells, index):
                columns[count, 2] = 1
                count += 1
                continue
            for axis in range(3):
                step[axis] = 1 if direction[axis] > 0.0 else -1
                border[axis] = delta[axis] = math.inf
                if direction[axis] != 0.0:
                    edge = origin[axis] + (index[axis] + (direction[axis] > 0.0)) * size
                    border[axis] = (edge - position[axis]) / direction[axis]
                    delta[axis] = size / abs(direction[axis])
            inside = True
            while inside:
                columns[count, 0] = (index[0] * cells[1] + index[1]) * cells[2] + index[2]
                count += 1
                axis = 0
                if border[1] < border[0]:
                    axis = 1
                if border[2] < border[axis]:
                    axis = 2
                index[axis] += step[axis]
                border[axis] += delta[axis]
                inside = 0 <= index[axis] < cells[axis]
    return count
