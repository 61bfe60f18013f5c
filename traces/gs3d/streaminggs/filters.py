"""The two filters of a group of pixels: coarse on four parameters, fine on the exact projection.

Coarse: centre and largest scale give a projected centre and a radius no smaller than the exact
one, for the 2D covariance J W Sigma W^T J^T is at most s_max^2 J J^T, whose largest eigenvalue is
at most s_max^2 f^2 (1 + u^2 + v^2) / z^2 with f the larger focal length and (u, v) the clamped
x/z, y/z of the Jacobian. A Gaussian passes when the square of that radius meets the group's
rectangle. Fine: its exact tiles (the reference's) meet the group's tiles.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from archsim.base.jit import njit, prange
from archsim.traces.gs3d.camera import Camera
from archsim.traces.gs3d.projection import RULES, Projected, ProjectionRule, Variant
from archsim.traces.gs3d.scene import Scene
from archsim.traces.gs3d.streaminggs.batches import batches
from archsim.traces.gs3d.streaminggs.grid import VoxelGrid

__all__ = ["Extents", "Survivors", "filter_visits", "gaussian_extents"]

Array = npt.NDArray[Any]

_NOWHERE = (1 << 30, -1)  # an empty range: begins behind every rectangle, ends before it
_SLACK = 1e-9  # relative widening of the coarse radius against rounding
_MOST_PIXELS = 2.0**29
_TESTS_PER_CALL = 10_000_000  # about 0.05 s between two returns to Python


@dataclass(frozen=True)
class Extents:
    """What the filters compare, by storage position (voxel by voxel), N of them.

    Attributes
    ----------
    coarse : (N, 4) int32
        Coarse square in whole pixels: first x, first y, last x, last y, inclusive; empty when
        the centre lies at or before the near plane.
    fine : (N, 4) int32
        Exact tiles x0, y0, x1, y1, half open; empty for Gaussians that are not visible.
    """

    coarse: npt.NDArray[np.int32]
    fine: npt.NDArray[np.int32]


@dataclass(frozen=True)
class Survivors:
    """What the filters kept of each visit (a voxel of a group), n visits.

    Attributes
    ----------
    coarse_pass, fine_pass : (n,) int64
    start : (n + 1,) int64
        Visit i's coarse survivors are ``rank[start[i]:start[i + 1]]``.
    rank : (coarse survivors,) int32
        Storage positions inside the voxel, increasing.
    """

    coarse_pass: npt.NDArray[np.int64]
    fine_pass: npt.NDArray[np.int64]
    start: npt.NDArray[np.int64]
    rank: npt.NDArray[np.int32]


class _CoarseView(NamedTuple):
    fx: float
    fy: float
    shift_x: float
    shift_y: float
    low_x: float
    high_x: float
    low_y: float
    high_y: float


def gaussian_extents(
    scene: Scene, camera: Camera, projected: Projected, grid: VoxelGrid, variant: Variant
) -> Extents:
    """Return the coarse and exact extents of all Gaussians, in storage order.

    ``scene`` gives the coarse filter's words; ``projected`` may be of the same Gaussians after
    quantisation, whose exact extents may then reach beyond the coarse ones.
    """
    rule = RULES[variant]
    half_x, half_y = 0.5 * camera.width / camera.fx, 0.5 * camera.height / camera.fy
    if rule.asymmetric_clamp:
        left, right = camera.cx / camera.fx, (camera.width - camera.cx) / camera.fx
        up, down = camera.cy / camera.fy, (camera.height - camera.cy) / camera.fy
    else:
        left, right, up, down = half_x, half_x, half_y, half_y
    view = _CoarseView(
        camera.fx, camera.fy, camera.cx + rule.pixel_shift, camera.cy + rule.pixel_shift,
        -(left + 0.3 * half_x), right + 0.3 * half_x, -(up + 0.3 * half_y), down + 0.3 * half_y,
    )  # fmt: skip
    coarse = np.empty((len(scene), 4), np.int32)
    pose = np.ascontiguousarray(camera.world_to_camera, np.float64)
    _coarse_squares(
        scene.means, scene.scales, grid.order, pose, view, rule, _SLACK, _MOST_PIXELS, _NOWHERE,
        coarse,
    )  # fmt: skip
    fine = np.empty((len(scene), 4), np.int32)
    fine[:, :2], fine[:, 2:] = _NOWHERE
    fine[grid.places()[0][projected.index]] = projected.tile_rect
    return Extents(coarse, fine)


def filter_visits(
    extents: Extents, grid: VoxelGrid, rectangle: npt.NDArray[np.int64],
    voxel: npt.NDArray[np.int32], tile: int,
) -> Survivors:  # fmt: skip
    """Run both filters over visits: voxel ``voxel[i]`` against pixels ``rectangle[i]``.

    ``rectangle``, shape (n, 4), is x0, y0, x1, y1, half open, in multiples of ``tile``.
    """
    n = voxel.size
    passed = np.zeros((n, 2), np.int64)
    start = np.zeros(n + 1, np.int64)
    rank = np.zeros(0, np.int32)
    for fill in (False, True):  # first the sizes, then the table
        for first, last in batches(grid.count[voxel], _TESTS_PER_CALL):
            _filter(
                first, last, extents.coarse, extents.fine, grid.start, rectangle, voxel, tile,
                passed, start, rank, fill,
            )  # fmt: skip
        if not fill:
            start[1:] = np.cumsum(passed[:, 0])
            rank = np.zeros(int(start[-1]), np.int32)
    return Survivors(passed[:, 0].copy(), passed[:, 1].copy(), start, rank)


@njit()
def _coarse_squares(
    means: Array, scales: Array, order: Array, pose: Array, view: _CoarseView,
    rule: ProjectionRule, slack: float, most_pixels: float, nowhere: tuple[int, int],
    coarse: Array,
) -> None:  # fmt: skip
    focal = max(view.fx, view.fy)
    for position in range(order.size):
        i = order[position]
        px, py, pz = np.float64(means[i, 0]), np.float64(means[i, 1]), np.float64(means[i, 2])
        z = pose[2, 0] * px + pose[2, 1] * py + pose[2, 2] * pz + pose[2, 3]
        if not z > rule.near:
            coarse[position, 0] = coarse[position, 1] = nowhere[0]
            coarse[position, 2] = coarse[position, 3] = nowhere[1]
            continue
        x = (pose[0, 0] * px + pose[0, 1] * py + pose[0, 2] * pz + pose[0, 3]) / z
        y = (pose[1, 0] * px + pose[1, 1] * py + pose[1, 2] * pz + pose[1, 3]) / z
        u = min(view.high_x, max(view.low_x, x))
        v = min(view.high_y, max(view.low_y, y))
        scale = focal / z * max(scales[i, 0], scales[i, 1], scales[i, 2])
        variance = scale * scale * (1.0 + u * u + v * v) + rule.low_pass
        if not rule.per_axis:
            variance += math.sqrt(0.1)  # INRIA's floor under the discriminant, 0.1
        radius = math.ceil(min(rule.sigmas * math.sqrt(variance) * (1.0 + slack), most_pixels))
        for axis in range(2):
            centre = view.fx * x + view.shift_x if axis == 0 else view.fy * y + view.shift_y
            # clamped in floating point: the ends of a huge Gaussian do not fit an integer
            low = max(centre - radius - slack, -most_pixels)
            high = min(centre + radius + slack, most_pixels)
            coarse[position, axis] = math.floor(min(low, most_pixels))
            coarse[position, 2 + axis] = math.floor(max(high, -most_pixels))


@njit(parallel=True)
def _filter(
    first: int, last: int, coarse: Array, fine: Array, voxel_start: Array, rectangle: Array,
    voxel: Array, tile: int, passed: Array, start: Array, rank: Array, fill: bool,
) -> None:  # fmt: skip
    for visit in prange(first, last):
        x0, y0 = rectangle[visit, 0], rectangle[visit, 1]
        x1, y1 = rectangle[visit, 2], rectangle[visit, 3]
        begin = voxel_start[voxel[visit]]
        coarse_pass = 0
        fine_pass = 0
        for position in range(begin, voxel_start[voxel[visit] + 1]):
            if (
                coarse[position, 2] < x0
                or coarse[position, 0] >= x1
                or coarse[position, 3] < y0
                or coarse[position, 1] >= y1
            ):
                continue
            if fill:
                rank[start[visit] + coarse_pass] = position - begin
            coarse_pass += 1
            fine_pass += (
                fine[position, 0] * tile < x1
                and fine[position, 1] * tile < y1
                and fine[position, 2] * tile > x0
                and fine[position, 3] * tile > y0
            )
        passed[visit, 0] = coarse_pass
        passed[visit, 1] = fine_pass
