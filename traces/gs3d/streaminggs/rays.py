"""Which voxels the rays of a pixel group cross, and in which order: the voxel rendering table."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from archsim.base.jit import njit, prange
from archsim.traces.gs3d.camera import Camera
from archsim.traces.gs3d.streaminggs.batches import batches
from archsim.traces.gs3d.streaminggs.grid import VoxelGrid
from archsim.traces.gs3d.streaminggs.reuse import FILTER_ENTRIES, count_passed

__all__ = ["RayTables", "enter_grid", "group_grid", "trace_rays"]

Array = npt.NDArray[Any]

_RAYS_PER_CALL = 65_536  # about 0.05 s between two returns to Python
_FIRST_ROOM = 256  # nodes of a group that there is room for at first, and a quarter of its edges


@dataclass(frozen=True)
class RayTables:
    """Per group of pixels: the occupied voxels its rays cross (nodes) and who follows whom (edges).

    G groups in row-major order over the image.

    Attributes
    ----------
    rays, steps, hits : (G,) int64
        Rays cast, grid cells they entered, occupied cells among those.
    passed : (G, sizes) int64
        Hits that a memory of the last pairs lets through, by its size (:mod:`reuse`).
    node_start : (G + 1,) int64
        Group g owns nodes ``node_start[g]:node_start[g + 1]``.
    node : (nodes,) int32
        Renamed voxel of each node, in the order the group first meets it.
    edge_start : (G + 1,) int64
    edge : (edges, 2) int32
        Node (local to its group) directly before another on some ray; each pair once.
    """

    rays: npt.NDArray[np.int64]
    steps: npt.NDArray[np.int64]
    hits: npt.NDArray[np.int64]
    passed: npt.NDArray[np.int64]
    node_start: npt.NDArray[np.int64]
    node: npt.NDArray[np.int32]
    edge_start: npt.NDArray[np.int64]
    edge: npt.NDArray[np.int32]


def group_grid(camera: Camera, group: tuple[int, int]) -> tuple[int, int]:
    """Return the number of groups along x and y."""
    return -(-camera.width // group[0]), -(-camera.height // group[1])


def trace_rays(
    grid: VoxelGrid, camera: Camera, *, group: tuple[int, int], stride: int = 1, abreast: int = 16
) -> RayTables:
    """Walk every ray of every group through the grid (three-dimensional DDA, float64).

    Rays go through the centres of every ``stride``-th pixel in x and y, the first one
    ``stride // 2`` pixels from the group's corner, or through its last pixel if it has fewer.
    ``abreast`` neighbours at a time walk side by side, which matters to ``passed`` alone.
    """
    groups_x, groups_y = group_grid(camera, group)
    groups = groups_x * groups_y
    pose = camera.world_to_camera
    view = np.array([camera.fx, camera.fy, camera.cx, camera.cy], np.float64)
    shape = np.array(
        [camera.width, camera.height, group[0], group[1], groups_x, stride, abreast], np.int64
    )
    rotation = np.ascontiguousarray(pose[:3, :3], np.float64)
    counts = np.zeros((groups, 5), np.int64)
    passed = np.zeros((groups, len(FILTER_ENTRIES)), np.int64)
    rays = -(-group[0] // stride) * -(-group[1] // stride)
    nodes, edges = [np.zeros(0, np.int32)], [np.zeros((0, 2), np.int32)]
    room = [_FIRST_ROOM, 4 * _FIRST_ROOM]
    for first, last in batches(np.full(groups, rays), _RAYS_PER_CALL):
        while True:  # a batch with a group that finds too little room is traced again
            node = np.empty((last - first, room[0]), np.int32)
            edge = np.empty((last - first, room[1], 2), np.int32)
            _trace_groups(
                first, last, camera.position, rotation, view, shape, grid.origin, grid.size,
                grid.cells, grid.rename, grid.occupied, counts, passed, FILTER_ENTRIES[-1], node,
                edge,
            )  # fmt: skip
            found = counts[first:last, 3:]
            if (found <= room).all():
                break
            room = [max(space, 2 * int(most)) for space, most in zip(room, found.max(axis=0))]
        nodes.append(node[np.arange(room[0]) < found[:, :1]])
        edges.append(edge[np.arange(room[1]) < found[:, 1:]])
    node_start, edge_start = (np.concatenate([[0], np.cumsum(counts[:, i])]) for i in (3, 4))
    return RayTables(
        counts[:, 0].copy(), counts[:, 1].copy(), counts[:, 2].copy(), passed,
        node_start, np.concatenate(nodes), edge_start, np.concatenate(edges),
    )  # fmt: skip


@njit()
def enter_grid(
    position: Array, direction: Array, origin: Array, size: float, cells: Array, index: Array
) -> bool:
    """Set ``index`` to the first cell a ray meets; return whether it meets the grid at all."""
    enter, leave, face = 0.0, math.inf, -1
    for axis in range(3):
        low = origin[axis] - position[axis]
        high = origin[axis] + cells[axis] * size - position[axis]
        if direction[axis] == 0.0:
            if low > 0.0 or high <= 0.0:
                return False
            continue
        near, far = low / direction[axis], high / direction[axis]
        if near > far:
            near, far = far, near
        if near > enter:
            enter, face = near, axis
        leave = min(leave, far)
    if not enter < leave:
        return False
    for axis in range(3):
        if axis == face:  # exactly the border: no rounding may put it outside
            index[axis] = 0 if direction[axis] > 0.0 else cells[axis] - 1
        else:
            at = position[axis] + enter * direction[axis]
            cell = math.floor((at - origin[axis]) / size)
            index[axis] = min(max(cell, 0), cells[axis] - 1)
    return True


@njit()
def _longer(short: Array) -> Array:
    """Return a copy of twice the length, filled up with -1."""
    grown = np.full(2 * short.size, -1, np.int32)
    for i in range(short.size):
        grown[i] = short[i]
    return grown


@njit()
def _trace_group(
    g: int, position: Array, rotation: Array, view: Array, shape: Array, origin: Array,
    size: float, cells: Array, rename: Array, occupied: int, counts: Array, passed: Array,
    remembered: int, node: Array, edge: Array,
) -> None:  # fmt: skip
    # what finds no room in the group's own ``node`` and ``edge`` is counted alone
    width, height, group_w, group_h = shape[0], shape[1], shape[2], shape[3]
    groups_x, stride, abreast = shape[4], shape[5], shape[6]
    x0, y0 = g % groups_x * group_w, g // groups_x * group_h
    x1, y1 = min(x0 + group_w, width), min(y0 + group_h, height)
    local = np.full(occupied, -1, np.int32)
    first = np.full(64, -1, np.int32)  # head of each node's chain of successors
    following = np.full(256, -1, np.int32)  # next link of a chain
    target = np.full(256, -1, np.int32)
    index = np.empty(3, np.int64)
    step = np.empty(3, np.int64)
    border = np.empty(3, np.float64)  # ray parameter at the next cell border, by axis
    delta = np.empty(3, np.float64)
    direction = np.empty(3, np.float64)
    trail = np.empty((abreast, cells[0] + cells[1] + cells[2]), np.int32)  # a wave's pairs
    recent = np.empty(remembered, np.int32)
    passed[g] = 0
    rays = steps = hits = nodes = edges = wave = longest = kept = 0
    # a group that the image's border cuts short keeps at least one ray
    for y in range(min(y0 + stride // 2, y1 - 1), y1, stride):
        for x in range(min(x0 + stride // 2, x1 - 1), x1, stride):
            rays += 1
            if wave == abreast:
                kept = count_passed(trail, wave, longest, recent, kept, passed[g])
                wave = longest = 0
            trail[wave] = -1
            wave += 1
            right, down = (x + 0.5 - view[2]) / view[0], (y + 0.5 - view[3]) / view[1]
            for axis in range(3):
                direction[axis] = (
                    rotation[0, axis] * right + rotation[1, axis] * down + rotation[2, axis]
                )
            if not enter_grid(position, direction, origin, size, cells, index):
                continue
            for axis in range(3):
                step[axis] = 1 if direction[axis] > 0.0 else -1
                if direction[axis] == 0.0:
                    border[axis] = delta[axis] = math.inf
                    continue
                edge_at = origin[axis] + (index[axis] + (direction[axis] > 0.0)) * size
                border[axis] = (edge_at - position[axis]) / direction[axis]
                delta[axis] = size / abs(direction[axis])
            before = -1
            entered = 0
            while True:
                steps += 1
                entered += 1
                voxel = rename[(index[0] * cells[1] + index[1]) * cells[2] + index[2]]
                if voxel >= 0:
                    hits += 1
                    here = local[voxel]
                    if here < 0:
                        here = nodes
                        local[voxel] = here
                        if nodes == first.size:
                            first = _longer(first)
                        if nodes < node.shape[0]:
                            node[nodes] = voxel
                        nodes += 1
                    pair = -2 - here  # no voxel before it
                    if before >= 0:
                        link = first[before]
                        while link >= 0 and target[link] != here:
                            link = following[link]
                        if link < 0:
                            link = edges
                            if edges == target.size:
                                target, following = _longer(target), _longer(following)
                            target[edges] = here
                            following[edges] = first[before]
                            first[before] = edges
                            if edges < edge.shape[0]:
                                edge[edges, 0] = before
                                edge[edges, 1] = here
                            edges += 1
                        pair = link
                    trail[wave - 1, entered - 1] = pair
                    before = here
                axis = 0
                if border[1] < border[0]:
                    axis = 1
                if border[2] < border[axis]:
                    axis = 2
                index[axis] += step[axis]
                border[axis] += delta[axis]
                if index[axis] < 0 or index[axis] >= cells[axis]:
                    break
            longest = max(longest, entered)
    count_passed(trail, wave, longest, recent, kept, passed[g])
    counts[g, 0] = rays
    counts[g, 1] = steps
    counts[g, 2] = hits
    counts[g, 3] = nodes
    counts[g, 4] = edges


@njit(parallel=True)
def _trace_groups(
    first: int, last: int, position: Array, rotation: Array, view: Array, shape: Array,
    origin: Array, size: float, cells: Array, rename: Array, occupied: int, counts: Array,
    passed: Array, remembered: int, node: Array, edge: Array,
) -> None:  # fmt: skip
    for g in prange(first, last):
        _trace_group(
            g, position, rotation, view, shape, origin, size, cells, rename, occupied, counts,
            passed, remembered, node[g - first], edge[g - first],
        )  # fmt: skip
