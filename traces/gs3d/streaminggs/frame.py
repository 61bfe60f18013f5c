"""A frame streamed: grid, rays, order, filters and rendering, without judging the image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from archsim.traces.gs3d.camera import Camera
from archsim.traces.gs3d.projection import Projected, Variant
from archsim.traces.gs3d.reference import BLEND_RULES, TILE, Reference
from archsim.traces.gs3d.scene import Scene
from archsim.traces.gs3d.streaminggs.filters import Survivors, filter_visits, gaussian_extents
from archsim.traces.gs3d.streaminggs.grid import VoxelGrid, build_grid
from archsim.traces.gs3d.streaminggs.order import (
    Distances,
    VoxelQueue,
    order_voxels,
    voxel_distances,
)
from archsim.traces.gs3d.streaminggs.parameters import StreamingGsParameters
from archsim.traces.gs3d.streaminggs.rays import RayTables, group_grid, trace_rays
from archsim.traces.gs3d.streaminggs.render import Groups, Streamed, stream_groups

__all__ = ["FineView", "StreamedFrame", "Visits", "stream_frame"]

I64 = npt.NDArray[np.int64]


class FineView(NamedTuple):
    """What the fine filter sees, projected; a :class:`Reference` has both, too."""

    projected: Projected
    variant: Variant


@dataclass(frozen=True)
class Visits:
    """Voxels that groups really processed, in group order, n of them.

    Attributes
    ----------
    entry : (n,) int64
        Their entries of the voxel queue.
    group : (n,) int64
    voxel : (n,) int32
    loaded : (n,) int64
        Gaussians of the voxel.
    survivors
        What the filters kept of each.
    """

    entry: I64
    group: I64
    voxel: npt.NDArray[np.int32]
    loaded: I64
    survivors: Survivors


@dataclass(frozen=True)
class StreamedFrame:
    """All of a frame that the recorder and the studies of the algorithm look at.

    Attributes
    ----------
    grid, tables, distances, queue, groups
        The voxels, who follows whom on the rays, how far they are, and each group's order.
    streamed
        The rendered frame and its work by queue entry.
    visits
        What the groups processed, and what passed the filters.
    """

    grid: VoxelGrid
    tables: RayTables
    distances: Distances
    queue: VoxelQueue
    groups: Groups
    streamed: Streamed
    visits: Visits

    def counts(self) -> dict[str, Any]:
        """Return the frame's totals."""
        nodes, count = np.diff(self.queue.start), self.grid.count
        with_voxels = max(int((nodes > 0).sum()), 1)
        survivors = self.visits.survivors
        total = int(self.visits.loaded.sum())
        coarse, fine = int(survivors.coarse_pass.sum()), int(survivors.fine_pass.sum())
        return {
            "gaussians": int(count.sum()),
            "grid_cells": int(self.grid.cells.prod()),
            "voxels_occupied": self.grid.occupied,
            "gaussians_per_voxel_median": float(np.median(count)),
            "gaussians_per_voxel_max": int(count.max()),
            "groups": int(nodes.size),
            "groups_with_voxels": int((nodes > 0).sum()),
            "ray_steps": int(self.tables.steps.sum()),
            "voxels_queued": int(nodes.sum()),
            "visits": int(self.visits.loaded.size),
            "voxels_per_group": int(nodes.sum()) / with_voxels,
            "loaded": total,
            "loaded_per_group": total / with_voxels,
            "coarse_pass": coarse,
            "fine_pass": fine,
            "coarse_pass_fraction": coarse / max(total, 1),
            "fine_pass_fraction": fine / max(total, 1),
            "filtered_fraction": 1.0 - fine / max(total, 1),
            "lost_to_coarse_filter": int(self.streamed.lost.sum()),
            "subtile_work": int(self.streamed.subtile_work.sum()),
            "alpha_tests": int(self.streamed.alpha_tests.sum()),
            "blends": int(self.streamed.blends.sum()),
            "saturated_pixels": int(self.streamed.saturated.sum()),
            **{
                f"misordered_{by}_fraction": share
                for by, share in self.streamed.misorder.fractions().items()
            },
        }


def stream_frame(
    scene: Scene, camera: Camera, fine: Reference | FineView, parameters: StreamingGsParameters
) -> StreamedFrame:
    """Stream a frame of ``scene``, whose means and scales the coarse filter sees.

    ``fine`` is what the fine filter reads, the scene or its decoded parameters, projected.
    """
    projected = fine.projected
    grid = build_grid(scene.means, parameters.voxel_size)
    tables = trace_rays(
        grid, camera, group=parameters.group, stride=parameters.ray_stride,
        abreast=parameters.rays_abreast,
    )  # fmt: skip
    distances = voxel_distances(grid, camera)
    queue = order_voxels(tables, distances, parameters.order)
    across = group_grid(camera, parameters.group)[0]
    groups = Groups(camera.width, camera.height, *parameters.group, across, TILE)
    extents = gaussian_extents(scene, camera, projected, grid, fine.variant)
    streamed = stream_groups(
        grid, queue, projected, extents.coarse, scene.scales.max(axis=1), groups,
        BLEND_RULES[fine.variant],
    )  # fmt: skip
    nodes = np.diff(queue.start)
    group = np.repeat(np.arange(nodes.size), nodes)
    entry = np.flatnonzero(np.arange(group.size) - queue.start[group] < streamed.processed[group])
    voxel = queue.voxel[entry]
    rectangle = groups.rectangles(nodes.size)
    survivors = filter_visits(extents, grid, rectangle[group[entry]], voxel, TILE)
    visits = Visits(entry, group[entry], voxel, grid.count[voxel], survivors)
    return StreamedFrame(grid, tables, distances, queue, groups, streamed, visits)
