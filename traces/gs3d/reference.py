"""The reference renderer: what a 3DGS rasteriser computes, and the work it does per tile.

Every method's image is compared with it, and the tile-raster method is it. Counts follow a GPU
block of 16 x 16 threads, one per pixel: a pixel tests the entries of its tile's list until it is
done, the block stops when all its pixels are, and a warp of 32 threads (two rows) works as long
as one of its lanes does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from archsim.base.errors import InputError, ResourceError
from archsim.base.jit import njit, prange
from archsim.base.units import format_quantity
from archsim.traces.gs3d.blend import (
    GSPLAT_RULE,
    INRIA_RULE,
    BlendRule,
    alpha_reach,
    blend_row,
    row_interval,
)
from archsim.traces.gs3d.camera import Camera
from archsim.traces.gs3d.memory import default_memory_limit_bytes
from archsim.traces.gs3d.projection import Projected, Variant, project
from archsim.traces.gs3d.scene import Scene
from archsim.traces.gs3d.sorting import tile_lists

__all__ = [
    "BLEND_RULES",
    "TILE",
    "WARP",
    "Reference",
    "TileCounts",
    "project_visible",
    "render_reference",
]

Array = npt.NDArray[Any]

#: Side of a tile in pixels: the block of INRIA's and gsplat's rasterisers.
TILE = 16
#: Threads of a warp: two rows of a tile.
WARP = 32

BLEND_RULES: dict[Variant, BlendRule] = {"inria": INRIA_RULE, "gsplat": GSPLAT_RULE}

_PAIRS_PER_CALL = 100_000  # about 0.1 s on one core between two returns to Python
_PAIR_BYTES = 5  # of a list entry: int32, and whether it blends
_PROJECTION_SHARE = 0.3  # of the progress shown


@dataclass(frozen=True)
class TileCounts:
    """Work per tile, each (T,) int64, tiles row by row.

    Attributes
    ----------
    pairs
        Length of the list.
    consumed
        Entries until no pixel of the block was left, or the list's length.
    alpha_tests
        Sum over pixels of the entries tested until done.
    alpha_passed
        Tests with power <= 0 and alpha >= 1/255.
    blends
        Passed tests that added to the pixel.
    saturated
        Pixels done before the list's end, by transmittance.
    warp_iterations
        Sum over warps of the entries until all the warp's lanes were done.
    warp_blend_iterations
        Those in which at least one lane blended.
    """

    pairs: npt.NDArray[np.int64]
    consumed: npt.NDArray[np.int64]
    alpha_tests: npt.NDArray[np.int64]
    alpha_passed: npt.NDArray[np.int64]
    blends: npt.NDArray[np.int64]
    saturated: npt.NDArray[np.int64]
    warp_iterations: npt.NDArray[np.int64]
    warp_blend_iterations: npt.NDArray[np.int64]

    def totals(self) -> dict[str, int]:
        """Return the sum over all tiles of each count."""
        return {name: int(column.sum()) for name, column in vars(self).items()}


@dataclass(frozen=True)
class Reference:
    """A rendered frame and what it took.

    Attributes
    ----------
    image : (H, W, 3) float32
        Colour over the background; may exceed 1, as colours of spherical harmonics may.
    transmittance : (H, W) float32
        What is left of the background.
    projected
        The V visible Gaussians.
    tile_start : (T + 1,) int64
    pair_visible : (D,) int32
        Lists of the tiles, see :func:`archsim.traces.gs3d.sorting.tile_lists`.
    pair_blended : (D,) uint8
        1 where an entry adds to at least one pixel of its tile: only its colour is needed.
    tiles_x, tiles_y
        Tile grid, T = tiles_x * tiles_y.
    counts
        Work per tile.
    variant, background
        As asked for.
    """

    image: npt.NDArray[np.float32]
    transmittance: npt.NDArray[np.float32]
    projected: Projected
    tile_start: npt.NDArray[np.int64]
    pair_visible: npt.NDArray[np.int32]
    pair_blended: npt.NDArray[np.uint8]
    tiles_x: int
    tiles_y: int
    counts: TileCounts
    variant: Variant
    background: tuple[float, float, float]


def render_reference(
    scene: Scene,
    camera: Camera,
    *,
    variant: Variant = "inria",
    background: tuple[float, float, float] = (0.0, 0.0, 0.0),
    progress: Callable[[float], None] | None = None,
) -> Reference:
    """Render a frame; the result does not depend on the number of threads.

    Raises, with the camera's name, :class:`InputError` when no Gaussian is visible and
    :class:`ResourceError` when the tiles' lists do not fit the memory. ``progress`` is called
    with the finished share, 0 to 1.
    """
    width, height = camera.width, camera.height
    projected = project_visible(
        scene, camera, variant,
        None if progress is None else lambda share: progress(share * _PROJECTION_SHARE),
    )  # fmt: skip
    _check_pairs(projected, camera)
    tiles_x, tiles_y = -(-width // TILE), -(-height // TILE)
    tile_start, pair_visible = tile_lists(projected, tiles_x, tiles_y)
    image = np.zeros((height, width, 3), np.float32)
    transmittance = np.ones((height, width), np.float32)
    done = np.zeros((height, width), np.uint8)
    counted = np.zeros((tiles_x * tiles_y, 7), np.int64)
    blended = np.zeros(pair_visible.size, np.uint8)
    features = np.concatenate(
        [projected.mean2d, projected.conic, projected.opacity[:, None], projected.rgb], axis=1
    )  # one Gaussian in one cache line: lists visit them in an order of their own
    for first, last in _batches(tile_start, _PAIRS_PER_CALL):
        _render_tiles(
            first, last, tiles_x, TILE, WARP // TILE, tile_start, pair_visible, features,
            BLEND_RULES[variant], transmittance, image, done, counted, blended,
        )  # fmt: skip
        if progress is not None:
            progress(_PROJECTION_SHARE + (1.0 - _PROJECTION_SHARE) * last / (tiles_x * tiles_y))
    image += transmittance[:, :, None] * np.asarray(background, np.float32)
    counts = TileCounts(np.diff(tile_start), *(np.ascontiguousarray(c) for c in counted.T))
    return Reference(
        image, transmittance, projected, tile_start, pair_visible, blended, tiles_x, tiles_y,
        counts, variant, background,
    )  # fmt: skip


def project_visible(
    scene: Scene, camera: Camera, variant: Variant,
    progress: Callable[[float], None] | None = None,
) -> Projected:  # fmt: skip
    """Return what :func:`render_reference` blends; its error when no Gaussian is visible."""
    projected = project(scene, camera, variant=variant, tile=TILE, progress=progress)
    if len(projected) == 0:
        raise InputError(
            f"none of the {len(scene)} Gaussians of {scene.name} is visible",
            place=f"camera {camera.name}",
            remedy="move or turn the camera so that it sees the scene (x right, y down, z forward)",
        )
    return projected


def _check_pairs(projected: Projected, camera: Camera) -> None:
    """Refuse lists that cannot be held: a camera inside large Gaussians may see billions."""
    x0, y0, x1, y1 = projected.tile_rect.T
    pairs = int(np.sum((x1 - x0) * (y1 - y0), dtype=np.int64))
    limit = default_memory_limit_bytes()
    if pairs * _PAIR_BYTES > limit:
        raise ResourceError(
            f"{len(projected)} visible Gaussians make {pairs} Gaussian-tile pairs, which need "
            f"{format_quantity(pairs * _PAIR_BYTES, 'B')}; allowed are "
            f"{format_quantity(limit, 'B')}",
            place=f"camera {camera.name}",
            remedy="move the camera away from the scene, lower the resolution or choose a "
            "coarser level of detail",
        )


def _batches(tile_start: npt.NDArray[np.int64], pairs: int) -> list[tuple[int, int]]:
    """Return ranges of tiles of about so many pairs each."""
    cuts = np.searchsorted(tile_start, np.arange(pairs, int(tile_start[-1]), pairs))
    edges = np.unique(np.concatenate([[0], cuts, [len(tile_start) - 1]])).tolist()
    return list(pairwise(edges))


@njit(parallel=True)
def _render_tiles(
    first: int, last: int, tiles_x: int, tile: int, rows_per_warp: int, tile_start: Array,
    pair_visible: Array, features: Array, rule: BlendRule, transmittance: Array, image: Array,
    done: Array, counted: Array, blended: Array,
) -> None:  # fmt: skip
    for number in prange(first, last):
        _render_tile(
            (number % tiles_x) * tile, (number // tiles_x) * tile, tile, rows_per_warp,
            pair_visible[tile_start[number] : tile_start[number + 1]], features, rule,
            transmittance, image, done, counted[number],
            blended[tile_start[number] : tile_start[number + 1]],
        )  # fmt: skip


@njit()
def _render_tile(
    x0: int, y0: int, tile: int, rows_per_warp: int, entries: Array, features: Array,
    rule: BlendRule, transmittance: Array, image: Array, done: Array, counted: Array,
    blended: Array,
) -> None:  # fmt: skip
    """Blend a tile's list; ``counted`` takes the counts from ``consumed`` on.

    ``blended`` becomes 1 for the entries that add to a pixel.
    """
    x1, y1 = min(x0 + tile, image.shape[1]), min(y0 + tile, image.shape[0])
    warps = -(-(y1 - y0) // rows_per_warp)
    active = (x1 - x0) * (y1 - y0)
    live_warps = warps
    warp_active = np.zeros(warps, np.int64)
    for y in range(y0, y1):
        warp_active[(y - y0) // rows_per_warp] += x1 - x0
    consumed = tests = passed = blends = finished = warp_iterations = warp_blends = 0
    for place in range(entries.shape[0]):
        v = entries[place]
        if active == 0:
            break
        consumed += 1
        tests += active
        warp_iterations += live_warps
        opacity = features[v, 5]
        reach = alpha_reach(opacity, rule.alpha_min)
        first, last = row_interval(
            y0, y1, features[v, 1], features[v, 2], features[v, 3], features[v, 4], reach, rule
        )
        blending_warp = -1
        for y in range(first, last):
            row_passed, row_blends, row_finished = blend_row(
                y, x0, x1, 0, 0, features[v, 0], features[v, 1], features[v, 2], features[v, 3],
                features[v, 4], reach, opacity, features[v, 6], features[v, 7], features[v, 8],
                transmittance, image, done, rule,
            )  # fmt: skip
            warp = (y - y0) // rows_per_warp
            passed += row_passed
            blends += row_blends
            if row_blends > 0 and blending_warp != warp:
                blending_warp = warp
                warp_blends += 1
                blended[place] = 1
            if row_finished > 0:
                finished += row_finished
                active -= row_finished
                warp_active[warp] -= row_finished
                live_warps -= warp_active[warp] == 0
    counted[0], counted[1], counted[2], counted[3] = consumed, tests, passed, blends
    counted[4], counted[5], counted[6] = finished, warp_iterations, warp_blends
