"""Per-tile lists of Gaussians, nearest first: what duplicate, radix sort and ranges produce."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from archsim.base.jit import njit
from archsim.traces.gs3d.projection import Projected

__all__ = ["TileLists", "depth_order", "tile_lists"]

Array = npt.NDArray[Any]
TileLists = tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]

_DIGIT_BITS = 11  # three passes over 32-bit keys; 2048 counters stay in the first-level cache


def depth_order(depth: npt.NDArray[np.float32]) -> npt.NDArray[np.int32]:
    """Return the positions of (V,) non-negative depths, nearest first, equal ones by position.

    Bits of non-negative floats sort as integers, which is what GPU rasterisers rely on.
    """
    bits = np.ascontiguousarray(depth, dtype=np.float32).view(np.uint32)
    return _radix_order(bits, _DIGIT_BITS)


def tile_lists(projected: Projected, tiles_x: int, tiles_y: int) -> TileLists:
    """Return the lists of all tiles by depth, then index.

    Returns
    -------
    tile_start : (tiles_x * tiles_y + 1,) int64
        List of tile ``y * tiles_x + x`` is ``pair_visible[tile_start[t] : tile_start[t + 1]]``.
    pair_visible : (D,) int32
        Positions among the visible Gaussians.
    """
    tile_start = _list_starts(projected.tile_rect, tiles_x, tiles_y)
    order = depth_order(projected.depth)
    pair_visible = np.empty(int(tile_start[-1]), np.int32)
    _fill_lists(projected.tile_rect, order, tiles_x, tile_start[:-1].copy(), pair_visible)
    return tile_start, pair_visible


@njit()
def _radix_order(keys: Array, digit_bits: int) -> Array:
    """Return the stable sorting permutation of uint32 keys (least significant digit first)."""
    count = keys.shape[0]
    order = np.arange(count).astype(np.int32)
    other = np.empty(count, np.int32)
    mask = np.uint32((1 << digit_bits) - 1)
    for shift in range(0, 32, digit_bits):
        places = np.zeros((1 << digit_bits) + 1, np.int64)
        for i in range(count):
            places[((keys[i] >> np.uint32(shift)) & mask) + 1] += 1
        for digit in range(1 << digit_bits):
            places[digit + 1] += places[digit]
        for i in range(count):
            digit = (keys[order[i]] >> np.uint32(shift)) & mask
            other[places[digit]] = order[i]
            places[digit] += 1
        order, other = other, order
    return order


@njit()
def _list_starts(rects: Array, tiles_x: int, tiles_y: int) -> Array:
    starts = np.zeros(tiles_x * tiles_y + 1, np.int64)
    for v in range(rects.shape[0]):
        for y in range(rects[v, 1], rects[v, 3]):
            for x in range(rects[v, 0], rects[v, 2]):
                starts[y * tiles_x + x + 1] += 1
    for tile in range(tiles_x * tiles_y):
        starts[tile + 1] += starts[tile]
    return starts


@njit()
def _fill_lists(
    rects: Array, order: Array, tiles_x: int, cursor: Array, pair_visible: Array
) -> None:
    """Append the Gaussians, nearest first, to the lists of the tiles that they touch."""
    for v in order:
        for y in range(rects[v, 1], rects[v, 3]):
            for x in range(rects[v, 0], rects[v, 2]):
                tile = y * tiles_x + x
                pair_visible[cursor[tile]] = v
                cursor[tile] += 1
