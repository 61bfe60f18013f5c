"""A scene as the hardware stores it: records, directory, renaming table and codebooks.

The codebooks are the functional model's (:mod:`archsim.traces.gs3d.streaminggs.codebooks`). The
decoded scene, what these bits mean, is what a float renderer must be given to judge arithmetic
alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from archsim.base.errors import ConfigError
from archsim.rtl.format import FLOAT, Q
from archsim.rtl.parameters import Parameters
from archsim.traces.cache import TraceCache
from archsim.traces.gs3d.camera import Camera
from archsim.traces.gs3d.projection import RULES
from archsim.traces.gs3d.scene import Scene
from archsim.traces.gs3d.streaminggs.codebooks import CodebookSizes, scene_codebooks
from archsim.traces.gs3d.streaminggs.grid import VoxelGrid, build_grid
from archsim.traces.gs3d.streaminggs.quantise import quantise

__all__ = ["HARMONICS_FACTORS", "SIZE", "SceneImage", "build_image", "frame_constants"]

I64 = npt.NDArray[np.int64]
F64 = npt.NDArray[np.float64]

PLACE, SIZE, OPACITY = Q(0, 16), Q(2, 14), Q(0, 8)

#: Factor of each basis polynomial of degrees 1 to 3 (see traces/gs3d/harmonics.py), which the
#: stored coefficients include; the polynomials are those of the fine filter.
HARMONICS_FACTORS = np.array([
    -0.4886025119029199, 0.4886025119029199, -0.4886025119029199,
    1.0925484305920792, -1.0925484305920792, 0.31539156525252005, -1.0925484305920792,
    0.5462742152960396,
    -0.5900435899266435, 2.890611442640554, -0.4570457994644658, 0.3731763325901154,
    -0.4570457994644658, 1.445305721320277, -0.5900435899266435,
])  # fmt: skip
_DC_FACTOR = 0.28209479177387814
_FIELDS = ("means", "scales", "quats", "opacities", "sh")


@dataclass(frozen=True)
class SceneImage:
    """A scene in the hardware's memories; n Gaussians in storage order (voxel by voxel).

    Attributes
    ----------
    grid
        Its voxels.
    coarse : (n, 4) int64
        x, y, z (UQ0.16 of a voxel) and largest scale (UQ2.14 voxel edges, rounded up).
    index : dict of (n,) int64
        Word of each codebook, and ``opacity`` (UQ0.8).
    codebooks : dict of (words, floats) int64
        Raw floats.
    decoded
        What these bits mean, as a scene in storage order.
    clamped
        Gaussians larger than four voxels, which were made that large.
    """

    grid: VoxelGrid
    coarse: I64
    index: dict[str, I64]
    codebooks: dict[str, I64]
    decoded: Scene
    clamped: int


def build_image(
    scene: Scene, voxel_size: str | float, p: Parameters, cache: TraceCache | None = None
) -> SceneImage:
    """Quantise a scene, its codebooks from ``cache`` if they are there.

    Raises :class:`ConfigError` where it does not fit the tables.
    """
    grid = build_grid(scene.means, voxel_size)
    _check_fits(grid, p)
    if scene.sh_degree > p.sh_degree:
        raise ConfigError(
            f"the scene has spherical harmonics of degree {scene.sh_degree}, size {p.size} has "
            f"{p.sh_degree}",
            remedy=f"load the scene with workload.sh_degree={p.sh_degree}",
        )
    order = grid.order
    corner = np.repeat(grid.index(), grid.count, axis=0)
    place = (scene.means[order].astype(np.float64) - grid.origin) / grid.size - corner
    columns: dict[str, Any] = {n: np.ascontiguousarray(getattr(scene, n)[order]) for n in _FIELDS}
    stored = replace(scene, **columns, name=f"{scene.name} as stored")
    sizes = CodebookSizes(p.scale_entries, p.rotation_entries, p.base_entries, p.harmonics_entries)
    quantised = quantise(stored, scene_codebooks(stored, sizes=sizes, cache=cache))
    given = quantised.codebooks
    scales = given.scale.astype(np.float64) / grid.size
    most = SIZE.real(SIZE.high - 1)
    clamped = int((scales[quantised.scale].max(axis=1) > most).sum())
    harmonics = np.zeros((given.sh.shape[0], 3 * ((p.sh_degree + 1) ** 2 - 1)))
    own = given.sh.astype(np.float64) * HARMONICS_FACTORS[None, : given.sh.shape[1], None]
    harmonics[:, : 3 * given.sh.shape[1]] = own.reshape(given.sh.shape[0], 3 * given.sh.shape[1])
    books = {
        "scale": FLOAT.quantize(np.minimum(scales, most)),
        "rotation": FLOAT.quantize(given.rotation),
        "base": FLOAT.quantize(given.dc.astype(np.float64) * _DC_FACTOR + 0.5),
        "harmonics": FLOAT.quantize(harmonics),
    }
    index: dict[str, I64] = {
        name: code.astype(np.int64)
        for name, code in (
            ("scale", quantised.scale), ("rotation", quantised.rotation),
            ("base", quantised.dc), ("harmonics", quantised.sh),
        )
    }  # fmt: skip
    index["opacity"] = OPACITY.quantize(scene.opacities[order])
    largest = FLOAT.real(books["scale"]).max(axis=1)[index["scale"]]
    size = np.minimum(np.ceil(largest * 2.0**SIZE.f), SIZE.high).astype(np.int64)
    raw = np.clip(np.floor(place * 2.0**PLACE.f), 0, PLACE.high).astype(np.int64)
    coarse = np.concatenate([raw, size[:, None]], axis=1)
    decoded = _decode(scene, grid, corner, raw, index, books)
    return SceneImage(grid, coarse, index, books, decoded, clamped)


def frame_constants(camera: Camera, grid: VoxelGrid) -> dict[str, int]:
    """Return the raw values of a frame's constants (see the filters' graphs)."""
    rule = RULES["inria"]
    rotation = camera.world_to_camera[:3, :3]
    offset = camera.world_to_camera[:3, 3]
    stretch = camera.fy / camera.fx
    rows = rotation * np.array([1.0, stretch, 1.0])[:, None]
    origin = (rotation @ grid.origin + offset) / grid.size * np.array([1.0, stretch, 1.0])
    widest = max(camera.fx, camera.fy) / camera.fx * max(1.0, 1.0 / stretch)
    values = {
        **{f"view_{r}{c}": rows[r, c] for r in range(3) for c in range(3)},
        **{f"turn_{r}{c}": rotation[r, c] / (stretch if r == 1 else 1.0)
           for r in range(3) for c in range(3)},
        **{f"origin_{axis}": origin[k] for k, axis in enumerate("xyz")},
        "principal_x": camera.cx + rule.pixel_shift,
        "principal_y": camera.cy + rule.pixel_shift,
        "focal": camera.fx,
        "near_plane": rule.near / grid.size,
        "limit_x": 1.3 * 0.5 * camera.width / camera.fx,
        "limit_y": 1.3 * 0.5 * camera.height / camera.fy * stretch,
        "spread": 11.09 * 1.01 * widest**2,
    }  # fmt: skip
    return {name: int(FLOAT.quantize(value)) for name, value in values.items()}


def _check_fits(grid: VoxelGrid, p: Parameters) -> None:
    cells, voxels = int(grid.cells.prod()), grid.occupied
    for what, need, have in (
        ("cells of the grid", cells, p.cells),
        ("occupied voxels", voxels, p.voxels),
        ("cells along one axis", int(grid.cells.max()), 256),
        ("Gaussians in a voxel", int(grid.count.max()), 65535),
    ):
        if need > have:
            raise ConfigError(f"{need} {what}, but size {p.size} has room for {have}",
                              remedy="use larger voxels")  # fmt: skip


def _decode(
    scene: Scene, grid: VoxelGrid, corner: I64, place: I64, index: dict[str, I64],
    books: dict[str, Any],
) -> Scene:  # fmt: skip
    """Return the scene that the bits mean."""
    floats = {name: FLOAT.real(book)[index[name]] for name, book in books.items()}
    means = grid.origin + (corner + PLACE.real(place)) * grid.size
    terms = floats["harmonics"].shape[1] // 3
    used = scene.sh.shape[1] - 1
    rest = floats["harmonics"].reshape(len(scene), terms, 3)[:, :used]
    sh = np.concatenate(
        [
            ((floats["base"] - 0.5) / _DC_FACTOR)[:, None],
            rest / HARMONICS_FACTORS[None, :used, None],
        ],
        axis=1,
    )
    return Scene(
        means=means.astype(np.float32),
        scales=(floats["scale"] * grid.size).astype(np.float32),
        quats=floats["rotation"].astype(np.float32),
        opacities=OPACITY.real(index["opacity"]).astype(np.float32),
        sh=np.ascontiguousarray(sh, np.float32),
        name=f"{scene.name} as stored",
        source=scene.source,
    )
