"""StreamingGS's voxel grids on real scenes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from archsim.sim.validation.checks import Check
from archsim.sim.validation.figures import figures
from archsim.sim.validation.inputs import Inputs
from archsim.sim.validation.row import Row
from archsim.traces.gs3d.formats import load_scene_file
from archsim.traces.gs3d.streaminggs.grid import VoxelGrid, build_grid

__all__ = ["CHECKS"]

_PART = "streaminggs"


def _quantity(grid: VoxelGrid, name: str) -> float:
    if name == "grid cells":
        return float(grid.cells.prod())
    if name == "occupied voxels":
        return float(grid.occupied)
    if name == "Gaussians of the median voxel":
        return float(np.median(grid.count))
    if name == "Gaussians of the fullest voxel":
        return float(grid.count.max())
    raise ValueError(f"no quantity {name!r} of a voxel grid")


def grids(inputs: Inputs) -> Iterator[Row]:
    """Yield the sizes of the grids; a case reads ``<scene> at <voxel size>``."""
    known = figures()
    means: dict[str, np.ndarray] = {}
    built: dict[str, VoxelGrid] = {}
    for figure in known.of(_PART):
        scene, voxel_size = figure.case.split(" at ")
        if scene not in means:
            inputs.progress(f"{_PART}: {scene}")
            folder = inputs.path(f"gs3d/playcanvas/{scene}")
            lod = 0 if (folder / "lod-meta.json").exists() else None
            means[scene] = load_scene_file(folder, lod).means
        if figure.case not in built:
            built[figure.case] = build_grid(means[scene], voxel_size)
        yield known.compare(figure, _quantity(built[figure.case], figure.quantity))


CHECKS = (Check(_PART, "voxel grids of real scenes", grids),)
