"""A differentiable rasteriser: the reference's blending over lists of tiles, and its gradient.

Forward is :func:`archsim.traces.gs3d.blend.blend_row`, so an image over the reference's lists is
the reference's, bit for bit, and one over a group's streaming lists is StreamingGS' frame. The
gradient goes back to front through the Gaussians that were blended. With C_i the colour from
Gaussian i on, C_n the background and T_i what reaches i:

    C_i = alpha_i c_i + (1 - alpha_i) C_(i+1)        T_(i+1) = T_i (1 - alpha_i)
    dC / d alpha_i = T_i (c_i - C_(i+1))             dC / d c_i = T_i alpha_i

An alpha that is clamped to ``alpha_max`` has no gradient. Centres are frozen, so they have none.

Every tile writes the gradients of its pairs to places of their own, ordered by Gaussian, and a
Gaussian's are added in the order of its tiles: the result does not depend on the threads.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from archsim.base.jit import njit, prange
from archsim.traces.gs3d.blend import BlendRule, alpha_reach, blend_row, row_interval, row_pixels
from archsim.traces.gs3d.reference import TILE
from archsim.traces.gs3d.sorting import TileLists

__all__ = [
    "FEATURES",
    "GRADIENTS",
    "Raster",
    "add_pairs",
    "pair_places",
    "rasterise",
    "rasterise_backward",
]

Array = npt.NDArray[Any]

#: Columns of a Gaussian's features: mean (2), conic (3), opacity, colour (3).
FEATURES = 9
#: Columns of a Gaussian's gradient: conic (3), opacity, colour (3).
GRADIENTS = 7


@dataclass(frozen=True)
class Raster:
    """A rendered frame, with what its gradient needs.

    Attributes
    ----------
    image : (H, W, 3)
        Colour over the background.
    transmittance : (H, W)
        What is left of the background.
    last : (H, W) int32
        Entries of its tile's list that a pixel saw before it was done, or the list's length.
    """

    image: npt.NDArray[Any]
    transmittance: npt.NDArray[Any]
    last: npt.NDArray[np.int32]


def rasterise(
    features: Array, lists: TileLists, width: int, height: int, rule: BlendRule,
    background: tuple[float, float, float] = (0.0, 0.0, 0.0),
    precision: type[np.floating[Any]] = np.float32,
) -> Raster:  # fmt: skip
    """Render tiles of 16 x 16 pixels from ``features``, (V, 9), in accumulators of ``precision``.

    ``lists`` are the tiles' Gaussians, front to back; see
    :func:`archsim.traces.gs3d.sorting.tile_lists`.
    """
    image = np.zeros((height, width, 3), precision)
    transmittance = np.ones((height, width), precision)
    last = np.empty((height, width), np.int32)
    start, entries = lists
    exact = features.astype(np.float64)
    _forward(start, entries, TILE, -(-width // TILE), exact, rule, image, transmittance, last)
    image += transmittance[:, :, None] * np.asarray(background, precision)
    return Raster(image, transmittance, last)


def pair_places(tile_rect: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
    """Return the first place of every Gaussian's tiles, and the number of places, (V + 1,)."""
    rect = tile_rect.astype(np.int64)
    tiles = (rect[:, 2] - rect[:, 0]) * (rect[:, 3] - rect[:, 1])
    return np.concatenate([[0], np.cumsum(tiles)])


