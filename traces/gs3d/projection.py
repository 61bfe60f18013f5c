"""Projection of Gaussians to the screen: the contract shared by all methods.

Two variants, equal but for what :class:`ProjectionRule` holds and the radius:

``inria``
    diff-gaussian-rasterization: near plane 0.2 and no other culling, symmetric clamp, radius
    ``ceil(3 sqrt(lambda_max))`` of a circle, pixel centres at integers.
``gsplat``
    gsplat 1.5, its PyTorch reference: near plane 0.01, clamp aware of the principal point, radius
    ``ceil(3.33 sqrt(cov_xx))`` per axis, pixel centres at +0.5.

Both add 0.3 to the diagonal of the 2D covariance. A Gaussian is visible when it touches a tile.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from archsim.base.jit import njit, prange
from archsim.traces.gs3d.camera import Camera
from archsim.traces.gs3d.harmonics import sh_colour
from archsim.traces.gs3d.scene import Scene

__all__ = [
    "RULES",
    "Projected",
    "ProjectionRule",
    "Variant",
    "View",
    "covariance2d",
    "image_rows",
    "principal_axis",
    "project",
    "view_of",
]

Variant = Literal["inria", "gsplat"]
Array = npt.NDArray[Any]

_CHUNK = 4096  # Gaussians of one parallel task; fixed, so that results do not depend on threads
_CHUNKS_PER_CALL = 64  # about 0.1 s on one core between two returns to Python
_MOST_PIXELS = 2.0**30  # radii of degenerate Gaussians are clamped to it, to stay int32


@dataclass(frozen=True)
class Projected:
    """Gaussians that survive culling, V of them, in scene order.

    Attributes
    ----------
    index : (V,) int32
        Position in the scene.
    mean2d : (V, 2) float32
        Centre in pixels of the variant's convention (INRIA: pixel centres at integers).
    depth : (V,) float32
        View-space z.
    conic : (V, 3) float32
        Inverse 2D covariance (a, b, c): power = -0.5 (a dx^2 + c dy^2) - b dx dy.
    cov2d : (V, 3) float32
        2D covariance (xx, xy, yy) after the low-pass term.
    radius : (V, 2) int32
        Extent in pixels along x and y (equal for INRIA's circle).
    opacity : (V,) float32
    rgb : (V, 3) float32
    tile_rect : (V, 4) int32
        Touched tiles as x0, y0, x1, y1, half open, on the tile grid given to the projection.
    """

    index: npt.NDArray[np.int32]
    mean2d: npt.NDArray[np.float32]
    depth: npt.NDArray[np.float32]
    conic: npt.NDArray[np.float32]
    cov2d: npt.NDArray[np.float32]
    radius: npt.NDArray[np.int32]
    opacity: npt.NDArray[np.float32]
    rgb: npt.NDArray[np.float32]
    tile_rect: npt.NDArray[np.int32]

    def __len__(self) -> int:
        return int(self.index.shape[0])


class ProjectionRule(NamedTuple):
    """Constants of a variant.

    Attributes
    ----------
    near
        Gaussians with view-space z at or below it are dropped.
    low_pass
        Added to the diagonal of the 2D covariance, in pixels squared.
    sigmas
        Radius in standard deviations.
    per_axis
        Radius per axis from the covariance's diagonal, or of a circle from its largest eigenvalue.
    pixel_shift
        Added to a projected centre, in pixels.
    asymmetric_clamp
        Whether the clamp of x/z and y/z before the Jacobian follows the principal point.
    """

    near: float
    low_pass: float
    sigmas: float
    per_axis: bool
    pixel_shift: float
    asymmetric_clamp: bool


RULES: dict[Variant, ProjectionRule] = {
    "inria": ProjectionRule(0.2, 0.3, 3.0, False, -0.5, False),
    "gsplat": ProjectionRule(0.01, 0.3, 3.33, True, 0.0, True),
}


class View(NamedTuple):
    """A camera in numbers: intrinsics, clamps of x/z and y/z, position, tile grid."""

    fx: float
    fy: float
    cx: float
    cy: float
    low_x: float
    high_x: float
    low_y: float
    high_y: float
    eye_x: float
    eye_y: float
    eye_z: float
    tile: int
    tiles_x: int
    tiles_y: int


def project(
    scene: Scene,
    camera: Camera,
    *,
    variant: Variant = "inria",
    tile: int = 16,
    progress: Callable[[float], None] | None = None,
) -> Projected:
    """Project, shade and cull all Gaussians of a scene; V may be 0.

    Parameters
    ----------
    variant
        ``inria`` or ``gsplat``: see the module.
    tile
        Side of the square tiles of ``tile_rect``, in pixels.
    progress
        Called with the finished share, 0 to 1.

    Computed in float64, stored in float32; tile rectangles come from the float64 values.
    """
    count = len(scene)
    projected = Projected(
        index=np.empty(count, np.int32), mean2d=np.empty((count, 2), np.float32),
        depth=np.empty(count, np.float32), conic=np.empty((count, 3), np.float32),
        cov2d=np.empty((count, 3), np.float32), radius=np.empty((count, 2), np.int32),
        opacity=np.empty(count, np.float32), rgb=np.empty((count, 3), np.float32),
        tile_rect=np.empty((count, 4), np.int32),
    )  # fmt: skip
    columns = tuple(vars(projected).values())
    world_to_camera = np.ascontiguousarray(camera.world_to_camera, dtype=np.float64)
    parameters = (scene.means, scene.scales, scene.quats, scene.opacities, scene.sh)
    rule, view = RULES[variant], view_of(camera, RULES[variant], tile)
    chunks = -(-count // _CHUNK)
    kept = np.zeros(chunks, np.int64)
    for first in range(0, chunks, _CHUNKS_PER_CALL):
        last = min(first + _CHUNKS_PER_CALL, chunks)
        _project_chunks(
            first, last, _CHUNK, _MOST_PIXELS, parameters, world_to_camera, view, rule,
            kept, columns,
        )  # fmt: skip
        if progress is not None:
            progress(last / chunks)
    visible = int(kept.sum())
    if visible == count:
        return projected
    _close_gaps(kept, _CHUNK, columns)
    return Projected(*(column[:visible].copy() for column in columns))


def view_of(camera: Camera, rule: ProjectionRule, tile: int) -> View:
    """Return a camera in numbers for compiled code, with a grid of tiles of this side."""
    half_x, half_y = 0.5 * camera.width / camera.fx, 0.5 * camera.height / camera.fy
    if rule.asymmetric_clamp:
        low_x = -(camera.cx / camera.fx + 0.3 * half_x)
        high_x = (camera.width - camera.cx) / camera.fx + 0.3 * half_x
        low_y = -(camera.cy / camera.fy + 0.3 * half_y)
        high_y = (camera.height - camera.cy) / camera.fy + 0.3 * half_y
    else:
        high_x, high_y = 1.3 * half_x, 1.3 * half_y
        low_x, low_y = -high_x, -high_y
    eye = camera.position
    return View(
        float(camera.fx), float(camera.fy), float(camera.cx), float(camera.cy),
        low_x, high_x, low_y, high_y, float(eye[0]), float(eye[1]), float(eye[2]),
        tile, -(-camera.width // tile), -(-camera.height // tile),
    )  # fmt: skip


@njit(parallel=True)
def _project_chunks(
    first: int, last: int, chunk: int, most_pixels: float, parameters: Any,
    world_to_camera: Array, view: View, rule: ProjectionRule, kept: Array, columns: Any,
) -> None:  # fmt: skip
    """Project chunks [first, last); each leaves its visible Gaussians at its own start."""
    for number in prange(first, last):
        kept[number] = _project_chunk(
            number * chunk, chunk, most_pixels, parameters, world_to_camera, view, rule, columns
        )


@njit()
def _project_chunk(
    start: int, chunk: int, most_pixels: float, parameters: Any, world_to_camera: Array,
    view: View, rule: ProjectionRule, columns: Any,
) -> int:  # fmt: skip
    means, scales, quats, opacities, sh = parameters
    index, mean2d, depth, conic, cov2d, radius, opacity, rgb, tile_rect = columns
    m = world_to_camera
    to = start
    for i in range(start, min(start + chunk, means.shape[0])):
        px, py, pz = np.float64(means[i, 0]), np.float64(means[i, 1]), np.float64(means[i, 2])
        z = m[2, 0] * px + m[2, 1] * py + m[2, 2] * pz + m[2, 3]
        if not z > rule.near:
            continue
        x = m[0, 0] * px + m[0, 1] * py + m[0, 2] * pz + m[0, 3]
        y = m[1, 0] * px + m[1, 1] * py + m[1, 2] * pz + m[1, 3]
        xx, xy, yy = covariance2d(x, y, z, scales[i], quats[i], m, view, rule)
        determinant = xx * yy - xy * xy
        if not (determinant > 0.0 and determinant < np.inf):
            continue
        centre_x = view.fx * x / z + view.cx + rule.pixel_shift
        centre_y = view.fy * y / z + view.cy + rule.pixel_shift
        if not abs(centre_x) + abs(centre_y) < np.inf:
            continue
        if rule.per_axis:
            radius_x = math.ceil(min(rule.sigmas * math.sqrt(xx), most_pixels))
            radius_y = math.ceil(min(rule.sigmas * math.sqrt(yy), most_pixels))
        else:
            middle = 0.5 * (xx + yy)
            largest = middle + math.sqrt(max(0.1, middle * middle - determinant))
            radius_x = math.ceil(min(rule.sigmas * math.sqrt(largest), most_pixels))
            radius_y = radius_x
        x0 = _clamped_floor((centre_x - radius_x) / view.tile, view.tiles_x)
        y0 = _clamped_floor((centre_y - radius_y) / view.tile, view.tiles_y)
        if rule.per_axis:
            x1 = _clamped_floor(math.ceil((centre_x + radius_x) / view.tile), view.tiles_x)
            y1 = _clamped_floor(math.ceil((centre_y + radius_y) / view.tile), view.tiles_y)
        else:  # INRIA's integer idiom; not the ceiling, for centres are not whole
            x1 = _clamped_floor((centre_x + radius_x + view.tile - 1) / view.tile, view.tiles_x)
            y1 = _clamped_floor((centre_y + radius_y + view.tile - 1) / view.tile, view.tiles_y)
        if x0 >= x1 or y0 >= y1:
            continue
        dx, dy, dz = px - view.eye_x, py - view.eye_y, pz - view.eye_z
        length = math.sqrt(dx * dx + dy * dy + dz * dz)
        red, green, blue = sh_colour(sh[i], dx / length, dy / length, dz / length)
        index[to] = i
        mean2d[to, 0], mean2d[to, 1], depth[to] = centre_x, centre_y, z
        conic[to, 0], conic[to, 1] = yy / determinant, -xy / determinant
        conic[to, 2] = xx / determinant
        cov2d[to, 0], cov2d[to, 1], cov2d[to, 2] = xx, xy, yy
        radius[to, 0], radius[to, 1], opacity[to] = radius_x, radius_y, opacities[i]
        rgb[to, 0], rgb[to, 1], rgb[to, 2] = red, green, blue
        tile_rect[to, 0], tile_rect[to, 1] = x0, y0
        tile_rect[to, 2], tile_rect[to, 3] = x1, y1
        to += 1
    return to - start


@njit()
def _clamped_floor(value: float, most: int) -> int:
    """Return floor(value) clamped to [0, most], in floating point first: values may be huge."""
    return int(min(max(value, 0.0), np.float64(most)))


@njit()
def image_rows(
    x: float, y: float, z: float, m: Array, view: View
) -> tuple[float, float, float, float, float, float]:
    """Return the two rows of J W at a point in camera axes, with x/z and y/z clamped.

    J is the Jacobian of the projection and W the rotation of ``m``: pixels per scene unit.
    """
    jx, jy = view.fx / z, view.fy / z
    kx = -jx * min(view.high_x, max(view.low_x, x / z))
    ky = -jy * min(view.high_y, max(view.low_y, y / z))
    return (
        jx * m[0, 0] + kx * m[2, 0],
        jx * m[0, 1] + kx * m[2, 1],
        jx * m[0, 2] + kx * m[2, 2],
        jy * m[1, 0] + ky * m[2, 0],
        jy * m[1, 1] + ky * m[2, 1],
        jy * m[1, 2] + ky * m[2, 2],
    )


@njit()
def principal_axis(
    axis: int, qw: float, qx: float, qy: float, qz: float
) -> tuple[float, float, float]:
    """Return column ``axis`` of the rotation of a unit quaternion."""
    if axis == 0:
        return 1 - 2 * (qy * qy + qz * qz), 2 * (qx * qy + qw * qz), 2 * (qx * qz - qw * qy)
    if axis == 1:
        return 2 * (qx * qy - qw * qz), 1 - 2 * (qx * qx + qz * qz), 2 * (qy * qz + qw * qx)
    return 2 * (qx * qz + qw * qy), 2 * (qy * qz - qw * qx), 1 - 2 * (qx * qx + qy * qy)


@njit()
def covariance2d(
    x: float, y: float, z: float, scale: Array, quat: Array, m: Array, view: View,
    rule: ProjectionRule,
) -> tuple[float, float, float]:  # fmt: skip
    """Return (xx, xy, yy) of J W Sigma W^T J^T with the low-pass term (EWA splatting)."""
    qw, qx, qy, qz = (
        np.float64(quat[0]),
        np.float64(quat[1]),
        np.float64(quat[2]),
        np.float64(quat[3]),
    )
    norm = math.sqrt(qw * qw + qx * qx + qy * qy + qz * qz)
    qw, qx, qy, qz = qw / norm, qx / norm, qy / norm, qz / norm
    u0, u1, u2, v0, v1, v2 = image_rows(x, y, z, m, view)
    xx, xy, yy = rule.low_pass, 0.0, rule.low_pass
    for axis in range(3):  # Sigma is the sum of the scaled principal axes' outer products
        r0, r1, r2 = principal_axis(axis, qw, qx, qy, qz)
        s = np.float64(scale[axis])
        along_x = s * (u0 * r0 + u1 * r1 + u2 * r2)
        along_y = s * (v0 * r0 + v1 * r1 + v2 * r2)
        xx += along_x * along_x
        xy += along_x * along_y
        yy += along_y * along_y
    return xx, xy, yy


@njit()
def _close_gaps(kept: Array, chunk: int, columns: Any) -> None:
    """Move every chunk's visible Gaussians left, so that they are contiguous."""
    index, mean2d, depth, conic, cov2d, radius, opacity, rgb, tile_rect = columns
    to = 0
    for number in range(kept.shape[0]):
        for source in range(number * chunk, number * chunk + kept[number]):
            index[to], depth[to], opacity[to] = index[source], depth[source], opacity[source]
            for k in range(2):
                mean2d[to, k], radius[to, k] = mean2d[source, k], radius[source, k]
            for k in range(3):
                conic[to, k], cov2d[to, k] = conic[source, k], cov2d[source, k]
                rgb[to, k] = rgb[source, k]
            for k in range(4):
                tile_rect[to, k] = tile_rect[source, k]
            to += 1
