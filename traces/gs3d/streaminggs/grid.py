"""Uniform voxel grid over the Gaussians' centres, with empty voxels removed and renamed."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from archsim.base.errors import ConfigError, ResourceError

__all__ = ["FEWEST_VOXELS", "VoxelGrid", "build_grid", "voxel_length"]

#: Below so many occupied voxels a grid is too coarse to say anything about streaming voxels.
FEWEST_VOXELS = 200

_FRACTION = re.compile(r"^\s*extent\s*/\s*(\d+(?:\.\d*)?)\s*$")
_MOST_CELLS = 1 << 26  # the renaming table is dense: 256 MiB of int32 at this size


@dataclass(frozen=True)
class VoxelGrid:
    """N Gaussians in M occupied voxels of a uniform grid.

    A Gaussian belongs to the voxel of its centre. Occupied voxels are renamed 0..M-1 in
    increasing cell number (VID -> VIDr), and the Gaussians of one voxel are stored together.

    Attributes
    ----------
    origin : (3,) float64
        Lowest corner, the minimum of the centres.
    size
        Edge of a voxel in scene units.
    cells : (3,) int64
        Cells along x, y, z: floor(extent / size) + 1.
    rename : (cells,) int32
        Renamed voxel of cell ``(ix * ny + iy) * nz + iz``; -1 when empty.
    cell : (M,) int64
        Cell of each renamed voxel.
    order : (N,) int32
        Scene index of the Gaussian at each storage position.
    start : (M + 1,) int64
        Voxel v holds storage positions ``start[v]:start[v + 1]``.
    """

    origin: npt.NDArray[np.float64]
    size: float
    cells: npt.NDArray[np.int64]
    rename: npt.NDArray[np.int32]
    cell: npt.NDArray[np.int64]
    order: npt.NDArray[np.int32]
    start: npt.NDArray[np.int64]

    @property
    def occupied(self) -> int:
        """Number of occupied voxels, M."""
        return int(self.cell.size)

    @property
    def is_evidence(self) -> bool:
        """Whether enough voxels are occupied to say something about streaming voxels."""
        return self.occupied >= FEWEST_VOXELS

    @property
    def count(self) -> npt.NDArray[np.int64]:
        """Gaussians of each occupied voxel, shape (M,)."""
        return np.diff(self.start)

    def places(self) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
        """Return the storage position and the voxel of each Gaussian, by scene index, (N,) each."""
        position, voxel = np.empty_like(self.order), np.empty_like(self.order)
        position[self.order] = np.arange(self.order.size, dtype=np.int32)
        voxel[self.order] = np.repeat(np.arange(self.occupied, dtype=np.int32), self.count)
        return position, voxel

    def index(self) -> npt.NDArray[np.int64]:
        """Return the grid index (ix, iy, iz) of each occupied voxel, shape (M, 3)."""
        ny, nz = int(self.cells[1]), int(self.cells[2])
        return np.stack([self.cell // (ny * nz), self.cell // nz % ny, self.cell % nz], axis=1)

    def index_of(self, point: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
        """Return the (virtual) grid index of a point inside or outside the grid, shape (3,)."""
        return np.floor((point - self.origin) / self.size).astype(np.int64)


def voxel_length(voxel_size: str | float, largest_extent: float) -> float:
    """Return a voxel's edge in scene units.

    ``voxel_size`` is a length in scene units or the text ``extent/K``, the scene's largest extent
    divided by K. A scene without extent is one voxel.
    """
    remedy = "write a length in scene units, e.g. 0.5, or a fraction of the scene, e.g. extent/16"
    if isinstance(voxel_size, str):
        match = _FRACTION.match(voxel_size)
        if match is None or float(match[1]) <= 0:
            raise ConfigError(f"voxel_size {voxel_size!r} is not understood", remedy=remedy)
        return largest_extent / float(match[1]) if largest_extent > 0 else 1.0
    if not (math.isfinite(voxel_size) and voxel_size > 0):
        raise ConfigError(f"voxel_size {voxel_size!r} is not a positive length", remedy=remedy)
    return float(voxel_size)


def build_grid(means: npt.NDArray[np.float32], voxel_size: str | float) -> VoxelGrid:
    """Build the grid over centres ``means``, shape (N, 3), N >= 1.

    Raises :class:`ResourceError` for a grid of more than 2**26 cells.
    """
    lowest = means.min(axis=0).astype(np.float64)
    extent = means.max(axis=0).astype(np.float64) - lowest
    size = voxel_length(voxel_size, float(extent.max()))
    cells = np.floor(extent / size).astype(np.float64) + 1
    if float(cells.prod()) > _MOST_CELLS:
        raise ResourceError(
            f"voxel_size {voxel_size!r} makes a grid of {cells.prod():.3g} cells; "
            f"at most {_MOST_CELLS} are supported",
            remedy="use larger voxels",
        )
    nx, ny, nz = (int(n) for n in cells)
    flat = np.zeros(means.shape[0], np.int64)
    for axis, number in enumerate((nx, ny, nz)):
        index = np.floor((means[:, axis].astype(np.float64) - lowest[axis]) / size)
        flat = flat * number + index.astype(np.int64)
    order = np.argsort(flat, kind="stable").astype(np.int32)
    count = np.bincount(flat, minlength=nx * ny * nz)
    cell = np.flatnonzero(count)
    rename = np.full(nx * ny * nz, -1, np.int32)
    rename[cell] = np.arange(cell.size, dtype=np.int32)
    start = np.concatenate([[0], np.cumsum(count[cell])]).astype(np.int64)
    return VoxelGrid(lowest, size, cells.astype(np.int64), rename, cell, order, start)
