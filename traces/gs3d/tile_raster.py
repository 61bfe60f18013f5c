"""Tile raster: the kernels of INRIA's rasteriser, executed and counted.

The method is the reference renderer itself (Kerbl et al. 2023; diff-gaussian-rasterization):
preprocess, inclusive sum, duplicate with keys, radix sort, tile ranges, render. Its image is the
reference image, exact by construction; the trace holds the work of each kernel.

Rows: N Gaussians in blocks of 256 threads, V visible, D Gaussian-tile pairs, T tiles row by row.

==============================  =====  =============================================================
column                          rows   meaning
==============================  =====  =============================================================
``block.in_front``              N/256  preprocess: past the near plane (scale, rotation read)
``block.visible``               N/256  those that touch a tile (SH read, intermediates written)
``block.pairs``                 N/256  tiles that they touch (duplicate: key-value pairs written)
``visible.index``               V      int32, position in the scene
``pair.gaussian``               D      int32, position among the visible, by tile and depth
``pair.blended``                D      uint8, 1 where it adds to a pixel of the tile (colour read)
``tile.start``                  T + 1  list of tile t: ``pair.gaussian[start[t] : start[t + 1]]``
``tile.pairs``                  T      length of the list
``tile.consumed``               T      entries until no pixel of the block was left
``tile.fetched``                T      entries loaded: consumed in whole batches of 256, or the list
``tile.alpha_tests``            T      sum over pixels of the entries tested
``tile.alpha_passed``           T      tests with alpha >= 1/255
``tile.blends``                 T      tests that added to a pixel
``tile.saturated``              T      pixels that ended by transmittance
``tile.warp_iterations``        T      sum over warps of the entries until all 32 lanes were done
``tile.warp_blend_iterations``  T      those in which at least one lane blended
``image``                       H,W,3  uint8, the frame
==============================  =====  =============================================================

Counts are int64. ``meta`` holds ``gaussians``, ``in_front``, ``visible``, ``pairs``,
``width``, ``height``, ``tile``, ``tiles_x``, ``tiles_y``, ``warp``, ``threads_per_block``,
``sh_degree``, ``parameters_per_gaussian``, ``key_bits`` (32 of depth and those of the tile),
``sort_passes`` of 8 bits, ``variant``, ``quality`` and ``counts`` (the totals, for reports).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from archsim.base.jit import njit
from archsim.traces.gs3d.camera import Camera
from archsim.traces.gs3d.images import to_uint8
from archsim.traces.gs3d.projection import RULES
from archsim.traces.gs3d.reference import TILE, WARP, Reference
from archsim.traces.gs3d.scene import Scene
from archsim.traces.trace import Trace

__all__ = ["KIND", "record_tile_raster"]

KIND = "gs3d/tile-raster"

_BLOCK = 256  # threads of a block in every kernel, and entries of a batch in render
_DEPTH_BITS = 32
_DIGIT_BITS = 8  # of a radix sort pass (CUB)

Array = npt.NDArray[Any]


def record_tile_raster(scene: Scene, camera: Camera, reference: Reference) -> Trace:
    """Record the work of the tile rasteriser for the frame that ``reference`` rendered."""
    projected, counts = reference.projected, reference.counts
    blocks = _count_blocks(
        scene.means, np.ascontiguousarray(camera.world_to_camera[2], dtype=np.float64),
        RULES[reference.variant].near, _BLOCK, projected.index, projected.tile_rect,
    )  # fmt: skip
    fetched = np.minimum(counts.pairs, -(-counts.consumed // _BLOCK) * _BLOCK)
    key_bits = _DEPTH_BITS + (reference.tiles_x * reference.tiles_y).bit_length()
    totals = {
        "gaussians": len(scene),
        "in_front": int(blocks[0].sum()),
        "visible": len(projected),
        **counts.totals(),
        "fetched": int(fetched.sum()),
        "colour_reads": int(np.count_nonzero(reference.pair_blended)),
        "pixels": camera.width * camera.height,
        "tiles": reference.tiles_x * reference.tiles_y,
        "tiles_with_pairs": int(np.count_nonzero(counts.pairs)),
        "longest_list": int(counts.pairs.max()),
    }
    meta: dict[str, Any] = {
        "gaussians": len(scene),
        "in_front": totals["in_front"],
        "visible": len(projected),
        "pairs": totals["pairs"],
        "width": camera.width,
        "height": camera.height,
        "tile": TILE,
        "tiles_x": reference.tiles_x,
        "tiles_y": reference.tiles_y,
        "warp": WARP,
        "threads_per_block": _BLOCK,
        "sh_degree": scene.sh_degree,
        "parameters_per_gaussian": scene.parameters_per_gaussian,
        "key_bits": key_bits,
        "sort_passes": -(-key_bits // _DIGIT_BITS),
        "variant": reference.variant,
        "quality": {"exact": True, "psnr_db": None, "ssim": 1.0, "errors": {}},
        "counts": totals,
    }
    columns = {
        "block.in_front": blocks[0],
        "block.visible": blocks[1],
        "block.pairs": blocks[2],
        "visible.index": projected.index,
        "pair.gaussian": reference.pair_visible,
        "pair.blended": reference.pair_blended,
        "tile.start": reference.tile_start,
        "tile.fetched": fetched,
        **{f"tile.{name}": column for name, column in vars(counts).items()},
        "image": to_uint8(reference.image),
    }
    return Trace(KIND, meta, columns)


@njit()
def _count_blocks(
    means: Array, depth_row: Array, near: float, block: int, index: Array, rects: Array
) -> Array:
    """Return per block of Gaussians: past the near plane, visible, touched tiles; (3, blocks)."""
    count = means.shape[0]
    found = np.zeros((3, -(-count // block)), np.int64)
    for i in range(count):
        z = depth_row[0] * means[i, 0] + depth_row[1] * means[i, 1] + depth_row[2] * means[i, 2]
        found[0, i // block] += z + depth_row[3] > near
    for v in range(index.shape[0]):
        found[1, index[v] // block] += 1
        touched = (rects[v, 2] - rects[v, 0]) * (rects[v, 3] - rects[v, 1])
        found[2, index[v] // block] += touched
    return found
