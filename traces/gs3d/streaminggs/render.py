"""Render groups of pixels voxel by voxel, with colour and transmittance kept on chip."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from archsim.base.jit import njit, prange
from archsim.traces.gs3d.blend import BlendRule, alpha_reach, blend_gaussian
from archsim.traces.gs3d.gscore.record import GscoreParameters
from archsim.traces.gs3d.gscore.shape import box_touches, intersection_boxes
from archsim.traces.gs3d.projection import Projected
from archsim.traces.gs3d.sorting import depth_order
from archsim.traces.gs3d.streaminggs.batches import batches
from archsim.traces.gs3d.streaminggs.grid import VoxelGrid
from archsim.traces.gs3d.streaminggs.misorder import Misorder, blended_weights
from archsim.traces.gs3d.streaminggs.order import VoxelQueue

__all__ = ["SUBTILE", "Frame", "Groups", "Streamed", "gaussian_features", "stream_groups"]

Array = npt.NDArray[Any]

#: Side of a subtile in pixels, as in GSCore's renderer.
SUBTILE = 8
_WORK_PER_CALL = 400_000  # Gaussians of one call, about 0.1 s between two returns to Python


class Groups(NamedTuple):
    """The groups of pixels of a frame, row by row.

    Attributes
    ----------
    width, height
        The frame in pixels.
    group_w, group_h
        A group in pixels, multiples of the tile.
    groups_x
        Groups per row.
    tile
        Side of the reference's tiles in pixels.
    """

    width: int
    height: int
    group_w: int
    group_h: int
    groups_x: int
    tile: int

    def rectangles(self, count: int) -> npt.NDArray[np.int64]:
        """Return x0, y0, x1, y1 of ``count`` groups in pixels, not cut at the image's border."""
        g = np.arange(count)
        x0, y0 = g % self.groups_x * self.group_w, g // self.groups_x * self.group_h
        return np.stack([x0, y0, x0 + self.group_w, y0 + self.group_h], axis=1)

    def pixels(self, count: int) -> npt.NDArray[np.int64]:
        """Return the pixels of ``count`` groups that lie inside the image."""
        rectangle = self.rectangles(count)
        width = np.minimum(rectangle[:, 2], self.width) - rectangle[:, 0]
        height = np.minimum(rectangle[:, 3], self.height) - rectangle[:, 1]
        return (width * height).astype(np.int64)


class Frame(NamedTuple):
    """A frame under construction: colour (H, W, 3) and transmittance (H, W), both float32."""

    colour: npt.NDArray[np.float32]
    transmittance: npt.NDArray[np.float32]

    def over(self, background: tuple[float, float, float]) -> npt.NDArray[np.float32]:
        """Return the image over a background, (H, W, 3) float32."""
        image: npt.NDArray[np.float32] = self.colour + self.transmittance[:, :, None] * np.asarray(
            background, np.float32
        )
        return image

    @staticmethod
    def empty(width: int, height: int) -> Frame:
        """Return a frame that nothing was blended into."""
        return Frame(np.zeros((height, width, 3), np.float32), np.ones((height, width), np.float32))


@dataclass(frozen=True)
class Streamed:
    """A frame rendered voxel by voxel, and the work of every entry of the voxel queue.

    Attributes
    ----------
    frame
        Colour and transmittance.
    processed : (G,) int64
        Entries of each group's queue that were rendered before all its pixels were saturated.
    subtile_work, subtiles, alpha_tests, blends : (entries,) int64
        Gaussian-subtile pairs sent to the render units; distinct subtiles among them; pixels
        tested; pixels blended. 0 for entries that were not processed.
    saturated : (G,) int64
        Pixels saturated at the end.
    lost : (G,) int64
        Gaussians of processed voxels that the fine filter would keep and the coarse one dropped:
        none, but where quantisation has made a Gaussian larger than its largest scale as stored.
    misorder
        What was blended behind something deeper.
    """

    frame: Frame
    processed: npt.NDArray[np.int64]
    subtile_work: npt.NDArray[np.int64]
    subtiles: npt.NDArray[np.int64]
    alpha_tests: npt.NDArray[np.int64]
    blends: npt.NDArray[np.int64]
    saturated: npt.NDArray[np.int64]
    lost: npt.NDArray[np.int64]
    misorder: Misorder


