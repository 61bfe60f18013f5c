"""The boundary loss by pixel: what a Gaussian blends times the weight that it puts out of order.

L_CBP counts a Gaussian once for every group that renders it behind a deeper one. With centres
frozen that is most Gaussians of a group, whether or not a pixel shows it, and it shrinks those
behind, not the one in front that makes them so. This loss looks where the image does:

    L_pixel = (1/W) sum over pixels, j of alpha_j s_j        s_j = sum of alpha_i T_i

s_j is the weight that its pixel blends behind j while j is the deepest so far and deeper than i,
W the weight of the whole view. The share of misordered weight is the same sum with 1 in place of
alpha_j. s_j is taken as constant, so that the loss pulls back the one in front, mostly faint tails
that reach over a border; W, too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from archsim.base.jit import njit, prange
from archsim.traces.gs3d.blend import BlendRule, alpha_reach, row_interval, row_pixels
from archsim.traces.gs3d.finetune.raster import GRADIENTS, Raster, add_pairs, pair_places
from archsim.traces.gs3d.reference import TILE
from archsim.traces.gs3d.sorting import TileLists

__all__ = ["OrderLoss", "order_loss"]

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class OrderLoss:
    """L_pixel of a view.

    Attributes
    ----------
    loss
    misordered
        Share of the view's weight alpha T that is blended behind something deeper.
    gradient : (V, 7) float64
        By conic (3), opacity and colour (3), as :func:`~.raster.rasterise_backward` gives it.
    """

    loss: float
    misordered: float
    gradient: npt.NDArray[np.float64]


def order_loss(
    raster: Raster, features: Array, depth: Array, lists: TileLists,
    tile_rect: npt.NDArray[np.int32], rule: BlendRule,
) -> OrderLoss:  # fmt: skip
    """Return L_pixel of a rendered view; ``depth``, (V,), is that of the Gaussians' centres."""
    start, entries = lists
    places = pair_places(tile_rect)
    pairs = np.zeros((int(places[-1]), GRADIENTS))
    totals = np.zeros((start.size - 1, 3))
    _tiles(
        start, entries, TILE, -(-raster.last.shape[1] // TILE), features.astype(np.float64), depth,
        rule, raster.last, tile_rect, places, pairs, totals,
    )  # fmt: skip
    gradient = np.empty((features.shape[0], GRADIENTS))
    add_pairs(places, pairs, gradient)
    weight, misordered, loss = (float(total) for total in totals.sum(axis=0))
    whole = max(weight, np.finfo(np.float64).tiny)
    return OrderLoss(loss / whole, misordered / whole, gradient / whole)


@njit(parallel=True)
def _tiles(
    start: Array, entries: Array, tile: int, tiles_x: int, features: Array, depth: Array,
    rule: BlendRule, last: Array, tile_rect: Array, places: Array, pairs: Array, totals: Array,
) -> None:  # fmt: skip
    for number in prange(start.size - 1):
        _tile(
            number % tiles_x, number // tiles_x, tile, entries[start[number] : start[number + 1]],
            features, depth, rule, last, tile_rect, places, pairs, totals[number],
        )  # fmt: skip


@njit()
def _tile(
    tx: int, ty: int, tile: int, entries: Array, features: Array, depth: Array, rule: BlendRule,
    last: Array, tile_rect: Array, places: Array, pairs: Array, totals: Array,
) -> None:  # fmt: skip
    x0, y0 = tx * tile, ty * tile
    x1, y1 = min(x0 + tile, last.shape[1]), min(y0 + tile, last.shape[0])
    reaching = np.ones((y1 - y0, x1 - x0))
    deepest = np.full((y1 - y0, x1 - x0), -1, np.int32)  # the Gaussian, and what it has struck
    struck = np.zeros((y1 - y0, x1 - x0))
    for place in range(entries.size):
        v = entries[place]
        f = features[v]
        reach = alpha_reach(f[5], rule.alpha_min)
        first, end = row_interval(y0, y1, f[1], f[2], f[3], f[4], reach, rule)
        for y in range(first, end):
            left, right = row_pixels(y, x0, x1, f[0], f[1], f[2], f[3], f[4], reach, rule)
            dy = f[1] - (y + rule.pixel_offset)
            for x in range(left, right):
                if place >= last[y, x]:
                    continue
                dx = f[0] - (x + rule.pixel_offset)
                power = -(0.5 * f[2] * dx * dx + 0.5 * f[4] * dy * dy) - f[3] * dx * dy
                if power > 0.0:
                    continue
                alpha = min(rule.alpha_max, f[5] * math.exp(power))
                if alpha < rule.alpha_min:
                    continue
                weight = reaching[y - y0, x - x0] * alpha
                reaching[y - y0, x - x0] *= 1.0 - alpha
                totals[0] += weight
                before = deepest[y - y0, x - x0]
                if before >= 0 and depth[v] < depth[before]:
                    totals[1] += weight
                    struck[y - y0, x - x0] += weight
                    continue
                if struck[y - y0, x - x0] > 0.0:
                    totals[2] += _pull_back(
                        before, struck[y - y0, x - x0], x, y, tx, ty, features[before], rule,
                        tile_rect, places, pairs,
                    )  # fmt: skip
                    struck[y - y0, x - x0] = 0.0
                deepest[y - y0, x - x0] = v
    for y in range(y0, y1):
        for x in range(x0, x1):
            if struck[y - y0, x - x0] > 0.0:
                v = deepest[y - y0, x - x0]
                totals[2] += _pull_back(
                    v, struck[y - y0, x - x0], x, y, tx, ty, features[v], rule, tile_rect, places,
                    pairs,
                )  # fmt: skip


@njit()
def _pull_back(
    v: int, struck: float, x: int, y: int, tx: int, ty: int, f: Array, rule: BlendRule,
    tile_rect: Array, places: Array, pairs: Array,
) -> float:  # fmt: skip
    """Add the gradient of alpha times what was struck at a pixel; return the product."""
    dx, dy = f[0] - (x + rule.pixel_offset), f[1] - (y + rule.pixel_offset)
    fall = math.exp(-(0.5 * f[2] * dx * dx + 0.5 * f[4] * dy * dy) - f[3] * dx * dy)
    free = f[5] * fall
    if free < rule.alpha_max:
        across = tile_rect[v, 2] - tile_rect[v, 0]
        to = places[v] + (ty - tile_rect[v, 1]) * across + tx - tile_rect[v, 0]
        by_power = struck * free
        pairs[to, 0] -= 0.5 * by_power * dx * dx
        pairs[to, 1] -= by_power * dx * dy
        pairs[to, 2] -= 0.5 * by_power * dy * dy
        pairs[to, 3] += struck * fall
    return float(struck * min(rule.alpha_max, free))
