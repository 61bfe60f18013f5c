"""StreamingGS's two errors apart: lost coverage, and order between voxels.

Both renders start from the reference's tile lists, nearest Gaussian first. *Coverage* drops the
Gaussians of voxels that no ray of the group crosses and keeps the exact order. *Order* keeps all
Gaussians but takes them voxel by voxel in the group's order; before a voxel that no ray crosses
come the queued voxels that the rule puts before it, for a topological order those of at most its L1
index distance. With all voxels queued and exact order both would equal the reference.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from archsim.base.jit import njit, prange
from archsim.traces.gs3d.blend import BlendRule, alpha_reach, blend_gaussian
from archsim.traces.gs3d.streaminggs.batches import batches
from archsim.traces.gs3d.streaminggs.order import Distances, OrderRule, VoxelQueue
from archsim.traces.gs3d.streaminggs.render import Frame, Groups

__all__ = ["SeparateErrors", "render_errors"]

Array = npt.NDArray[Any]

_PAIRS_PER_CALL = 200_000


@dataclass(frozen=True)
class SeparateErrors:
    """Frames with one error each, and how often each error strikes.

    Attributes
    ----------
    coverage, order
        The frames.
    uncovered_pairs
        Gaussian-tile pairs of the reference whose voxel no ray of the group crosses.
    misordered_pairs
        Pairs that come behind a deeper Gaussian of their tile when taken in voxel order.
    pairs
        All pairs of the reference.
    """

    coverage: Frame
    order: Frame
    uncovered_pairs: int
    misordered_pairs: int
    pairs: int


def render_errors(
    queue: VoxelQueue, distances: Distances, order_rule: OrderRule,
    voxel_of: npt.NDArray[np.int32],
    features: npt.NDArray[np.float32], depth: npt.NDArray[np.float32],
    tile_start: npt.NDArray[np.int64], pair_visible: npt.NDArray[np.int32],
    groups: Groups, rule: BlendRule,
) -> SeparateErrors:  # fmt: skip
    """Render the two frames from the reference's lists (see the module)."""
    coverage = Frame.empty(groups.width, groups.height)
    order = Frame.empty(groups.width, groups.height)
    count = queue.start.size - 1
    tiles_x = -(-groups.width // groups.tile)
    tiles = np.arange(tile_start.size - 1)
    group_of = (tiles // tiles_x * groups.tile // groups.group_h * groups.groups_x
                + tiles % tiles_x * groups.tile // groups.group_w)  # fmt: skip
    pairs = np.bincount(group_of, np.diff(tile_start), minlength=count).astype(np.int64)
    struck = np.zeros((count, 2), np.int64)
    distance = distances.distance(order_rule)
    rank = distances.rank("l1" if order_rule.startswith("dag") else order_rule)
    for first, last in batches(pairs, _PAIRS_PER_CALL):
        _render(
            first, last, groups, tiles_x, queue.start, queue.voxel, int(distance.max()), distance,
            rank, voxel_of, features, depth, tile_start, pair_visible, rule,
            coverage.colour, coverage.transmittance, order.colour, order.transmittance, struck,
        )  # fmt: skip
    return SeparateErrors(
        coverage, order, int(struck[:, 0].sum()), int(struck[:, 1].sum()), int(pairs.sum())
    )


@njit()
def _blend_list(
    entries: Array, x0: int, y0: int, tile: int, features: Array, rule: BlendRule,
    colour: Array, transmittance: Array,
) -> None:  # fmt: skip
    """Blend a tile's Gaussians in the order given."""
    x1, y1 = min(x0 + tile, colour.shape[1]), min(y0 + tile, colour.shape[0])
    done = np.zeros((tile, tile), np.uint8)
    own_colour, own_t = colour[y0:y1, x0:x1], transmittance[y0:y1, x0:x1]
    active = (x1 - x0) * (y1 - y0)
    for k in entries:
        if active == 0:
            break
        reach = alpha_reach(features[k, 5], rule.alpha_min)
        _, _, finished = blend_gaussian(
            x0, y0, x1, y1, x0, y0, features[k, 0], features[k, 1], features[k, 2],
            features[k, 3], features[k, 4], reach, features[k, 5], features[k, 6],
            features[k, 7], features[k, 8], own_t, own_colour, done, rule,
        )  # fmt: skip
        active -= finished


@njit()
def _stable_order(keys: Array) -> Array:
    """Return the order that sorts ``keys``, equal ones as they come (bottom-up merge sort)."""
    count = keys.size
    order, other = np.empty(count, np.int32), np.empty(count, np.int32)
    for i in range(count):
        order[i] = i
    width = 1
    while width < count:
        for begin in range(0, count, 2 * width):
            middle, end = min(begin + width, count), min(begin + 2 * width, count)
            left, right = begin, middle
            for to in range(begin, end):
                if right == end or (left < middle and keys[order[left]] <= keys[order[right]]):
                    other[to] = order[left]
                    left += 1
                else:
                    other[to] = order[right]
                    right += 1
        order, other = other, order
        width *= 2
    return order


@njit()
def _render_group(
    g: int, groups: Groups, tiles_x: int, queue_start: Array, queue: Array, farthest: int,
    distance: Array, rank: Array, voxel_of: Array, features: Array, depth: Array, tile_start: Array,
    pair_visible: Array, rule: BlendRule, coverage: Array, coverage_t: Array, order: Array,
    order_t: Array, struck: Array,
) -> None:  # fmt: skip
    # Keys that sort as the module says: odd multiples of V for queued voxels, and between them
    # the others, among themselves by distance; ranks are below V, the number of voxels.
    voxels = np.int64(distance.size)
    place = np.full(distance.size, -1, np.int64)
    no_farther = np.zeros(farthest + 1, np.int64)  # queued voxels of at most this distance
    for entry in range(queue_start[g], queue_start[g + 1]):
        place[queue[entry]] = (2 * (entry - queue_start[g]) + 1) * voxels
        no_farther[distance[queue[entry]]] += 1
    for step in range(farthest):
        no_farther[step + 1] += no_farther[step]
    tile = groups.tile
    x0 = g % groups.groups_x * groups.group_w
    y0 = g // groups.groups_x * groups.group_h
    for y in range(y0, min(y0 + groups.group_h, groups.height), tile):
        for x in range(x0, min(x0 + groups.group_w, groups.width), tile):
            t = y // tile * tiles_x + x // tile
            entries = pair_visible[tile_start[t] : tile_start[t + 1]]
            keys = np.empty(entries.size, np.int64)
            covered = np.empty(entries.size, np.int32)
            kept = 0
            for i in range(entries.size):
                voxel = voxel_of[entries[i]]
                if place[voxel] >= 0:
                    keys[i] = place[voxel]
                    covered[kept] = entries[i]
                    kept += 1
                else:
                    keys[i] = 2 * no_farther[distance[voxel]] * voxels + rank[voxel]
            struck[g, 0] += entries.size - kept
            _blend_list(covered[:kept], x, y, tile, features, rule, coverage, coverage_t)
            place_in_list = _stable_order(keys)
            streamed = np.empty(entries.size, np.int32)
            deepest = np.float32(-np.inf)
            for i in range(entries.size):
                k = entries[place_in_list[i]]
                streamed[i] = k
                struck[g, 1] += depth[k] < deepest
                deepest = max(deepest, depth[k])
            _blend_list(streamed, x, y, tile, features, rule, order, order_t)


@njit(parallel=True)
def _render(
    first: int, last: int, groups: Groups, tiles_x: int, queue_start: Array, queue: Array,
    farthest: int, distance: Array, rank: Array, voxel_of: Array, features: Array, depth: Array,
    tile_start: Array, pair_visible: Array, rule: BlendRule, coverage: Array, coverage_t: Array,
    order: Array, order_t: Array, struck: Array,
) -> None:  # fmt: skip
    for g in prange(first, last):
        _render_group(
            g, groups, tiles_x, queue_start, queue, farthest, distance, rank, voxel_of, features,
            depth, tile_start, pair_visible, rule, coverage, coverage_t, order, order_t, struck,
        )  # fmt: skip