def gaussian_features(projected: Projected) -> npt.NDArray[np.float32]:
    """Return mean (2), conic (3), opacity and colour (3) side by side, shape (V, 9)."""
    parts = [projected.mean2d, projected.conic, projected.opacity[:, None], projected.rgb]
    return np.concatenate(parts, axis=1)


def stream_groups(
    grid: VoxelGrid, queue: VoxelQueue, projected: Projected, coarse: npt.NDArray[np.int32],
    size: npt.NDArray[np.float32], groups: Groups, rule: BlendRule,
) -> Streamed:  # fmt: skip
    """Render all groups.

    ``coarse``, shape (N, 4), holds the coarse filter's squares by storage position: what it drops
    is not rendered. ``size``, shape (N,), is each Gaussian's size by scene index, which weighs the
    size-weighted misorder. Inside a voxel Gaussians are blended by depth, then scene index. A
    Gaussian is sent to the subtiles that lie in its tiles, meet its box in GSCore's test, and have
    a pixel left; the renderer is GSCore's. A group stops when none of its pixels is left.
    """
    position, voxel_of_scene = grid.places()
    voxel_of = voxel_of_scene[projected.index]
    by_depth = depth_order(projected.depth)
    by_voxel = by_depth[np.argsort(voxel_of[by_depth], kind="stable")]
    start = np.concatenate([[0], np.cumsum(np.bincount(voxel_of, minlength=grid.occupied))])
    features = gaussian_features(projected)[by_voxel]
    tiles = projected.tile_rect[by_voxel]
    box = GscoreParameters()
    boxes = intersection_boxes(
        projected.cov2d[by_voxel], projected.radius[by_voxel], tiles, box.obb_min_aspect,
        box.obb_sigmas,
    )  # fmt: skip
    frame = Frame.empty(groups.width, groups.height)
    count = queue.start.size - 1
    counted = np.zeros((queue.voxel.size, 4), np.int64)
    ends = np.zeros((count, 3), np.int64)
    ordered = np.zeros((count, 6), np.float64)
    index = projected.index[by_voxel]
    squares, sizes, depth = coarse[position[index]], size[index], projected.depth[by_voxel]
    loads = np.concatenate([[0], np.cumsum(grid.count[queue.voxel])])
    for first, last in batches(np.diff(loads[queue.start]), _WORK_PER_CALL):
        _stream(
            first, last, groups, SUBTILE, queue.start, queue.voxel, start, features, tiles, boxes,
            squares, sizes, depth, rule, frame.colour, frame.transmittance, counted, ends, ordered,
        )  # fmt: skip
    work, subtiles, tests, blends = (np.ascontiguousarray(c) for c in counted.T)
    total = [float(column) for column in ordered.sum(axis=0)]
    misorder = Misorder(int(total[0]), int(total[1]), *total[2:])
    processed, saturated, lost = (np.ascontiguousarray(c) for c in ends.T)
    return Streamed(frame, processed, work, subtiles, tests, blends, saturated, lost, misorder)


