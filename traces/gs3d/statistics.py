"""Statistics of a scene that decide how hard it is to render: sizes, shapes, opacities, density."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from archsim.traces.gs3d.memory import scene_bytes
from archsim.traces.gs3d.scene import Scene

__all__ = [
    "PERCENTILES",
    "VOXELS_PER_EXTENT",
    "SceneStatistics",
    "scene_statistics",
    "scene_warnings",
]

#: Bounds this many times larger than the 1st to 99th percentiles are damage, not background:
#: trained scenes with a sky stay below a thousand.
_ABSURD = 1e5

#: Percentiles reported of every distribution.
PERCENTILES = (1, 10, 50, 90, 99)

#: Voxel size of the density figures: the largest extent divided by this.
VOXELS_PER_EXTENT = 16


@dataclass(frozen=True)
class SceneStatistics:
    """What ``archsim scene info`` shows. Lengths are in scene units.

    Attributes
    ----------
    gaussians, sh_degree, memory_bytes
        N, degree of the spherical harmonics, bytes of the activated float32 parameters.
    bounds_low, bounds_high
        Smallest and largest centre per axis.
    core_low, core_high
        1st and 99th percentile of the centres per axis: the extent without stray Gaussians.
    scale : percentiles of the geometric mean of a Gaussian's three standard deviations.
    scale_share : the same divided by the largest core extent (comparable between scenes).
    anisotropy : percentiles of largest over smallest standard deviation.
    elongation : percentiles of largest over middle standard deviation (1 is a disc).
    opacity : percentiles of the opacity.
    voxel_size, voxels, occupied_voxels
        Grid over the bounds with largest extent / 16, its cells, and those with a centre.
    per_voxel : percentiles of Gaussians per occupied voxel, and ``max``.
    """

    gaussians: int
    sh_degree: int
    memory_bytes: int
    bounds_low: tuple[float, float, float]
    bounds_high: tuple[float, float, float]
    core_low: tuple[float, float, float]
    core_high: tuple[float, float, float]
    scale: dict[str, float]
    scale_share: dict[str, float]
    anisotropy: dict[str, float]
    elongation: dict[str, float]
    opacity: dict[str, float]
    voxel_size: float
    voxels: int
    occupied_voxels: int
    per_voxel: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON-able data."""
        return asdict(self)


def scene_statistics(scene: Scene) -> SceneStatistics:
    """Return the statistics of a scene of at least one Gaussian."""
    low, high = scene.means.min(axis=0), scene.means.max(axis=0)
    core_low, core_high = np.percentile(scene.means, (1, 99), axis=0)
    core = float(np.max(core_high - core_low)) or 1.0
    axes = np.sort(scene.scales, axis=1).astype(np.float64)
    mean_scale = np.exp(np.log(axes).mean(axis=1))
    voxel, voxels, counts = _voxels(scene.means)
    return SceneStatistics(
        gaussians=len(scene),
        sh_degree=scene.sh_degree,
        memory_bytes=scene_bytes(len(scene), scene.sh_degree),
        bounds_low=_three(low),
        bounds_high=_three(high),
        core_low=_three(core_low),
        core_high=_three(core_high),
        scale=_percentiles(mean_scale),
        scale_share=_percentiles(mean_scale / core),
        anisotropy=_percentiles(axes[:, 2] / axes[:, 0]),
        elongation=_percentiles(axes[:, 2] / axes[:, 1]),
        opacity=_percentiles(scene.opacities),
        voxel_size=voxel,
        voxels=voxels,
        occupied_voxels=len(counts),
        per_voxel={**_percentiles(counts), "max": float(counts.max())},
    )


def scene_warnings(scene: Scene) -> list[str]:
    """Return what a user should know before trusting results of this scene.

    That it was pruned and what that cost, and absurd outliers.
    """
    return [*_pruning(scene), *_outliers(scene)]


def _pruning(scene: Scene) -> list[str]:
    if "pruned_by" not in scene.source:
        return []
    facts = scene.source
    return [
        f"{len(scene):,} of {facts['pruned_from_gaussians']:,} Gaussians, chosen by "
        f"{facts['pruned_by']} without retraining: {facts['pruned_psnr_db']:.2f} dB against the "
        f"unpruned scene on {facts['pruned_judged_on_views']} views that chose nothing; quality "
        "below is against the pruned scene"
    ]


def _outliers(scene: Scene) -> list[str]:
    low, high = np.percentile(scene.means.astype(np.float64), (1, 99), axis=0)
    core = float(np.max(high - low))
    away = np.maximum(low - scene.means, scene.means - high).max(axis=1)
    outliers = np.flatnonzero(away > _ABSURD * core)
    if core == 0 or not outliers.size:
        return []
    first = int(outliers[0])
    where = ", ".join(f"{v:g}" for v in scene.means[first])
    return [
        f"{outliers.size:,} of {len(scene):,} Gaussians lie more than {_ABSURD:g} times the "
        f"scene's extent outside it, the first is number {first} at ({where}): grids over the "
        "whole scene are spoilt; remove them"
    ]


def _voxels(means: npt.NDArray[np.float32]) -> tuple[float, int, npt.NDArray[np.int64]]:
    """Return voxel size, cells of the grid, and Gaussians in each occupied cell."""
    low = means.min(axis=0).astype(np.float64)
    extent = means.max(axis=0) - low
    size = float(extent.max()) / VOXELS_PER_EXTENT or 1.0
    dims = (extent // size).astype(np.int64) + 1
    cell = np.minimum(((means - low) / size).astype(np.int64), dims - 1)
    flat = (cell[:, 0] * dims[1] + cell[:, 1]) * dims[2] + cell[:, 2]
    _, counts = np.unique(flat, return_counts=True)
    return size, int(dims.prod()), counts


def _percentiles(values: npt.NDArray[Any]) -> dict[str, float]:
    found = np.percentile(values, PERCENTILES)
    return {f"p{p}": float(v) for p, v in zip(PERCENTILES, found)}


def _three(values: npt.NDArray[Any]) -> tuple[float, float, float]:
    x, y, z = (float(v) for v in values)
    return x, y, z
