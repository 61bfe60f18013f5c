"""Blending one Gaussian into pixels: the inner function of every renderer and recorder.

Front to back, per pixel that is not done (INRIA and gsplat rasterisers, forward pass):

    power = -0.5 (a dx^2 + c dy^2) - b dx dy          with (dx, dy) = mean - pixel centre
    alpha = min(alpha_max, opacity exp(power))        skip when power > 0 or alpha < alpha_min
    T'    = T (1 - alpha)                             done, without adding, when T' < t_min
    colour += T alpha rgb;  T = T'

How to use it: own accumulators for a tile, a group or the image (`transmittance` ones, `colour`
zeros, `done` zeros; pixels outside the image `done` from the start), call `alpha_reach` once per
Gaussian and `blend_gaussian` once per Gaussian and rectangle, in depth order. `transmittance`
starting at one and `colour` at zero, the final pixel is ``colour + transmittance * background``.

Counting: a renderer that tests every pixel of a rectangle tests, for each Gaussian of its list,
the pixels that were not done before it. So keep ``active``, the number of pixels of the rectangle
not done; per Gaussian ``tests += active`` before the call and ``active -= finished`` after it; at
``active == 0`` the list is over. Skipping the call never changes ``tests``.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from archsim.base.jit import njit

__all__ = [
    "GSPLAT_RULE",
    "INRIA_RULE",
    "BlendRule",
    "alpha_reach",
    "blend_gaussian",
    "blend_row",
    "row_interval",
    "row_pixels",
]

Array = npt.NDArray[Any]


class BlendRule(NamedTuple):
    """Constants of blending; pass one to compiled code as an argument.

    Attributes
    ----------
    pixel_offset
        Where a pixel's centre lies past its integer position, in pixels: 0 or 0.5.
    alpha_min
        Alphas below it are skipped.
    alpha_max
        Alphas are clamped to it.
    transmittance_min
        A pixel is done instead of letting its transmittance fall below this.
    stop_at_equal
        Whether a transmittance equal to ``transmittance_min`` also ends the pixel.
    """

    pixel_offset: float
    alpha_min: float
    alpha_max: float
    transmittance_min: float
    stop_at_equal: bool


#: diff-gaussian-rasterization, forward.cu: pixel centres at integers, stop before T < 1e-4.
INRIA_RULE = BlendRule(0.0, 1.0 / 255.0, 0.99, 1e-4, False)
#: gsplat, RasterizeToPixels3DGSFwd.cu: pixel centres at +0.5, stop before T <= 1e-4.
GSPLAT_RULE = BlendRule(0.5, 1.0 / 255.0, 0.99, 1e-4, True)


@njit()
def alpha_reach(opacity: float, alpha_min: float) -> float:
    """Return the largest -2 power at which a Gaussian of ``opacity`` can reach ``alpha_min``.

    That is 2 ln(opacity / alpha_min), widened by about 1e-6 so that no rounding of the exact
    test that follows can fall outside. Negative: no pixel can pass.
    """
    if opacity <= 0.0:
        return -1.0
    return 2.0 * (math.log(np.float64(opacity) / alpha_min) * (1.0 + 1e-6) + 1e-6)


@njit()
def row_interval(
    y0: int, y1: int, mean_y: float, a: float, b: float, c: float, reach: float, rule: BlendRule
) -> tuple[int, int]:
    """Return the part of the rows [y0, y1) that ``-2 power <= reach`` touches, half open."""
    if not reach >= 0.0:
        return y0, y0
    determinant = np.float64(a) * np.float64(c) - np.float64(b) * np.float64(b)
    if not (determinant > 0.0 and a > 0.0):
        return y0, y1  # a conic rounded to float32 need not be an ellipse
    centre = np.float64(mean_y) - rule.pixel_offset
    half = math.sqrt(reach * np.float64(a) / determinant)
    if not (centre + half >= y0 and centre - half <= y1):
        return y0, y0
    first = math.ceil(max(centre - half, np.float64(y0)))
    return first, math.floor(min(centre + half, np.float64(y1 - 1))) + 1


@njit()
def row_pixels(
    y: int, x0: int, x1: int, mean_x: float, mean_y: float, a: float, b: float, c: float,
    reach: float, rule: BlendRule,
) -> tuple[int, int]:  # fmt: skip
    """Return the part of the pixels [x0, x1) of row ``y`` that ``-2 power <= reach`` touches."""
    dy = np.float64(mean_y) - (y + rule.pixel_offset)
    conic_a, conic_b, conic_c = np.float64(a), np.float64(b), np.float64(c)
    if not conic_a > 0.0:
        return x0, x1
    # roots of a dx^2 + 2 b dy dx + (c dy^2 - reach)
    spread = conic_a * reach - (conic_a * conic_c - conic_b * conic_b) * dy * dy
    if not spread >= 0.0:
        return x0, x0
    half = math.sqrt(spread) / conic_a
    centre = np.float64(mean_x) - rule.pixel_offset + conic_b * dy / conic_a
    if not (centre + half >= x0 and centre - half <= x1):
        return x0, x0
    # clamped in floating point: the ends of a huge Gaussian do not fit an integer
    first = math.ceil(max(centre - half, np.float64(x0)))
    return first, math.floor(min(centre + half, np.float64(x1 - 1))) + 1


@njit()
def blend_row(
    y: int, x0: int, x1: int, origin_x: int, origin_y: int,
    mean_x: float, mean_y: float, a: float, b: float, c: float, reach: float,
    opacity: float, red: float, green: float, blue: float,
    transmittance: Array, colour: Array, done: Array, rule: BlendRule,
) -> tuple[int, int, int]:  # fmt: skip
    """Blend one Gaussian into the pixels [x0, x1) of row ``y``; see :func:`blend_gaussian`.

    Along a row ``-2 power <= reach`` is an interval of x, so only its pixels are evaluated.
    """
    dy = np.float64(mean_y) - (y + rule.pixel_offset)
    conic_a, conic_b, conic_c = np.float64(a), np.float64(b), np.float64(c)
    x0, x1 = row_pixels(y, x0, x1, mean_x, mean_y, a, b, c, reach, rule)
    passed = blends = finished = 0
    row = y - origin_y
    quadratic_y = 0.5 * conic_c * dy * dy
    for x in range(x0, x1):
        column = x - origin_x
        if done[row, column]:
            continue
        dx = np.float64(mean_x) - (x + rule.pixel_offset)
        power = -(0.5 * conic_a * dx * dx + quadratic_y) - conic_b * dx * dy
        if power > 0.0:
            continue
        alpha = min(rule.alpha_max, np.float64(opacity) * math.exp(power))
        if alpha < rule.alpha_min:
            continue
        passed += 1
        before = np.float64(transmittance[row, column])
        after = before * (1.0 - alpha)
        if after < rule.transmittance_min or (
            rule.stop_at_equal and after == rule.transmittance_min
        ):
            done[row, column] = 1
            finished += 1
            continue
        weight = before * alpha
        colour[row, column, 0] += colour.dtype.type(weight * red)
        colour[row, column, 1] += colour.dtype.type(weight * green)
        colour[row, column, 2] += colour.dtype.type(weight * blue)
        transmittance[row, column] = transmittance.dtype.type(after)
        blends += 1
    return passed, blends, finished


@njit()
def blend_gaussian(
    x0: int, y0: int, x1: int, y1: int, origin_x: int, origin_y: int,
    mean_x: float, mean_y: float, a: float, b: float, c: float, reach: float,
    opacity: float, red: float, green: float, blue: float,
    transmittance: Array, colour: Array, done: Array, rule: BlendRule,
) -> tuple[int, int, int]:  # fmt: skip
    """Blend one Gaussian into the pixel rectangle [x0, x1) x [y0, y1) of the image.

    The result equals testing every pixel of the rectangle; only pixels that can pass are
    evaluated (power and alpha in float64, accumulators in float32).

    Parameters
    ----------
    x0, y0, x1, y1
        Rectangle in image pixels, half open; it must lie inside the accumulators.
    origin_x, origin_y
        Image pixel that accumulator element [0, 0] stands for.
    mean_x, mean_y, a, b, c, opacity, red, green, blue
        One Gaussian: elements of ``Projected.mean2d``, ``conic``, ``opacity`` and ``rgb``.
    reach
        ``alpha_reach(opacity, rule.alpha_min)``.
    transmittance : (h, w) float32 or float64
    colour : (h, w, 3) float32 or float64
    done : (h, w) uint8
        Accumulators, changed in place; ``done`` is nonzero where a pixel is finished.
    rule
        Constants of blending.

    Returns
    -------
    tuple of int
        Pixels that passed (not done before, power <= 0, alpha >= alpha_min), pixels blended
        (passed and not finished by it), and pixels newly finished: passed = blends + finished.
    """
    passed = blends = finished = 0
    y0, y1 = row_interval(y0, y1, mean_y, a, b, c, reach, rule)
    for y in range(y0, y1):
        row_passed, row_blends, row_finished = blend_row(
            y, x0, x1, origin_x, origin_y, mean_x, mean_y, a, b, c, reach,
            opacity, red, green, blue, transmittance, colour, done, rule,
        )  # fmt: skip
        passed += row_passed
        blends += row_blends
        finished += row_finished
    return passed, blends, finished
