"""Execute StreamingGS on a frame and record what a machine must do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
import numpy.typing as npt

from archsim.base.errors import ConfigError
from archsim.traces.gs3d.camera import Camera
from archsim.traces.gs3d.images import to_uint8
from archsim.traces.gs3d.quality import compare_images
from archsim.traces.gs3d.reference import BLEND_RULES, TILE, Reference
from archsim.traces.gs3d.scene import Scene
from archsim.traces.gs3d.streaminggs.errors import SeparateErrors, render_errors
from archsim.traces.gs3d.streaminggs.filters import Survivors, filter_visits, gaussian_extents
from archsim.traces.gs3d.streaminggs.grid import VoxelGrid, build_grid
from archsim.traces.gs3d.streaminggs.order import OrderRule, order_voxels, voxel_distances
from archsim.traces.gs3d.streaminggs.rays import RayTables, group_grid, trace_rays
from archsim.traces.gs3d.streaminggs.render import (
    Groups,
    Streamed,
    gaussian_features,
    stream_groups,
)
from archsim.traces.trace import Trace

__all__ = ["KIND", "StreamingGsParameters", "record_streaminggs"]

KIND = "gs3d/streaminggs"

#: Below so many occupied voxels the grid is too coarse to say anything about streaming voxels.
_FEWEST_VOXELS = 200

_ERROR_TEXT = {
    "coverage": "only Gaussians of voxels that a ray of their pixel group crosses, in exact order",
    "order": "all Gaussians, in the order of the group's voxels instead of exact depth order",
}


@dataclass(frozen=True)
class StreamingGsParameters:
    """What the recorded work depends on besides scene and camera.

    Attributes
    ----------
    voxel_size
        Edge of a voxel in scene units, or ``extent/K`` of the scene's largest extent.
    group
        Width and height of a pixel group, multiples of 16.
    order
        ``dag`` (topological order of the rays' voxels), ``l1`` or ``l2`` (index distance).
    ray_stride
        Rays are cast through every so many pixels in x and y.
    """

    voxel_size: str | float = "extent/16"
    group: tuple[int, int] = (64, 64)
    order: OrderRule = "dag"
    ray_stride: int = 1

    def check(self) -> None:
        """Raise :class:`ConfigError` for parameters that make no sense."""
        if len(self.group) != 2 or any(side < TILE or side % TILE for side in self.group):
            raise ConfigError(
                f"a group of {tuple(self.group)} pixels is not made of {TILE}x{TILE} tiles",
                remedy=f"use multiples of {TILE}, e.g. [64, 64]",
            )
        if self.order not in get_args(OrderRule):
            raise ConfigError(f"order {self.order!r} is not known", remedy="use dag, l1 or l2")
        if not 1 <= self.ray_stride <= min(self.group):
            raise ConfigError(
                f"a ray_stride of {self.ray_stride} casts no ray in some group",
                remedy=f"use 1 to {min(self.group)}",
            )


def record_streaminggs(
    scene: Scene, camera: Camera, reference: Reference, parameters: StreamingGsParameters
) -> Trace:
    """Run StreamingGS on a frame; ``reference`` is the reference render of the same frame.

    Columns of the trace (G groups row by row, M occupied voxels, n visits in group order; a visit
    is a voxel that a group really processed, before all its pixels were saturated):

    ``voxel.count``, ``voxel.start`` : (M,) int64
        Gaussians of a voxel and its first storage position.
    ``group.rays``, ``group.ray_steps``, ``group.hits`` : (G,) int64
        Rays cast, cells they entered, occupied cells among them.
    ``group.nodes``, ``group.edges``, ``group.rounds`` : (G,) int64
        Voxels of the group, pairs that follow each other on a ray, rounds of the topological sort.
    ``group.pixels``, ``group.saturated`` : (G,) int64
        Pixels inside the image; pixels saturated at the end.
    ``group.start`` : (G + 1,) int64
        Group g's visits are ``group.start[g]:group.start[g + 1]``.
    ``visit.voxel`` : (n,) int32
    ``visit.loaded``, ``visit.coarse_pass``, ``visit.fine_pass`` : (n,) int64
        Gaussians of the voxel, and those that pass each filter.
    ``visit.subtile_work``, ``visit.subtiles``, ``visit.alpha_tests``, ``visit.blends`` : (n,) int64
        Gaussian-subtile pairs (8x8 pixels), distinct subtiles, pixels tested, pixels blended.
    ``visit.survivor_start`` : (n + 1,) int64; ``survivor.rank`` : (coarse survivors,) int32
        Positions inside the voxel of each visit's coarse survivors.
    ``image``, ``image.order``, ``image.coverage`` : (H, W, 3) uint8
        The frame, and the frame with only the named error.
    """
    parameters.check()
    rule = BLEND_RULES[reference.variant]
    projected = reference.projected
    grid = build_grid(scene.means, parameters.voxel_size)
    tables = trace_rays(grid, camera, group=parameters.group, stride=parameters.ray_stride)
    distances = voxel_distances(grid, camera)
    queue = order_voxels(tables, distances, parameters.order)
    groups = Groups(
        camera.width,
        camera.height,
        *parameters.group,
        group_grid(camera, parameters.group)[0],
        TILE,
    )
    voxel_by_gaussian = np.empty(len(scene), np.int32)
    voxel_by_gaussian[grid.order] = np.repeat(np.arange(grid.occupied, dtype=np.int32), grid.count)
    voxel_of = voxel_by_gaussian[projected.index]
    streamed = stream_groups(grid, queue, projected, voxel_of, groups, rule)
    errors = render_errors(
        queue, distances, voxel_of, gaussian_features(projected), projected.depth,
        reference.tile_start, reference.pair_visible, groups, rule,
    )  # fmt: skip

    # visits: the processed entries of the queue
    nodes = np.diff(queue.start)
    group = np.repeat(np.arange(nodes.size), nodes)
    visited = np.arange(group.size) - queue.start[group] < streamed.processed[group]
    voxel = queue.voxel[visited]
    rectangle = _rectangles(groups, nodes.size)
    extents = gaussian_extents(scene, camera, projected, grid, reference.variant)
    survivors = filter_visits(extents, grid, rectangle[group[visited]], voxel, TILE)
    loaded = grid.count[voxel]
    image = streamed.frame.over(reference.background)
    one_error = {cause: getattr(errors, cause).over(reference.background) for cause in _ERROR_TEXT}
    columns: dict[str, npt.NDArray[Any]] = {
        "voxel.count": grid.count,
        "voxel.start": grid.start[:-1],
        "group.rays": tables.rays,
        "group.ray_steps": tables.steps,
        "group.hits": tables.hits,
        "group.nodes": nodes,
        "group.edges": np.diff(tables.edge_start),
        "group.rounds": queue.rounds,
        "group.pixels": _pixels(groups, rectangle),
        "group.saturated": streamed.saturated,
        "group.start": np.concatenate([[0], np.cumsum(streamed.processed)]),
        "visit.voxel": voxel,
        "visit.loaded": loaded,
        "visit.coarse_pass": survivors.coarse_pass,
        "visit.fine_pass": survivors.fine_pass,
        "visit.subtile_work": streamed.subtile_work[visited],
        "visit.subtiles": streamed.subtiles[visited],
        "visit.alpha_tests": streamed.alpha_tests[visited],
        "visit.blends": streamed.blends[visited],
        "visit.survivor_start": survivors.start,
        "survivor.rank": survivors.rank,
        "image": to_uint8(image),
        **{f"image.{cause}": to_uint8(alone) for cause, alone in one_error.items()},
    }
    meta = {
        "parameters": {
            "voxel_size": parameters.voxel_size,
            "group": list(parameters.group),
            "order": parameters.order,
            "ray_stride": parameters.ray_stride,
        },
        "resolution": [camera.width, camera.height],
        "sh_degree": scene.sh_degree,
        "parameters_per_gaussian": scene.parameters_per_gaussian,
        "grid": {
            "cells": [int(n) for n in grid.cells],
            "voxel_size": grid.size,
            "origin": [float(x) for x in grid.origin],
            "occupied": grid.occupied,
        },
        "counts": _counts(scene, grid, tables, streamed, survivors, loaded, errors, nodes),
        "quality": _quality(image, one_error, reference.image),
        "notes": _notes(grid),
    }
    return Trace(KIND, meta, columns)


def _rectangles(groups: Groups, count: int) -> npt.NDArray[np.int64]:
    """Return x0, y0, x1, y1 of each group in pixels, not cut at the image's border."""
    g = np.arange(count)
    x0, y0 = g % groups.groups_x * groups.group_w, g // groups.groups_x * groups.group_h
    return np.stack([x0, y0, x0 + groups.group_w, y0 + groups.group_h], axis=1)


def _pixels(groups: Groups, rectangle: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    width = np.minimum(rectangle[:, 2], groups.width) - rectangle[:, 0]
    height = np.minimum(rectangle[:, 3], groups.height) - rectangle[:, 1]
    return (width * height).astype(np.int64)


def _counts(
    scene: Scene, grid: VoxelGrid, tables: RayTables, streamed: Streamed, survivors: Survivors,
    loaded: npt.NDArray[np.int64], errors: SeparateErrors, nodes: npt.NDArray[np.int64],
) -> dict[str, Any]:  # fmt: skip
    with_voxels = max(int((nodes > 0).sum()), 1)
    total = int(loaded.sum())
    coarse, fine = int(survivors.coarse_pass.sum()), int(survivors.fine_pass.sum())
    return {
        "gaussians": len(scene),
        "grid_cells": int(grid.cells.prod()),
        "voxels_occupied": grid.occupied,
        "gaussians_per_voxel_median": float(np.median(grid.count)),
        "gaussians_per_voxel_max": int(grid.count.max()),
        "groups": int(nodes.size),
        "groups_with_voxels": int((nodes > 0).sum()),
        "ray_steps": int(tables.steps.sum()),
        "voxels_queued": int(nodes.sum()),
        "visits": int(loaded.size),
        "voxels_per_group": int(nodes.sum()) / with_voxels,
        "loaded": total,
        "loaded_per_group": total / with_voxels,
        "coarse_pass": coarse,
        "fine_pass": fine,
        "coarse_pass_fraction": coarse / max(total, 1),
        "fine_pass_fraction": fine / max(total, 1),
        "filtered_fraction": 1.0 - fine / max(total, 1),
        "subtile_work": int(streamed.subtile_work.sum()),
        "alpha_tests": int(streamed.alpha_tests.sum()),
        "blends": int(streamed.blends.sum()),
        "saturated_pixels": int(streamed.saturated.sum()),
        "uncovered_pair_fraction": errors.uncovered_pairs / errors.pairs,
        "misordered_pair_fraction": errors.misordered_pairs / errors.pairs,
    }


def _quality(
    image: npt.NDArray[np.float32],
    one_error: dict[str, npt.NDArray[np.float32]],
    reference: npt.NDArray[np.float32],
) -> dict[str, Any]:
    quality = compare_images(image, reference)
    quality["errors"] = {
        cause: {**compare_images(alone, reference), "what": _ERROR_TEXT[cause]}
        for cause, alone in one_error.items()
    }
    return quality


def _notes(grid: VoxelGrid) -> list[str]:
    notes = [
        "Parameters behind the first four are stored and read uncompressed; the published machine "
        "reads them as indices into codebooks (vector quantisation), which is not modelled.",
        "The renderer is GSCore's: subtiles outside a Gaussian's box of 3 sigma miss contributions "
        "of alpha between 1/255 and 0.011. This error is in the image beside order and coverage, "
        "which are shown without it.",
    ]
    if grid.occupied < _FEWEST_VOXELS:
        notes.append(
            f"No evidence: only {grid.occupied} voxels are occupied (fewer than "
            f"{_FEWEST_VOXELS}), so filter rates and errors say little about streaming voxels; "
            "use smaller voxels."
        )
    return notes
