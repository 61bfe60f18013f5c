"""Generated cameras: orbits around a scene and paths through it."""

from __future__ import annotations

from dataclasses import dataclass
from math import radians, tan
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from archsim.base.errors import ConfigError
from archsim.traces.gs3d.camera import Camera
from archsim.traces.gs3d.scene import Scene

__all__ = [
    "Bounds",
    "CameraPath",
    "Keyframe",
    "Orbit",
    "Vector3",
    "bounds_of",
    "look_at",
    "orbit_cameras",
    "path_cameras",
]

#: x, y, z in scene units.
Vector3 = tuple[float, float, float]

_FOV = Annotated[float, Field(gt=0, lt=180)]


class Orbit(BaseModel):
    """Cameras on a circle around the scene's centre, looking at it from slightly above.

    With p1 and p99 the 1st and 99th percentiles of the centres, c their middle, ext their
    difference and f the field of view: d = (1.15 max(ext_x, ext_z, ext_y W/H) / 2 / tan(f/2)
    + ext_z / 2) x distance, position = c + d (sin a, -0.15, -cos a); focal length
    W / 2 / tan(f/2) on both axes. W/H makes the height fit the vertical field of view.
    """

    model_config = ConfigDict(extra="forbid")

    views: int = Field(default=1, ge=1, description="Number of views. Example: 8")
    start_deg: float = Field(
        default=0.0,
        description="Angle a of the first view in degrees; 0 looks along +z. Example: 90",
    )
    arc_deg: float = Field(
        default=360.0,
        ge=-360,
        le=360,
        description="Angle in degrees over which the views spread evenly; a whole circle does "
        "not repeat its first view. Example: 80",
    )
    fov_deg: _FOV = Field(
        default=50.0,
        description="Horizontal field of view in degrees (the image's width). Example: 50",
    )
    distance: float = Field(
        default=1.0, gt=0, description="Factor on the distance that frames the scene. Example: 0.5"
    )


class Keyframe(BaseModel):
    """One pose of a path."""

    model_config = ConfigDict(extra="forbid")

    position: Vector3 = Field(
        description="Camera centre x, y, z in scene units (y down). Example: [0, -1.5, -3]"
    )
    look_at: Vector3 = Field(
        description="Point in the image's centre, x, y, z in scene units. Example: [0, -1, 0]"
    )


class CameraPath(BaseModel):
    """Cameras along straight lines between keyframes, evenly spread from the first to the last."""

    model_config = ConfigDict(extra="forbid")

    keyframes: list[Keyframe] = Field(
        min_length=1,
        description="Poses; positions and targets in between are interpolated linearly. "
        "Example: [{position: [0, -1, -3], look_at: [0, -1, 0]}]",
    )
    views: int = Field(default=1, ge=1, description="Number of views. Example: 30")
    fov_deg: _FOV = Field(
        default=60.0,
        description="Horizontal field of view in degrees (the image's width). Example: 60",
    )


@dataclass(frozen=True)
class Bounds:
    """1st and 99th percentile of a scene's centres per axis, each of shape (3,) float64."""

    low: npt.NDArray[np.float64]
    high: npt.NDArray[np.float64]


def bounds_of(scene: Scene) -> Bounds:
    """Return the bounds that orbits are built from (linear interpolation between ranks)."""
    low, high = np.percentile(scene.means.astype(np.float64), (1, 99), axis=0)
    return Bounds(low, high)


def look_at(
    position: npt.ArrayLike,
    target: npt.ArrayLike,
    *,
    width: int,
    height: int,
    fov_deg: float,
    name: str,
) -> Camera:
    """Return the camera at ``position`` that sees ``target`` in its centre, y down.

    Axes: z = (target - position) normalised; x = normalise((0, 1, 0) x z); y = z x x. Raises
    :class:`ConfigError` when that is undefined.
    """
    eye = np.asarray(position, np.float64)
    forward = np.asarray(target, np.float64) - eye
    length = float(np.linalg.norm(forward))
    right = np.cross((0.0, 1.0, 0.0), forward)
    if not np.isfinite(length) or length == 0 or np.linalg.norm(right) < 1e-9 * length:
        raise ConfigError(
            f"camera {name}: no view direction from {eye.tolist()} to "
            f"{np.asarray(target, np.float64).tolist()}",
            remedy="give finite, different points that are not straight above each other",
        )
    z = forward / length
    x = right / np.linalg.norm(right)
    rotation = np.stack([x, np.cross(z, x), z])
    pose = np.eye(4)
    pose[:3, :3] = rotation
    pose[:3, 3] = -rotation @ eye
    focal = width / 2 / tan(radians(fov_deg) / 2)
    return Camera(width, height, focal, focal, width / 2, height / 2, pose, name)


def orbit_cameras(orbit: Orbit, bounds: Bounds, width: int, height: int) -> list[Camera]:
    """Return the orbit's cameras, named ``orbit-ANGLE`` in whole or decimal degrees.

    Raises :class:`ConfigError` for a scene without extent or with an infinite one.
    """
    extent = bounds.high - bounds.low
    if not 0 < extent.max() < np.inf:
        raise ConfigError(
            "the scene has no extent: (nearly) all its Gaussians lie at "
            f"({', '.join(f'{v:g}' for v in bounds.low)}), so no orbit fits around it"
            if extent.max() == 0 else "the scene's extent is not finite",
            place="workload.cameras.orbit",
            remedy="give cameras: workload.cameras.path or workload.cameras.file",
        )  # fmt: skip
    centre = (bounds.low + bounds.high) / 2
    half = tan(radians(orbit.fov_deg) / 2)
    size = max(float(extent[0]), float(extent[2]), float(extent[1]) * (width / height))
    distance = orbit.distance * (1.15 * size / 2 / half + float(extent[2]) / 2)
    whole_circle = abs(orbit.arc_deg) == 360
    steps = orbit.views if whole_circle else max(1, orbit.views - 1)
    cameras = []
    for view in range(orbit.views):
        degrees = orbit.start_deg + orbit.arc_deg * view / steps
        angle = radians(degrees)
        offset = np.array([np.sin(angle), -0.15, -np.cos(angle)])
        name = f"orbit-{degrees:g}"
        cameras.append(look_at(centre + distance * offset, centre, width=width, height=height,
                               fov_deg=orbit.fov_deg, name=name))  # fmt: skip
    return cameras


def path_cameras(path: CameraPath, width: int, height: int) -> list[Camera]:
    """Return the path's cameras, named ``path-000`` and up."""
    positions = np.array([k.position for k in path.keyframes], np.float64)
    targets = np.array([k.look_at for k in path.keyframes], np.float64)
    last = len(path.keyframes) - 1
    cameras = []
    for view in range(path.views):
        at = last * view / max(1, path.views - 1)
        index = min(int(at), max(0, last - 1))
        after, share = min(index + 1, last), at - index
        position = positions[index] * (1 - share) + positions[after] * share
        target = targets[index] * (1 - share) + targets[after] * share
        cameras.append(look_at(position, target, width=width, height=height,
                               fov_deg=path.fov_deg, name=f"path-{view:03d}"))  # fmt: skip
    return cameras
