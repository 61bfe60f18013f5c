"""Lists of tiles in the order in which StreamingGS renders, and who comes out of order there.

A tile of a pixel group takes, voxel by voxel in the group's order and by depth inside a voxel,
the Gaussians that touch it. What no ray of the group crosses is never loaded. Voxels, rays and
depths depend on centres and camera only, so a view's :class:`Stream` is made once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from archsim.base.jit import njit, prange
from archsim.traces.gs3d.camera import Camera
from archsim.traces.gs3d.projection import Projected
from archsim.traces.gs3d.reference import TILE
from archsim.traces.gs3d.sorting import TileLists
from archsim.traces.gs3d.streaminggs.grid import VoxelGrid
from archsim.traces.gs3d.streaminggs.order import OrderRule, order_voxels, voxel_distances
from archsim.traces.gs3d.streaminggs.rays import group_grid, trace_rays

__all__ = ["MisOrder", "Stream", "make_stream", "mis_ordered", "stream_lists"]

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Stream:
    """What a view's rendering order depends on besides the visible Gaussians' shapes.

    Attributes
    ----------
    start : (G + 1,) int64
    voxel : (nodes,) int32
        The groups' voxels in rendering order.
    voxel_start : (M + 1,) int64
    sequence : (N,) int32
        Voxel v's Gaussians, ``sequence[voxel_start[v] : voxel_start[v + 1]]``, nearest first.
    group
        Width and height of a group in pixels.
    groups_x
        Groups per row.
    width, height
        The view in pixels.
    """

    start: npt.NDArray[np.int64]
    voxel: npt.NDArray[np.int32]
    voxel_start: npt.NDArray[np.int64]
    sequence: npt.NDArray[np.int32]
    group: tuple[int, int]
    groups_x: int
    width: int
    height: int


@dataclass(frozen=True)
class MisOrder:
    """Gaussians that come behind a deeper one of their group, in a view.

    Attributes
    ----------
    struck : (V,) int64
        Groups in which each visible Gaussian is out of order.
    pairs
        Gaussian-group pairs that are rendered.
    """

    struck: npt.NDArray[np.int64]
    pairs: int


def make_stream(
    grid: VoxelGrid, means: npt.NDArray[np.float32], camera: Camera, *, group: tuple[int, int],
    order: OrderRule, ray_stride: int = 1,
) -> Stream:  # fmt: skip
    """Trace a view's rays through the grid and order its voxels."""
    tables = trace_rays(grid, camera, group=group, stride=ray_stride)
    queue = order_voxels(tables, voxel_distances(grid, camera), order)
    voxel_of = np.empty(means.shape[0], np.int32)
    voxel_of[grid.order] = np.repeat(np.arange(grid.occupied, dtype=np.int32), grid.count)
    row = np.asarray(camera.world_to_camera[2], np.float64)
    # as the projection computes and rounds it, so that ties fall alike
    depth = row[0] * means[:, 0].astype(np.float64) + row[1] * means[:, 1].astype(np.float64)
    depth = (depth + row[2] * means[:, 2].astype(np.float64) + row[3]).astype(np.float32)
    sequence = np.lexsort((np.arange(means.shape[0]), depth, voxel_of)).astype(np.int32)
    return Stream(
        queue.start, queue.voxel, grid.start, sequence, group, group_grid(camera, group)[0],
        camera.width, camera.height,
    )  # fmt: skip


def stream_lists(stream: Stream, projected: Projected, count: int) -> TileLists:
    """Return the tiles' lists in streaming order, as :func:`~..sorting.tile_lists` gives them.

    ``count`` is the number of Gaussians of the scene, visible or not.
    """
    tiles_x, tiles_y = -(-stream.width // TILE), -(-stream.height // TILE)
    visible = _visible(projected, count)
    size = np.array([*stream.group, stream.groups_x, tiles_x, tiles_y, TILE], np.int64)
    lengths = np.zeros(tiles_x * tiles_y + 1, np.int64)
    nothing = np.empty(0, np.int32)
    tables = (stream.start, stream.voxel, stream.voxel_start, stream.sequence)
    _fill(size, *tables, visible, projected.tile_rect, lengths[1:], nothing, False)
    start = np.cumsum(lengths)
    entries = np.empty(int(start[-1]), np.int32)
    _fill(size, *tables, visible, projected.tile_rect, start[:-1].copy(), entries, True)
    return start, entries


def mis_ordered(stream: Stream, projected: Projected, count: int) -> MisOrder:
    """Count, per visible Gaussian, the groups in which a deeper one is rendered before it."""
    tiles = (-(-stream.width // TILE), -(-stream.height // TILE))
    size = np.array([*stream.group, stream.groups_x, *tiles, TILE], np.int64)
    struck = np.zeros(len(projected), np.int64)
    pairs = _strike(
        size, stream.start, stream.voxel, stream.voxel_start, stream.sequence,
        _visible(projected, count), projected.tile_rect, projected.depth, struck,
    )  # fmt: skip
    return MisOrder(struck, int(pairs))


def _visible(projected: Projected, count: int) -> npt.NDArray[np.int32]:
    """Return the position among the visible of each Gaussian of the scene, -1 without one."""
    visible = np.full(count, -1, np.int32)
    visible[projected.index] = np.arange(len(projected), dtype=np.int32)
    return visible


@njit()
def _tiles_of_group(g: int, size: Array) -> tuple[int, int, int, int]:
    """Return the tiles x0, y0, x1, y1 of a group, half open."""
    across, down = size[0] // size[5], size[1] // size[5]
    x0, y0 = g % size[2] * across, g // size[2] * down
    return x0, y0, min(x0 + across, size[3]), min(y0 + down, size[4])


@njit(parallel=True)
def _fill(
    size: Array, queue_start: Array, queue: Array, voxel_start: Array, sequence: Array,
    visible: Array, tile_rect: Array, cursor: Array, entries: Array, fill: bool,
) -> None:  # fmt: skip
    """Advance every tile's ``cursor`` by its list's length; write the list too if ``fill``."""
    for g in prange(queue_start.size - 1):
        x0, y0, x1, y1 = _tiles_of_group(g, size)
        for entry in range(queue_start[g], queue_start[g + 1]):
            for k in range(voxel_start[queue[entry]], voxel_start[queue[entry] + 1]):
                v = visible[sequence[k]]
                if v < 0:
                    continue
                for y in range(max(y0, tile_rect[v, 1]), min(y1, tile_rect[v, 3])):
                    for x in range(max(x0, tile_rect[v, 0]), min(x1, tile_rect[v, 2])):
                        tile = y * size[3] + x
                        if fill:
                            entries[cursor[tile]] = v
                        cursor[tile] += 1


@njit()
def _strike(
    size: Array, queue_start: Array, queue: Array, voxel_start: Array, sequence: Array,
    visible: Array, tile_rect: Array, depth: Array, struck: Array,
) -> int:  # fmt: skip
    pairs = 0
    for g in range(queue_start.size - 1):
        x0, y0, x1, y1 = _tiles_of_group(g, size)
        deepest = np.float32(-np.inf)
        for entry in range(queue_start[g], queue_start[g + 1]):
            for k in range(voxel_start[queue[entry]], voxel_start[queue[entry] + 1]):
                v = visible[sequence[k]]
                if v < 0:
                    continue
                inside = max(x0, tile_rect[v, 0]) < min(x1, tile_rect[v, 2])
                if not (inside and max(y0, tile_rect[v, 1]) < min(y1, tile_rect[v, 3])):
                    continue
                pairs += 1
                struck[v] += depth[v] < deepest
                deepest = max(deepest, depth[v])
    return pairs