@njit()
def _stream_group(
    g: int, groups: Groups, subtile: int, queue_start: Array, queue: Array, start: Array,
    features: Array, tiles: Array, boxes: Array, squares: Array, sizes: Array, depth: Array,
    rule: BlendRule, colour: Array, transmittance: Array, counted: Array, ends: Array,
    ordered: Array,
) -> None:  # fmt: skip
    x0 = g % groups.groups_x * groups.group_w
    y0 = g // groups.groups_x * groups.group_h
    x1, y1 = min(x0 + groups.group_w, groups.width), min(y0 + groups.group_h, groups.height)
    done = np.zeros((y1 - y0, x1 - x0), np.uint8)
    own_t = transmittance[y0:y1, x0:x1]
    own_colour = colour[y0:y1, x0:x1]
    across, down = -(-(x1 - x0) // subtile), -(-(y1 - y0) // subtile)
    active = np.empty((down, across), np.int64)
    for sy in range(down):
        for sx in range(across):
            active[sy, sx] = min(subtile, y1 - y0 - sy * subtile) * min(
                subtile, x1 - x0 - sx * subtile
            )
    touched = np.full((down, across), -1, np.int64)
    live = (x1 - x0) * (y1 - y0)
    tile = groups.tile
    half = 0.5 * subtile
    before = np.empty((subtile, subtile), np.float32)
    deepest_of_pixel = np.full((y1 - y0, x1 - x0), -np.inf, np.float32)
    deepest = np.float32(-np.inf)
    for entry in range(queue_start[g], queue_start[g + 1]):
        if live == 0:
            break
        ends[g, 0] += 1
        work = subtiles = tests = blends = 0
        for k in range(start[queue[entry]], start[queue[entry] + 1]):
            left, top = max(tiles[k, 0] * tile, x0), max(tiles[k, 1] * tile, y0)
            right, bottom = min(tiles[k, 2] * tile, x1), min(tiles[k, 3] * tile, y1)
            if left >= right or top >= bottom:
                continue
            if (
                squares[k, 2] < x0
                or squares[k, 0] >= x0 + groups.group_w
                or squares[k, 3] < y0
                or squares[k, 1] >= y0 + groups.group_h
            ):
                ends[g, 2] += 1
                continue
            ordered[g, 0] += 1.0
            ordered[g, 2] += sizes[k]
            if depth[k] < deepest:
                ordered[g, 1] += 1.0
                ordered[g, 3] += sizes[k]
            deepest = max(deepest, depth[k])
            mean_x, mean_y = np.float64(features[k, 0]), np.float64(features[k, 1])
            a, b, c = features[k, 2], features[k, 3], features[k, 4]
            reach = alpha_reach(features[k, 5], rule.alpha_min)
            for sy in range((top - y0) // subtile, (bottom - 1 - y0) // subtile + 1):
                from_y = y0 + sy * subtile
                to_y = min(bottom, from_y + subtile)
                for sx in range((left - x0) // subtile, (right - 1 - x0) // subtile + 1):
                    if active[sy, sx] == 0:
                        continue
                    from_x = x0 + sx * subtile
                    if not box_touches(
                        mean_x - (from_x + half), mean_y - (from_y + half), half, boxes[k, 0],
                        boxes[k, 1], boxes[k, 2], boxes[k, 3],
                    ):  # fmt: skip
                        continue
                    work += 1
                    tests += active[sy, sx]
                    if touched[sy, sx] != entry:
                        touched[sy, sx] = entry
                        subtiles += 1
                    to_x = min(right, from_x + subtile)
                    for y in range(from_y, to_y):
                        for x in range(from_x, to_x):
                            before[y - from_y, x - from_x] = own_t[y - y0, x - x0]
                    _, blended, finished = blend_gaussian(
                        from_x, from_y, to_x, to_y, x0, y0, mean_x, mean_y, a, b, c, reach,
                        features[k, 5], features[k, 6], features[k, 7], features[k, 8],
                        own_t, own_colour, done, rule,
                    )  # fmt: skip
                    if blended > 0:
                        weight, behind = blended_weights(
                            before, own_t, from_y - y0, from_x - x0, to_y - y0, to_x - x0,
                            depth[k], deepest_of_pixel,
                        )  # fmt: skip
                        ordered[g, 4] += weight
                        ordered[g, 5] += behind
                    blends += blended
                    active[sy, sx] -= finished
                    live -= finished
        counted[entry, 0] = work
        counted[entry, 1] = subtiles
        counted[entry, 2] = tests
        counted[entry, 3] = blends
    ends[g, 1] = (x1 - x0) * (y1 - y0) - live


@njit(parallel=True)
def _stream(
    first: int, last: int, groups: Groups, subtile: int, queue_start: Array, queue: Array,
    start: Array, features: Array, tiles: Array, boxes: Array, squares: Array, sizes: Array,
    depth: Array, rule: BlendRule, colour: Array, transmittance: Array, counted: Array,
    ends: Array, ordered: Array,
) -> None:  # fmt: skip
    for g in prange(first, last):
        _stream_group(
            g, groups, subtile, queue_start, queue, start, features, tiles, boxes, squares, sizes,
            depth, rule, colour, transmittance, counted, ends, ordered,
        )  # fmt: skip
