"""Sorting and blending the lists of all tiles with subtile skipping, and counting the work."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from archsim.base.jit import njit, prange
from archsim.traces.gs3d.blend import BlendRule, alpha_reach, blend_gaussian
from archsim.traces.gs3d.gscore.sort import bitonic_sort, split_list

__all__ = ["BUCKET_COUNTS", "TILE_COUNTS", "render_tiles"]

Array = npt.NDArray[Any]

#: columns of ``tile_counted``
TILE_COUNTS = (
    "consumed", "subtile_entries", "subtile_work", "alpha_tests", "alpha_passed", "blends",
    "sort_passes", "sort_moved", "buckets",
)  # fmt: skip
#: columns of ``bucket_counted``
BUCKET_COUNTS = ("entries", "consumed", "subtile_work", "alpha_tests")


@njit(parallel=True)
def render_tiles(
    first: int, last: int, tiles_x: int, tile: int, subtile: int, chunk: int, pivots: int,
    largest: np.uint64, tile_start: Array, key: Array, bitmap: Array, features: Array,
    rule: BlendRule, transmittance: Array, image: Array, done: Array,
    tile_counted: Array, bucket_counted: Array,
) -> None:  # fmt: skip
    """Sort and blend the lists of tiles ``first`` to ``last``.

    Parameters
    ----------
    first, last, tiles_x, tile, subtile
        Tiles, row by row; sides in pixels.
    chunk, pivots, largest
        Hierarchical sort, see :func:`~archsim.traces.gs3d.gscore.sort.split_list`; ``largest`` is
        the largest key there is.
    tile_start : (T + 1,) int64
    key : (D,) uint64; bitmap : (D,) uint16
        Lists in Gaussian order; depth order on return. The low 32 bits of a key index
        ``features``.
    features : (V, 9) float32
        mean x, y, conic a, b, c, opacity, red, green, blue.
    rule, transmittance, image, done
        As for :func:`~archsim.traces.gs3d.blend.blend_gaussian`, of the whole image.
    tile_counted : (T, 9) int64
        Filled with :data:`TILE_COUNTS`.
    bucket_counted : (D, 4) int32
        Row ``tile_start[t] + i`` is filled with :data:`BUCKET_COUNTS` of chunk i of tile t.
    """
    for t in prange(first, last):
        begin, end = tile_start[t], tile_start[t + 1]
        if end > begin:
            _render_tile(
                (t % tiles_x) * tile, (t // tiles_x) * tile, tile, subtile, chunk, pivots, largest,
                key[begin:end], bitmap[begin:end], features, rule, transmittance, image, done,
                tile_counted[t], bucket_counted[begin:end],
            )  # fmt: skip


@njit()
def _sort_tile(key: Array, bitmap: Array, chunk: int, pivots: int, largest: np.uint64,
               counted: Array, buckets: Array) -> int:  # fmt: skip
    # in depth order on return; sizes in buckets[:, 0]
    n = key.shape[0]
    sizes = np.empty(n, np.int64)
    key_scratch, tag_scratch = np.empty(n, np.uint64), np.empty(n, np.uint16)
    # pending ranges are disjoint and not empty: never more than entries
    count, passes, moved = split_list(
        key, bitmap, 0, n, chunk, pivots, key_scratch, tag_scratch,
        np.empty((n + pivots + 1, 2), np.int64), np.empty(2 * pivots + 1, np.uint64), sizes,
    )  # fmt: skip
    pad = 2 * chunk
    key_pad, tag_pad = np.empty(pad, np.uint64), np.empty(pad, np.uint16)
    at = 0
    for i in range(count):
        bitonic_sort(key, bitmap, at, at + sizes[i], key_pad, tag_pad, largest)
        buckets[i, 0] = sizes[i]
        at += sizes[i]
    counted[6], counted[7], counted[8] = passes, moved, count
    return count


@njit()
def _render_tile(
    x0: int, y0: int, tile: int, subtile: int, chunk: int, pivots: int, largest: np.uint64,
    key: Array, bitmap: Array, features: Array, rule: BlendRule, transmittance: Array,
    image: Array, done: Array, counted: Array, buckets: Array,
) -> None:  # fmt: skip
    side = tile // subtile
    subtiles = side * side
    count = _sort_tile(key, bitmap, chunk, pivots, largest, counted, buckets)
    for bits in bitmap:
        for s in range(subtiles):
            counted[1] += (bits >> s) & 1
    # pixels not done, by subtile; subtiles outside the image have none
    left, top = np.empty(subtiles, np.int64), np.empty(subtiles, np.int64)
    right, bottom = np.empty(subtiles, np.int64), np.empty(subtiles, np.int64)
    active = np.zeros(subtiles, np.int64)
    live = 0
    for s in range(subtiles):
        left[s] = x0 + (s % side) * subtile
        top[s] = y0 + (s // side) * subtile
        right[s] = min(left[s] + subtile, image.shape[1])
        bottom[s] = min(top[s] + subtile, image.shape[0])
        active[s] = max(0, right[s] - left[s]) * max(0, bottom[s] - top[s])
        live += active[s] > 0
    at = 0
    for i in range(count):
        consumed = work = tests = 0
        for e in range(at, at + buckets[i, 0]):
            if live == 0:
                break
            consumed += 1
            v = np.int64(key[e] & np.uint64(0xFFFFFFFF))
            bits = bitmap[e]
            opacity = features[v, 5]
            reach = alpha_reach(opacity, rule.alpha_min)
            for s in range(subtiles):
                if (bits >> s) & 1 and active[s] > 0:
                    work += 1
                    tests += active[s]
                    passed, blends, finished = blend_gaussian(
                        left[s], top[s], right[s], bottom[s], 0, 0, features[v, 0], features[v, 1],
                        features[v, 2], features[v, 3], features[v, 4], reach, opacity,
                        features[v, 6], features[v, 7], features[v, 8],
                        transmittance, image, done, rule,
                    )  # fmt: skip
                    counted[4] += passed
                    counted[5] += blends
                    active[s] -= finished
                    live -= finished > 0 and active[s] == 0
        buckets[i, 1], buckets[i, 2], buckets[i, 3] = consumed, work, tests
        counted[0] += consumed
        counted[2] += work
        counted[3] += tests
        at += buckets[i, 0]
