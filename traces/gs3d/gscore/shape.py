"""Gaussian shape-aware intersection test: which tiles and subtiles a Gaussian's box touches.

GSCore (ASPLOS 2024) tests the axis-aligned box of the 3-sigma circle first and refines it with an
oriented bounding box. Public notes on the paper and a public re-implementation agree that the
oriented test is used only where it pays: more than one candidate tile and an aspect ratio above a
threshold (2 in the re-implementation; second-hand). The box spans 3 sigma along each principal
axis (3 sqrt(lambda), second-hand). The same box then gives the bitmap of subtiles.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from archsim.base.jit import njit

__all__ = [
    "box_touches",
    "candidate_bitmaps",
    "intersection_box",
    "intersection_boxes",
    "oriented_box",
    "scatter_pairs",
]

Array = npt.NDArray[Any]


@njit()
def oriented_box(
    xx: float, xy: float, yy: float, sigmas: float
) -> tuple[float, float, float, float]:
    """Return the oriented box of a 2D covariance: half lengths and the major axis' direction.

    The major axis is ``(cos, sin)``, the minor one ``(-sin, cos)``; the result is
    ``(half_major, half_minor, cos, sin)``, in pixels.
    """
    middle = 0.5 * (xx + yy)
    spread = math.sqrt(0.25 * (xx - yy) * (xx - yy) + xy * xy)
    major = middle + spread
    minor = max((xx * yy - xy * xy) / major, 0.0)  # more accurate than middle - spread
    angle = 0.5 * math.atan2(2.0 * xy, xx - yy)
    return sigmas * math.sqrt(major), sigmas * math.sqrt(minor), math.cos(angle), math.sin(angle)


@njit()
def box_touches(
    dx: float, dy: float, half_side: float, half_major: float, half_minor: float,
    cosine: float, sine: float,
) -> bool:  # fmt: skip
    """Whether an oriented box meets a square (separating axes, touching counts as meeting).

    ``(dx, dy)`` leads from the square's centre to the box's centre; ``half_side`` is half the
    square's side. Four axes separate two rectangles if anything does: the square's and the box's.
    """
    cosine_size, sine_size = abs(cosine), abs(sine)
    if abs(dx) > half_side + half_major * cosine_size + half_minor * sine_size:
        return False
    if abs(dy) > half_side + half_major * sine_size + half_minor * cosine_size:
        return False
    reach = half_side * (cosine_size + sine_size)
    if abs(dx * cosine + dy * sine) > half_major + reach:
        return False
    return abs(dy * cosine - dx * sine) <= half_minor + reach


@njit()
def intersection_box(
    cov2d: Array, radius: Array, tile_rect: Array, min_aspect: float, sigmas: float
) -> tuple[bool, float, float, float, float]:
    """Return the box that a Gaussian's subtiles are tested with, as :func:`oriented_box` does.

    The first value says whether it is oriented: where there is more than one candidate tile and
    the ratio of the axes is above ``min_aspect``. Else it is the axis-aligned square around the
    circle. Arguments are one Gaussian's rows of ``Projected``.
    """
    major, minor, cosine, sine = oriented_box(
        np.float64(cov2d[0]), np.float64(cov2d[1]), np.float64(cov2d[2]), sigmas
    )
    tiles = (tile_rect[2] - tile_rect[0]) * (tile_rect[3] - tile_rect[1])
    if tiles > 1 and major > min_aspect * minor:
        return True, major, minor, cosine, sine
    return False, np.float64(radius[0]), np.float64(radius[1]), 1.0, 0.0


@njit()
def intersection_boxes(
    cov2d: Array, radius: Array, tile_rect: Array, min_aspect: float, sigmas: float
) -> Array:
    """Return every :func:`intersection_box`: half lengths and direction, (V, 4) float64."""
    boxes = np.empty((cov2d.shape[0], 4), np.float64)
    for g in range(cov2d.shape[0]):
        _, boxes[g, 0], boxes[g, 1], boxes[g, 2], boxes[g, 3] = intersection_box(
            cov2d[g], radius[g], tile_rect[g], min_aspect, sigmas
        )
    return boxes


@njit()
def candidate_bitmaps(
    first: int, last: int, mean2d: Array, cov2d: Array, radius: Array, tile_rect: Array,
    tile: int, subtile: int, min_aspect: float, sigmas: float, grid_width: int, at: int,
    bitmap: Array, lengths: Array,
) -> int:  # fmt: skip
    """Fill the subtile bitmap of every candidate (Gaussian, tile); zero where they do not meet.

    Parameters
    ----------
    first, last
        Gaussians to test.
    mean2d, cov2d, radius, tile_rect
        As in ``Projected``; candidates are the tiles of ``tile_rect``, row by row.
    tile, subtile
        Sides in pixels; bit ``row * (tile // subtile) + column`` stands for one subtile.
    min_aspect
        Ratio of the principal axes above which the oriented box is tested.
    sigmas
        Extent of the oriented box along each axis.
    grid_width
        Tiles in a row of the image.
    at
        Candidates of all Gaussians before ``first``.
    bitmap : (candidates,) uint16
        Filled in order of Gaussian, tile row, tile column.
    lengths : (tiles,) int64
        Raised by one for each Gaussian that meets the tile.

    Returns
    -------
    int
        How many Gaussians were tested with an oriented box.
    """
    side = tile // subtile
    half = 0.5 * subtile
    oriented = 0
    for g in range(first, last):
        x0, y0, x1, y1 = tile_rect[g, 0], tile_rect[g, 1], tile_rect[g, 2], tile_rect[g, 3]
        mean_x, mean_y = np.float64(mean2d[g, 0]), np.float64(mean2d[g, 1])
        is_oriented, major, minor, cosine, sine = intersection_box(
            cov2d[g], radius[g], tile_rect[g], min_aspect, sigmas
        )
        oriented += is_oriented
        for tile_y in range(y0, y1):
            for tile_x in range(x0, x1):
                bits = 0
                for s in range(side * side):
                    dx = mean_x - (tile_x * tile + (s % side) * subtile + half)
                    dy = mean_y - (tile_y * tile + (s // side) * subtile + half)
                    if box_touches(dx, dy, half, major, minor, cosine, sine):
                        bits |= 1 << s
                bitmap[at] = bits
                at += 1
                if bits:
                    lengths[tile_y * grid_width + tile_x] += 1
    return oriented


@njit()
def scatter_pairs(
    tile_rect: Array, bitmap: Array, grid_width: int, next_slot: Array,
    pairs_before: Array, slot: Array, pair_visible: Array, pair_bitmap: Array,
) -> None:  # fmt: skip
    """Append every Gaussian that meets a tile to the tile's list, in Gaussian order.

    Parameters
    ----------
    tile_rect, bitmap
        As for :func:`candidate_bitmaps`.
    next_slot : (tiles,) int64
        First free position of each tile's list; advanced in place.
    pairs_before : (V + 1,) int64
        Filled with the number of pairs of all earlier Gaussians.
    slot : (D,) int32
        Filled, in order of Gaussian and tile, with the list position each pair goes to.
    pair_visible : (D,) int32; pair_bitmap : (D,) uint16
        Filled at those positions.
    """
    at = 0
    pair = 0
    for g in range(tile_rect.shape[0]):
        pairs_before[g] = pair
        for tile_y in range(tile_rect[g, 1], tile_rect[g, 3]):
            for tile_x in range(tile_rect[g, 0], tile_rect[g, 2]):
                bits = bitmap[at]
                at += 1
                if bits:
                    t = tile_y * grid_width + tile_x
                    position = next_slot[t]
                    next_slot[t] = position + 1
                    slot[pair] = position
                    pair_visible[position] = g
                    pair_bitmap[position] = bits
                    pair += 1
    pairs_before[tile_rect.shape[0]] = pair
