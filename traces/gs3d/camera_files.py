"""Camera files: INRIA's cameras.json, NeRF's transforms.json and COLMAP's sparse folders."""

from __future__ import annotations

import json
from collections.abc import Callable
from math import tan
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from archsim.base.errors import InputError
from archsim.traces.gs3d.camera import Camera
from archsim.traces.gs3d.colmap import is_colmap_folder, read_colmap
from archsim.traces.gs3d.formats.json_words import json_problem

__all__ = ["load_camera_file", "pose_matrix", "resize"]

_DISTORTION = ("k1", "k2", "k3", "k4", "p1", "p2")
_AGAIN = "give INRIA's cameras.json, NeRF's transforms.json or a COLMAP sparse folder"


def load_camera_file(path: Path, resolution: tuple[int, int] | None = None) -> list[Camera]:
    """Return the cameras of a file or COLMAP folder, in the file's order (COLMAP: by name).

    ``resolution`` (width, height) replaces the file's and rescales focal lengths and principal
    points, so the field of view stays. Raises :class:`InputError` for missing or damaged
    files, camera models with distortion, and poses that are not finite rotations.
    """
    if not path.exists():
        raise InputError("no such camera file or folder", place=str(path), remedy=_AGAIN)
    if path.is_dir():
        folder = next((f for f in (path, path / "sparse" / "0", path / "sparse", path / "0")
                       if is_colmap_folder(f)), None)  # fmt: skip
        if folder is not None:
            cameras = read_colmap(folder)
        elif (path / "transforms.json").is_file():
            return load_camera_file(path / "transforms.json", resolution)
        elif (path / "cameras.json").is_file():
            return load_camera_file(path / "cameras.json", resolution)
        else:
            raise InputError("a folder without COLMAP's cameras and images, transforms.json or "
                             "cameras.json", place=str(path), remedy=_AGAIN)  # fmt: skip
    else:
        cameras = _read_json(path, resolution)
    if not cameras:
        raise InputError("no cameras in it", place=str(path), remedy=_AGAIN)
    return cameras if resolution is None else [resize(c, *resolution) for c in cameras]


def resize(camera: Camera, width: int, height: int) -> Camera:
    """Return the camera with another resolution and the same field of view on each axis."""
    x, y = width / camera.width, height / camera.height
    return Camera(width, height, camera.fx * x, camera.fy * y, camera.cx * x, camera.cy * y,
                  camera.world_to_camera, camera.name)  # fmt: skip


def pose_matrix(rotation: npt.ArrayLike, translation: npt.ArrayLike, *, place: str) -> npt.NDArray[
    np.float64
]:  # fmt: skip
    """Return the (4, 4) matrix after checking that it is a finite, proper rotation and shift."""
    pose = np.eye(4)
    try:
        pose[:3, :3], pose[:3, 3] = np.asarray(rotation, np.float64), translation
    except (ValueError, TypeError) as error:
        raise InputError(f"a pose of wrong shape: {error}", place=place, remedy=_AGAIN) from error
    turn = pose[:3, :3]
    if not np.isfinite(pose).all():
        raise InputError("NaN or infinity in the pose", place=place, remedy="leave this view out")
    if np.abs(turn @ turn.T - np.eye(3)).max() > 1e-3 or np.linalg.det(turn) < 0:
        raise InputError("the pose is singular, scaled or mirrored: its 3x3 part is no rotation",
                         place=place, remedy="leave this view out or export it again")  # fmt: skip
    return pose


def _read_json(path: Path, resolution: tuple[int, int] | None) -> list[Camera]:
    try:
        data = json.loads(path.read_bytes())
    except (ValueError, OSError) as error:
        raise InputError(json_problem(error), place=str(path),
                         remedy=_AGAIN) from error  # fmt: skip
    read: Callable[[Any, Any, tuple[int, int] | None, str], Camera]
    if isinstance(data, list):
        read, items = _inria_camera, data
    elif isinstance(data, dict) and isinstance(data.get("frames"), list):
        read, items = _nerf_camera, data["frames"]
    else:
        raise InputError("neither cameras.json nor transforms.json", place=str(path), remedy=_AGAIN)
    cameras = []
    for index, item in enumerate(items):
        place = f"{path}, camera {index}"
        try:
            if not isinstance(item, dict):
                raise TypeError("it is no mapping")
            cameras.append(read(item, data, resolution, place))
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise InputError(f"a camera cannot be used: {json_problem(error)}", place=place,
                             remedy=_AGAIN) from error  # fmt: skip
    return cameras


def _inria_camera(item: Any, _data: Any, _resolution: Any, place: str) -> Camera:
    """``rotation`` is camera-to-world, ``position`` the camera centre; the centre is central."""
    pose = pose_matrix(item["rotation"], item["position"], place=place)
    width, height = int(item["width"]), int(item["height"])
    return _camera(width, height, (float(item["fx"]), float(item["fy"])),
                   (width / 2, height / 2), _inverse(pose), str(item.get("img_name", "")),
                   place)  # fmt: skip


def _nerf_camera(item: Any, data: Any, resolution: tuple[int, int] | None, place: str) -> Camera:
    """OpenGL camera axes (y up, z back); intrinsics of the frame, else of the file."""
    both = {**data, **item}
    bent = [k for k in _DISTORTION if both.get(k)]
    if bent:
        raise InputError(f"lens distortion ({', '.join(bent)}): cameras here are pinholes",
                         place=place, remedy="undistort the images and their cameras")  # fmt: skip
    matrix = np.asarray(both["transform_matrix"], np.float64)
    pose = pose_matrix(matrix[:3, :3] * (1, -1, -1), matrix[:3, 3], place=place)
    if "w" in both and "h" in both:
        width, height = int(both["w"]), int(both["h"])
    elif resolution is not None:
        width, height = resolution
    else:
        raise InputError("no image size (w, h)", place=place, remedy="set resolution: [W, H]")
    if "fl_x" in both:
        fx = float(both["fl_x"])
        fy = float(both.get("fl_y", fx))
    else:
        fx = width / 2 / tan(float(both["camera_angle_x"]) / 2)
        fy = height / 2 / tan(float(both["camera_angle_y"]) / 2) if "camera_angle_y" in both else fx
    centre = (float(both.get("cx", width / 2)), float(both.get("cy", height / 2)))
    return _camera(width, height, (fx, fy), centre, _inverse(pose),
                   Path(str(both.get("file_path", ""))).name, place)  # fmt: skip


def _camera(
    width: int,
    height: int,
    focal: tuple[float, float],
    centre: tuple[float, float],
    world_to_camera: npt.NDArray[np.float64],
    name: str,
    place: str,
) -> Camera:
    if width < 1 or height < 1 or not all(np.isfinite(f) and f > 0 for f in focal):
        raise InputError(f"size {width} x {height} and focal lengths {focal} must be positive",
                         place=place, remedy="leave this view out or export it again")  # fmt: skip
    if not np.isfinite(centre).all():
        raise InputError("NaN or infinity in the principal point", place=place,
                         remedy="leave this view out")  # fmt: skip
    return Camera(width, height, *focal, *centre, world_to_camera, name or "camera")


def _inverse(camera_to_world: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    turn = camera_to_world[:3, :3].T
    pose = np.eye(4)
    pose[:3, :3] = turn
    pose[:3, 3] = -turn @ camera_to_world[:3, 3]
    return pose
