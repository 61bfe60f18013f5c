"""Renders a frame the way GSCore does and records the work."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from archsim.base.errors import InputError
from archsim.traces.gs3d.blend import INRIA_RULE
from archsim.traces.gs3d.camera import Camera
from archsim.traces.gs3d.gscore.raster import BUCKET_COUNTS, TILE_COUNTS, render_tiles
from archsim.traces.gs3d.gscore.shape import candidate_bitmaps, scatter_pairs
from archsim.traces.gs3d.gscore.sort import PIVOTS, depth_keys
from archsim.traces.gs3d.images import to_uint8
from archsim.traces.gs3d.projection import Projected
from archsim.traces.gs3d.quality import compare_images, error_map
from archsim.traces.gs3d.reference import TILE, Reference
from archsim.traces.gs3d.scene import Scene
from archsim.traces.trace import Trace

__all__ = ["CHUNK_GAUSSIANS", "TRACE_KIND", "GscoreFrame", "GscoreParameters", "record_gscore",
           "render_gscore"]  # fmt: skip

TRACE_KIND = "gs3d/gscore"
#: Gaussians of one row of the ``chunk.*`` columns.
CHUNK_GAUSSIANS = 1024

Array = npt.NDArray[Any]

_LARGEST_KEY = np.uint64(0xFFFFFFFFFFFFFFFF)
# about 0.1 s on one core between two returns to Python
_PAIRS_PER_CALL = 100_000
_CANDIDATES_PER_CALL = 1_000_000


@dataclass(frozen=True)
class GscoreParameters:
    """What the trace depends on beside the scene and the camera.

    Attributes
    ----------
    subtile
        Side of a subtile in pixels; 8 makes the 2 x 2 subtiles (4-bit bitmap) of a public port of
        GSCore's stages and fits its 16-VRU cores with four pixels per VRU (second-hand); a public
        re-implementation uses 4.
    chunk
        Most entries of a precisely sorted chunk: 256 (public re-implementation, Neo; second-hand).
    obb_min_aspect
        Ratio of the principal axes above which the oriented box is tested: 2 (public
        re-implementation; that there is such a threshold also by public notes on the paper).
    obb_sigmas
        Extent of the oriented box along each axis: 3 (second-hand).
    """

    subtile: Literal[4, 8, 16] = 8
    chunk: int = 256
    obb_min_aspect: float = 2.0
    obb_sigmas: float = 3.0


@dataclass(frozen=True)
class GscoreFrame:
    """A frame rendered with GSCore's rules, and its work.

    Attributes
    ----------
    image : (H, W, 3) float32
    tile_start : (T + 1,) int64; pair_visible : (D,) int32; pair_bitmap : (D,) uint16
        The tiles' lists in depth order: positions among the visible Gaussians, subtile bits.
    pair_slot : (D,) int32
        In order of Gaussian and tile: the position in the unsorted lists each pair is written to.
    pairs_before : (V + 1,) int64
        Pairs of all earlier visible Gaussians.
    candidates_before : (V + 1,) int64
        Candidate tiles (tiles of the axis-aligned box) of all earlier visible Gaussians.
    tile_counted : (T, 9) int64
        Columns :data:`~archsim.traces.gs3d.gscore.raster.TILE_COUNTS`.
    bucket_counted : (B, 4) int32
        Depth chunks of all tiles, columns :data:`~archsim.traces.gs3d.gscore.raster.BUCKET_COUNTS`.
    oriented
        Gaussians tested with an oriented box.
    """

    image: npt.NDArray[np.float32]
    tile_start: npt.NDArray[np.int64]
    pair_visible: npt.NDArray[np.int32]
    pair_bitmap: npt.NDArray[np.uint16]
    pair_slot: npt.NDArray[np.int32]
    pairs_before: npt.NDArray[np.int64]
    candidates_before: npt.NDArray[np.int64]
    tile_counted: npt.NDArray[np.int64]
    bucket_counted: npt.NDArray[np.int32]
    oriented: int


def render_gscore(
    projected: Projected, width: int, height: int, parameters: GscoreParameters, *,
    background: tuple[float, float, float] = (0.0, 0.0, 0.0),
    progress: Callable[[float], None] | None = None,
) -> GscoreFrame:  # fmt: skip
    """Render projected Gaussians (INRIA semantics, tiles of 16) with GSCore's rules.

    The result does not depend on the number of threads. ``progress`` is called with the finished
    share, 0 to 1.
    """
    tiles_x, tiles_y = -(-width // TILE), -(-height // TILE)
    tiles = tiles_x * tiles_y
    rect = projected.tile_rect.astype(np.int64)
    candidates = (rect[:, 2] - rect[:, 0]) * (rect[:, 3] - rect[:, 1])
    candidates_before = np.concatenate([[0], np.cumsum(candidates)])
    bitmap = np.zeros(int(candidates_before[-1]), np.uint16)
    lengths = np.zeros(tiles, np.int64)
    oriented = 0
    for first, last in _batches(candidates_before, _CANDIDATES_PER_CALL):
        oriented += candidate_bitmaps(
            first, last, projected.mean2d, projected.cov2d, projected.radius, projected.tile_rect,
            TILE, parameters.subtile, parameters.obb_min_aspect, parameters.obb_sigmas, tiles_x,
            int(candidates_before[first]), bitmap, lengths,
        )  # fmt: skip
    tile_start = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    pairs = int(tile_start[-1])
    pairs_before = np.zeros(len(rect) + 1, np.int64)
    pair_slot, pair_visible = np.empty(pairs, np.int32), np.empty(pairs, np.int32)
    pair_bitmap = np.empty(pairs, np.uint16)
    scatter_pairs(
        projected.tile_rect, bitmap, tiles_x, tile_start[:-1].copy(), pairs_before, pair_slot,
        pair_visible, pair_bitmap,
    )  # fmt: skip

    image = np.zeros((height, width, 3), np.float32)
    transmittance = np.ones((height, width), np.float32)
    done = np.zeros((height, width), np.uint8)
    tile_counted = np.zeros((tiles, len(TILE_COUNTS)), np.int64)
    bucket_counted = np.zeros((pairs, len(BUCKET_COUNTS)), np.int32)
    key = depth_keys(projected.depth[pair_visible], pair_visible)
    features = np.concatenate(
        [projected.mean2d, projected.conic, projected.opacity[:, None], projected.rgb], axis=1
    )
    for first, last in _batches(tile_start, _PAIRS_PER_CALL):
        render_tiles(
            first, last, tiles_x, TILE, parameters.subtile, parameters.chunk, PIVOTS, _LARGEST_KEY,
            tile_start, key, pair_bitmap, features, INRIA_RULE, transmittance, image, done,
            tile_counted, bucket_counted,
        )  # fmt: skip
        if progress is not None:
            progress(last / tiles)
    image += transmittance[:, :, None] * np.asarray(background, np.float32)
    return GscoreFrame(
        image, tile_start, (key & np.uint64(0xFFFFFFFF)).astype(np.int32), pair_bitmap, pair_slot,
        pairs_before, candidates_before, tile_counted, bucket_counted[bucket_counted[:, 0] > 0],
        oriented,
    )  # fmt: skip


def _batches(items_before: npt.NDArray[np.int64], items: int) -> list[tuple[int, int]]:
    """Return ranges of rows of about so many items each."""
    cuts = np.searchsorted(items_before, np.arange(items, int(items_before[-1]), items))
    edges = np.unique(np.concatenate([[0], cuts, [len(items_before) - 1]])).tolist()
    return list(pairwise(edges))


def record_gscore(
    scene: Scene, camera: Camera, reference: Reference, parameters: GscoreParameters, *,
    progress: Callable[[float], None] | None = None,
) -> Trace:  # fmt: skip
    """Execute GSCore's algorithm on a frame and record it as a trace of kind ``gs3d/gscore``.

    Columns, beside ``image``, (H, W, 3) uint8:

    ``chunk.*``
        Per 1024 Gaussians in memory order: ``gaussians``, ``visible``, ``tests`` (candidate
        tiles of the visible ones), ``pairs``.
    ``tile.*``
        Per tile, row by row: ``pairs``, ``consumed`` (entries until no pixel was left),
        ``subtile_entries`` (set bits of the list), ``subtile_work`` ((Gaussian, subtile) processed
        after skipping and early termination), ``alpha_tests`` (their pixels not done),
        ``alpha_passed``, ``blends``, ``sort_passes`` and ``sort_moved`` (pivot passes and the
        entries they moved), ``buckets`` (depth chunks).
        ``tile.start``, (T + 1,): where the list begins among the pairs.
    ``bucket.*``
        Per depth chunk, by tile and depth: ``entries``, ``consumed``, ``subtile_work``,
        ``alpha_tests``.
    ``pair.*``
        ``gaussian``: position among the visible Gaussians, by tile and depth; ``slot``: in order
        of Gaussian and tile, the position in the unsorted lists that the pair is written to.

    Raises :class:`InputError` for a reference of other than INRIA's semantics.
    """
    if reference.variant != "inria":
        raise InputError(
            f"GSCore renders with INRIA's semantics, the reference has {reference.variant!r}",
            place=f"camera {camera.name}",
            remedy="render the reference with the variant 'inria'",
        )
    projected = reference.projected
    frame = render_gscore(
        projected, camera.width, camera.height, parameters,
        background=reference.background, progress=progress,
    )  # fmt: skip
    tiles = {name: frame.tile_counted[:, i] for i, name in enumerate(TILE_COUNTS)}
    tiles = {"pairs": np.diff(frame.tile_start), **tiles}
    counts = {name: int(column.sum()) for name, column in tiles.items()}
    counts |= {
        "gaussians": len(scene),
        "visible": len(projected),
        "candidates": int(frame.candidates_before[-1]),
        "oriented_tests": frame.oriented,
        "tiles": len(frame.tile_counted),
        "empty_tiles": int((tiles["pairs"] == 0).sum()),
    }
    columns: dict[str, Array] = {
        "image": to_uint8(frame.image),
        "error": error_map(frame.image, reference.image),
        "tile.start": frame.tile_start,
    }
    columns |= {f"chunk.{name}": column for name, column in _by_chunk(len(scene), projected, frame)}
    columns |= {f"tile.{name}": np.ascontiguousarray(column) for name, column in tiles.items()}
    columns |= {
        f"bucket.{name}": np.ascontiguousarray(frame.bucket_counted[:, i])
        for i, name in enumerate(BUCKET_COUNTS)
    }
    columns |= {"pair.gaussian": frame.pair_visible, "pair.slot": frame.pair_slot}
    meta = {
        "width": camera.width,
        "height": camera.height,
        "tile": TILE,
        "parameters": asdict(parameters),
        "parameters_per_gaussian": scene.parameters_per_gaussian,
        "counts": counts,
        "quality": {**compare_images(frame.image, reference.image), "errors": {}},
        "notes": _NOTES,
    }
    return Trace(TRACE_KIND, meta, columns)


_NOTES = [
    "GSCore's boxes end at 3 sigma: a subtile outside misses contributions of alpha between 1/255 "
    "and 0.011 that INRIA's whole-tile test keeps.",
]


def _by_chunk(gaussians: int, projected: Projected, frame: GscoreFrame) -> list[tuple[str, Array]]:
    """Return the ``chunk.*`` columns: totals per 1024 Gaussians in memory order."""
    edges = np.append(np.arange(0, gaussians, CHUNK_GAUSSIANS), gaussians)
    visible = np.searchsorted(projected.index, edges)  # the index ascends
    return [
        ("gaussians", np.diff(edges)),
        ("visible", np.diff(visible)),
        ("tests", np.diff(frame.candidates_before[visible])),
        ("pairs", np.diff(frame.pairs_before[visible])),
    ]