def rasterise_backward(
    raster: Raster, upstream: Array, features: Array, lists: TileLists,
    tile_rect: npt.NDArray[np.int32], rule: BlendRule,
    background: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> Array:  # fmt: skip
    """Return the gradient of a loss by conic (3), opacity and colour (3), (V, 7) float64.

    ``upstream``, (H, W, 3), is the gradient by the image; the other arguments are those of
    :func:`rasterise`, and the tiles that each Gaussian touches.
    """
    start, entries = lists
    places = pair_places(tile_rect)
    pairs = np.zeros((int(places[-1]), GRADIENTS))
    _backward(
        start, entries, TILE, -(-upstream.shape[1] // TILE), features.astype(np.float64), rule,
        raster.transmittance.astype(np.float64), raster.last, upstream.astype(np.float64),
        np.asarray(background, np.float64), tile_rect, places, pairs,
    )  # fmt: skip
    gradient = np.empty((features.shape[0], GRADIENTS))
    add_pairs(places, pairs, gradient)
    return gradient


@njit(parallel=True)
def _forward(
    start: Array, entries: Array, tile: int, tiles_x: int, features: Array, rule: BlendRule,
    image: Array, transmittance: Array, last: Array,
) -> None:  # fmt: skip
    for number in prange(start.size - 1):
        x0, y0 = number % tiles_x * tile, number // tiles_x * tile
        _forward_tile(
            x0, y0, min(x0 + tile, image.shape[1]), min(y0 + tile, image.shape[0]),
            entries[start[number] : start[number + 1]], features, rule, image, transmittance, last,
        )  # fmt: skip


@njit()
def _forward_tile(
    x0: int, y0: int, x1: int, y1: int, entries: Array, features: Array, rule: BlendRule,
    image: Array, transmittance: Array, last: Array,
) -> None:  # fmt: skip
    done = np.zeros((y1 - y0, x1 - x0), np.uint8)
    own_image, own_t = image[y0:y1, x0:x1], transmittance[y0:y1, x0:x1]
    last[y0:y1, x0:x1] = entries.size
    active = (x1 - x0) * (y1 - y0)
    for place in range(entries.size):
        if active == 0:
            break
        f = features[entries[place]]
        reach = alpha_reach(f[5], rule.alpha_min)
        first, end = row_interval(y0, y1, f[1], f[2], f[3], f[4], reach, rule)
        for y in range(first, end):
            _, _, finished = blend_row(
                y, x0, x1, x0, y0, f[0], f[1], f[2], f[3], f[4], reach, f[5], f[6], f[7], f[8],
                own_t, own_image, done, rule,
            )  # fmt: skip
            if finished > 0:
                active -= finished
                for x in range(x0, x1):
                    if done[y - y0, x - x0] and last[y, x] == entries.size:
                        last[y, x] = place


@njit(parallel=True)
def _backward(
    start: Array, entries: Array, tile: int, tiles_x: int, features: Array, rule: BlendRule,
    transmittance: Array, last: Array, upstream: Array, background: Array, tile_rect: Array,
    places: Array, pairs: Array,
) -> None:  # fmt: skip
    for number in prange(start.size - 1):
        tx, ty = number % tiles_x, number // tiles_x
        _backward_tile(
            tx, ty, tile, entries[start[number] : start[number + 1]], features, rule,
            transmittance, last, upstream, background, tile_rect, places, pairs,
        )  # fmt: skip


@njit()
def _backward_tile(
    tx: int, ty: int, tile: int, entries: Array, features: Array, rule: BlendRule,
    transmittance: Array, last: Array, upstream: Array, background: Array, tile_rect: Array,
    places: Array, pairs: Array,
) -> None:  # fmt: skip
    x0, y0 = tx * tile, ty * tile
    x1, y1 = min(x0 + tile, upstream.shape[1]), min(y0 + tile, upstream.shape[0])
    reaching = np.empty((y1 - y0, x1 - x0))  # T behind the present Gaussian
    behind = np.empty((y1 - y0, x1 - x0))  # upstream . C behind the present Gaussian
    most = 0
    for y in range(y0, y1):
        for x in range(x0, x1):
            reaching[y - y0, x - x0] = transmittance[y, x]
            behind[y - y0, x - x0] = (
                upstream[y, x, 0] * background[0]
                + upstream[y, x, 1] * background[1]
                + upstream[y, x, 2] * background[2]
            )
            most = max(most, last[y, x])
    for place in range(most - 1, -1, -1):
        v = entries[place]
        f = features[v]
        reach = alpha_reach(f[5], rule.alpha_min)
        first, end = row_interval(y0, y1, f[1], f[2], f[3], f[4], reach, rule)
        mean_x, mean_y, a, b, c = f[0], f[1], f[2], f[3], f[4]
        opacity, red, green, blue = f[5], f[6], f[7], f[8]
        by_a = by_b = by_c = by_opacity = by_red = by_green = by_blue = 0.0
        for y in range(first, end):
            left, right = row_pixels(y, x0, x1, mean_x, mean_y, a, b, c, reach, rule)
            dy = mean_y - (y + rule.pixel_offset)
            for x in range(left, right):
                if place >= last[y, x]:
                    continue
                dx = mean_x - (x + rule.pixel_offset)
                power = -(0.5 * a * dx * dx + 0.5 * c * dy * dy) - b * dx * dy
                if power > 0.0:
                    continue
                fall = math.exp(power)
                free = opacity * fall
                alpha = min(rule.alpha_max, free)
                if alpha < rule.alpha_min:
                    continue
                before = reaching[y - y0, x - x0] / (1.0 - alpha)
                reaching[y - y0, x - x0] = before
                g0, g1, g2 = upstream[y, x, 0], upstream[y, x, 1], upstream[y, x, 2]
                own = g0 * red + g1 * green + g2 * blue
                by_alpha = before * (own - behind[y - y0, x - x0])
                behind[y - y0, x - x0] = alpha * own + (1.0 - alpha) * behind[y - y0, x - x0]
                weight = before * alpha
                by_red += weight * g0
                by_green += weight * g1
                by_blue += weight * g2
                if free < rule.alpha_max:
                    by_opacity += by_alpha * fall
                    by_power = by_alpha * free
                    by_a -= 0.5 * by_power * dx * dx
                    by_b -= by_power * dx * dy
                    by_c -= 0.5 * by_power * dy * dy
        across = tile_rect[v, 2] - tile_rect[v, 0]
        to = places[v] + (ty - tile_rect[v, 1]) * across + tx - tile_rect[v, 0]
        pairs[to, 0], pairs[to, 1], pairs[to, 2], pairs[to, 3] = by_a, by_b, by_c, by_opacity
        pairs[to, 4], pairs[to, 5], pairs[to, 6] = by_red, by_green, by_blue


@njit(parallel=True)
def add_pairs(places: Array, pairs: Array, gradient: Array) -> None:
    """Set each Gaussian's gradient to the sum over its tiles', in their order."""
    for v in prange(gradient.shape[0]):
        for k in range(gradient.shape[1]):
            total = 0.0
            for place in range(places[v], places[v + 1]):
                total += pairs[place, k]
            gradient[v, k] = total
