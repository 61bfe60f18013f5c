"""Composition: one scene out of transformed copies of others, declared as such.

A Gaussian turns as a whole: its centre, its covariance and its spherical harmonics.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import radians
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from archsim.traces.gs3d.cameras import Vector3
from archsim.traces.gs3d.formats.scene_file import BLOCK, Progress
from archsim.traces.gs3d.memory import scene_bytes
from archsim.traces.gs3d.scene import Scene
from archsim.traces.gs3d.scene_ref import SceneRef
from archsim.traces.gs3d.sh_rotation import quat_to_matrix, rotate_sh, sh_rotation

__all__ = ["Composition", "Grid", "Part", "compose_scenes", "composition_size"]


class Grid(BaseModel):
    """Copies on a regular grid, centred on each place in ``at``."""

    model_config = ConfigDict(extra="forbid")

    counts: tuple[int, int, int] = Field(
        description="Copies along x, y and z, each at least 1. Example: [4, 1, 3]"
    )
    spacing: Vector3 = Field(
        description="Distance between copies along x, y and z in scene units. Example: [2.2, 1, 2]"
    )

    def offsets(self) -> list[npt.NDArray[np.float64]]:
        """Return the shifts of the copies, x fastest."""
        counts = [max(1, c) for c in self.counts]
        middle = (np.array(counts) - 1) / 2
        steps = np.array(self.spacing, np.float64)
        return [
            (np.array([x, y, z]) - middle) * steps
            for z in range(counts[2]) for y in range(counts[1]) for x in range(counts[0])
        ]  # fmt: skip


class Part(BaseModel):
    """One scene and where its copies stand: each is scaled, turned, then moved."""

    model_config = ConfigDict(extra="forbid")

    scene: str = Field(
        description="Scene file or folder, or builtin:NAME. Example: playbot/lod-meta.json"
    )
    lod: int | None = Field(
        default=None,
        ge=0,
        description="Level of detail of a streamed SOG, 0 is the finest. Example: 1",
    )
    gaussians: int | None = Field(
        default=None, ge=1, description="Number of Gaussians of a built-in scene. Example: 50000"
    )
    at: list[Vector3] = Field(
        default=[(0.0, 0.0, 0.0)],
        min_length=1,
        description="Where the copies' origins stand: x, y, z in scene units. "
        "Example: [[0, 0, 0], [2, 0, 1]]",
    )
    grid: Grid | None = Field(
        default=None,
        description="A grid of copies around each place. "
        "Example: {counts: [4, 1, 3], spacing: [2.2, 1, 2]}",
    )
    scale: float = Field(default=1.0, gt=0, description="Factor on all lengths. Example: 0.5")
    rotate_deg: Vector3 = Field(
        default=(0.0, 0.0, 0.0),
        description="Turn in degrees about the x, then y, then z axis. Example: [0, 90, 0]",
    )
    turn_deg: float = Field(
        default=0.0,
        description="Further turn about the vertical y axis from each copy to the next, in "
        "degrees. Example: 37",
    )

    def ref(self, sh_degree: int | None) -> SceneRef:
        """Return the scene that is copied."""
        return SceneRef(self.scene, self.lod, self.gaussians, sh_degree)

    def places(self) -> list[npt.NDArray[np.float64]]:
        """Return the shift of each copy."""
        offsets = [np.zeros(3)] if self.grid is None else self.grid.offsets()
        return [np.array(a, np.float64) + offset for a in self.at for offset in offsets]


class Composition(BaseModel):
    """A scene made of transformed copies of other scenes."""

    model_config = ConfigDict(extra="forbid")

    compose: list[Part] = Field(
        min_length=1,
        description="Scenes and where their copies stand. "
        "Example: [{scene: builtin:object, grid: {counts: [3, 1, 3], spacing: [3, 1, 3]}}]",
    )


def composition_size(composition: Composition, sh_degree: int | None) -> tuple[int, int, int]:
    """Return Gaussians, SH degree and bytes needed, from headers alone."""
    total, degree, largest = 0, 0, 0
    for part in composition.compose:
        count, own_degree, needed = part.ref(sh_degree).size()
        total += count * len(part.places())
        degree = max(degree, own_degree)
        largest = max(largest, needed)
    return total, degree, scene_bytes(total, degree) + largest + 1000 * BLOCK


def compose_scenes(
    composition: Composition, sh_degree: int | None, seed: int, progress: Progress | None = None
) -> Scene:
    """Return the composed scene; memory beyond it is one part and a few blocks.

    Copies follow each other in the order of the parts and places. A built-in part is made with
    ``seed`` for every part. ``source`` lists the parts with their own sources.
    """
    total, degree, _ = composition_size(composition, sh_degree)
    means, scales = np.empty((total, 3), np.float32), np.empty((total, 3), np.float32)
    quats, opacities = np.empty((total, 4), np.float32), np.empty(total, np.float32)
    sh = np.zeros((total, (degree + 1) ** 2, 3), np.float32)
    at, declared = 0, []
    for part in composition.compose:
        scene = part.ref(sh_degree).load(seed)
        places = part.places()
        for copy, place in enumerate(places):
            quat = _turn(part, copy)
            own = slice(at, at + len(scene))
            write = _writer(scene, part.scale, quat, place)
            for block in _blocks(len(scene)):
                into = slice(own.start + block.start, own.start + block.stop)
                write(block, means[into], scales[into], quats[into], sh[into])
            opacities[own] = scene.opacities
            at = own.stop
            if progress is not None:
                progress(at, total)
        declared.append({
            "scene": scene.source, "gaussians": len(scene), "scale": part.scale,
            "rotate_deg": list(part.rotate_deg), "turn_deg": part.turn_deg,
            "places": [[float(v) for v in p] for p in places],
        })  # fmt: skip
    source: dict[str, Any] = {"format": "composition", "parts": declared}
    copies = sum(len(p.places()) for p in composition.compose)
    return Scene(means, scales, quats, opacities, sh, f"composition of {copies}", source)


_Write = Callable[[slice, Any, Any, Any, Any], None]


def _writer(scene: Scene, scale: float, quat: npt.NDArray[Any], shift: npt.NDArray[Any]) -> _Write:
    """Return the function that writes a block of one transformed copy to the given arrays."""
    rotation = quat_to_matrix(quat)
    turned = bool(np.abs(rotation - np.eye(3)).max() > 0)
    matrices = sh_rotation(rotation, scene.sh_degree) if turned else []

    def write(block: slice, means: Any, scales: Any, quats: Any, sh: Any) -> None:
        scales[:] = scene.scales[block] * np.float32(scale)
        coefficients = scene.sh[block]
        if turned:
            x, y, z = (scene.means[block, i].astype(np.float64) * scale for i in range(3))
            for axis, (a, b, c) in enumerate(rotation):
                means[:, axis] = a * x + b * y + c * z + shift[axis]
            quats[:] = _quat_product(quat, scene.quats[block])
            sh[:, : coefficients.shape[1]] = rotate_sh(coefficients, matrices)
        else:
            means[:] = scene.means[block].astype(np.float64) * scale + shift
            quats[:] = scene.quats[block]
            sh[:, : coefficients.shape[1]] = coefficients

    return write


def _blocks(count: int) -> Iterator[slice]:
    for start in range(0, count, BLOCK):
        yield slice(start, min(start + BLOCK, count))


def _turn(part: Part, copy: int) -> npt.NDArray[np.float64]:
    """Return the quaternion of a copy: x, then y, then z, then its own share of ``turn_deg``."""
    quat = np.array([1.0, 0.0, 0.0, 0.0])
    turns = [*enumerate(part.rotate_deg), (1, part.turn_deg * copy)]
    for axis, degrees in turns:
        half = radians(degrees) / 2
        step = np.array([np.cos(half), 0.0, 0.0, 0.0])
        step[1 + axis] = np.sin(half)
        quat = _quat_product(step, quat[None])[0]
    return quat


def _quat_product(left: npt.NDArray[Any], right: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return left x right for one quaternion and (n, 4) quaternions."""
    w, x, y, z = (float(v) for v in left)
    rw, rx, ry, rz = right.T
    return np.stack([
        w * rw - x * rx - y * ry - z * rz,
        w * rx + x * rw + y * rz - z * ry,
        w * ry - x * rz + y * rw + z * rx,
        w * rz + x * ry - y * rx + z * rw,
    ], axis=1)  # fmt: skip
