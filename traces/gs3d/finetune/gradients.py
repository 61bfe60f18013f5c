"""From gradients by a projected Gaussian to gradients by its parameters: projection backwards.

    colour    max(0, Y . sh + 1/2) of the spherical harmonics' basis Y along the view direction
    conic     K = cov^-1, so dL/dcov = -K (dL/dK) K
    cov       sum over axes k of s_k^2 (M r_k)(M r_k)^T + low pass, with M = J W (2 x 3)
    r_k       column k of the rotation of the normalised quaternion

The clamped colour has no gradient; centres are frozen.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from archsim.base.jit import njit, prange
from archsim.traces.gs3d.camera import Camera
from archsim.traces.gs3d.finetune.parameters import Parameters
from archsim.traces.gs3d.harmonics import sh_weights
from archsim.traces.gs3d.projection import (
    RULES,
    Variant,
    View,
    image_rows,
    principal_axis,
    view_of,
)
from archsim.traces.gs3d.reference import TILE

__all__ = ["parameter_gradients"]

Array = npt.NDArray[Any]


def parameter_gradients(
    means: Array, parameters: Parameters, camera: Camera, variant: Variant,
    index: npt.NDArray[np.int32], features: Array, gradient: Array,
) -> Parameters:  # fmt: skip
    """Return the gradient of a loss by the parameters, in float64; zero for what is not visible.

    ``features``, (V, 9), and ``gradient``, (V, 7), belong to the Gaussians ``index``, (V,); see
    :mod:`archsim.traces.gs3d.finetune.raster`.
    """
    result = Parameters(*(np.zeros(array.shape) for _, array in parameters.items()))
    view = view_of(camera, RULES[variant], TILE)
    _project_backward(
        means, parameters.scale.astype(np.float64), parameters.rotation.astype(np.float64),
        np.ascontiguousarray(camera.world_to_camera, np.float64), view, index,
        features.astype(np.float64), gradient, result.opacity, result.scale, result.rotation,
        result.dc, result.sh,
    )  # fmt: skip
    return result


@njit(parallel=True)
def _project_backward(
    means: Array, scale: Array, rotation: Array, m: Array, view: View, index: Array,
    features: Array, gradient: Array, to_opacity: Array, to_scale: Array, to_rotation: Array,
    to_dc: Array, to_sh: Array,
) -> None:  # fmt: skip
    for v in prange(index.shape[0]):
        i = index[v]
        opacity = features[v, 5]
        to_opacity[i] = gradient[v, 3] * opacity * (1.0 - opacity)
        _colour_backward(means[i], view, features[v], gradient[v], to_dc[i], to_sh[i])
        _conic_backward(
            means[i], scale[i], rotation[i], m, view, features[v], gradient[v], to_scale[i],
            to_rotation[i],
        )  # fmt: skip


@njit()
def _colour_backward(
    mean: Array, view: View, features: Array, gradient: Array, to_dc: Array, to_sh: Array
) -> None:
    dx, dy, dz = mean[0] - view.eye_x, mean[1] - view.eye_y, mean[2] - view.eye_z
    length = math.sqrt(dx * dx + dy * dy + dz * dz)
    weights = sh_weights(to_sh.shape[0] + 1, dx / length, dy / length, dz / length)
    for channel in range(3):
        if features[6 + channel] > 0.0:
            to_dc[channel] = weights[0] * gradient[4 + channel]
            for term in range(to_sh.shape[0]):
                to_sh[term, channel] = weights[term + 1] * gradient[4 + channel]


@njit()
def _conic_backward(
    mean: Array, scale: Array, rotation: Array, m: Array, view: View, features: Array,
    gradient: Array, to_scale: Array, to_rotation: Array,
) -> None:  # fmt: skip
    px, py, pz = np.float64(mean[0]), np.float64(mean[1]), np.float64(mean[2])
    x = m[0, 0] * px + m[0, 1] * py + m[0, 2] * pz + m[0, 3]
    y = m[1, 0] * px + m[1, 1] * py + m[1, 2] * pz + m[1, 3]
    z = m[2, 0] * px + m[2, 1] * py + m[2, 2] * pz + m[2, 3]
    u0, u1, u2, v0, v1, v2 = image_rows(x, y, z, m, view)
    a, b, c = features[2], features[3], features[4]
    ga, gb, gc = gradient[0], gradient[1], gradient[2]
    by_xx = -(ga * a * a + gb * a * b + gc * b * b)
    by_xy = -(2.0 * ga * a * b + gb * (a * c + b * b) + 2.0 * gc * b * c)
    by_yy = -(ga * b * b + gb * b * c + gc * c * c)
    qw, qx = np.float64(rotation[0]), np.float64(rotation[1])
    qy, qz = np.float64(rotation[2]), np.float64(rotation[3])
    norm = math.sqrt(qw * qw + qx * qx + qy * qy + qz * qz)
    w, qx, qy, qz = qw / norm, qx / norm, qy / norm, qz / norm
    by_w = by_x = by_y = by_z = 0.0
    for axis in range(3):
        r0, r1, r2 = principal_axis(axis, w, qx, qy, qz)
        s = math.exp(np.float64(scale[axis]))
        across, down = u0 * r0 + u1 * r1 + u2 * r2, v0 * r0 + v1 * r1 + v2 * r2
        by_across = s * (2.0 * by_xx * across + by_xy * down)  # of s M r's squared terms
        by_down = s * (2.0 * by_yy * down + by_xy * across)
        to_scale[axis] = s * (by_across * across + by_down * down)
        g0 = s * (by_across * u0 + by_down * v0)
        g1 = s * (by_across * u1 + by_down * v1)
        g2 = s * (by_across * u2 + by_down * v2)
        if axis == 0:
            by_w += 2.0 * (g1 * qz - g2 * qy)
            by_x += 2.0 * (g1 * qy + g2 * qz)
            by_y += 2.0 * (-2.0 * g0 * qy + g1 * qx - g2 * w)
            by_z += 2.0 * (-2.0 * g0 * qz + g1 * w + g2 * qx)
        elif axis == 1:
            by_w += 2.0 * (-g0 * qz + g2 * qx)
            by_x += 2.0 * (g0 * qy - 2.0 * g1 * qx + g2 * w)
            by_y += 2.0 * (g0 * qx + g2 * qz)
            by_z += 2.0 * (-g0 * w - 2.0 * g1 * qz + g2 * qy)
        else:
            by_w += 2.0 * (g0 * qy - g1 * qx)
            by_x += 2.0 * (g0 * qz - g1 * w - 2.0 * g2 * qx)
            by_y += 2.0 * (g0 * w + g1 * qz - 2.0 * g2 * qy)
            by_z += 2.0 * (g0 * qx + g1 * qy)
    radial = by_w * w + by_x * qx + by_y * qy + by_z * qz
    to_rotation[0] = (by_w - radial * w) / norm
    to_rotation[1] = (by_x - radial * qx) / norm
    to_rotation[2] = (by_y - radial * qy) / norm
    to_rotation[3] = (by_z - radial * qz) / norm
