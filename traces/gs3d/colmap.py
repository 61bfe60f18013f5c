"""COLMAP's sparse models: cameras and images, .bin or .txt."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from archsim.base.errors import InputError
from archsim.traces.gs3d.camera import Camera

__all__ = ["is_colmap_folder", "read_colmap"]

# COLMAP's model numbers; only those without distortion are pinholes.
_MODELS = {
    0: "SIMPLE_PINHOLE", 1: "PINHOLE", 2: "SIMPLE_RADIAL", 3: "RADIAL", 4: "OPENCV",
    5: "OPENCV_FISHEYE", 6: "FULL_OPENCV", 7: "FOV", 8: "SIMPLE_RADIAL_FISHEYE",
    9: "RADIAL_FISHEYE", 10: "THIN_PRISM_FISHEYE",
}  # fmt: skip
_PARAMETERS = {"SIMPLE_PINHOLE": 3, "PINHOLE": 4}
_POINT2D_BYTES = 24


@dataclass(frozen=True)
class _Lens:
    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float


@dataclass(frozen=True)
class _View:
    quat: tuple[float, ...]  # w x y z of the world-to-camera rotation
    shift: tuple[float, ...]
    lens: int
    name: str
    place: str


def is_colmap_folder(folder: Path) -> bool:
    """Say whether the folder holds cameras and images of one of the two kinds."""
    return any(
        (folder / f"cameras.{kind}").is_file() and (folder / f"images.{kind}").is_file()
        for kind in ("bin", "txt")
    )


def read_colmap(folder: Path) -> list[Camera]:
    """Return the cameras of a sparse model in the order of their images' names."""
    if (folder / "cameras.bin").is_file() and (folder / "images.bin").is_file():
        lenses = _read_binary_lenses(folder / "cameras.bin")
        views = _read_binary_views(folder / "images.bin")
    else:
        lenses = _read_text_lenses(folder / "cameras.txt")
        views = _read_text_views(folder / "images.txt")
    cameras = []
    for view in sorted(views, key=lambda v: v.name):
        if view.lens not in lenses:
            raise InputError(f"image {view.name!r} names camera {view.lens}, which is not there",
                             place=view.place, remedy="export the model again")  # fmt: skip
        lens = lenses[view.lens]
        cameras.append(Camera(lens.width, lens.height, lens.fx, lens.fy, lens.cx, lens.cy,
                              _pose(view), view.name))  # fmt: skip
    return cameras


def _pose(view: _View) -> npt.NDArray[np.float64]:
    numbers = np.array([*view.quat, *view.shift], np.float64)
    norm = float(np.linalg.norm(numbers[:4]))
    if not np.isfinite(numbers).all() or norm == 0:
        raise InputError(f"image {view.name!r} has NaN, infinity or no rotation in its pose",
                         place=view.place, remedy="leave this view out")  # fmt: skip
    w, x, y, z = numbers[:4] / norm
    pose = np.eye(4)
    pose[:3, :3] = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    pose[:3, 3] = numbers[4:]
    return pose


def _lens(model: str, size: tuple[int, int], numbers: tuple[float, ...], place: str) -> _Lens:
    if model not in _PARAMETERS:
        raise InputError(
            f"camera model {model} has lens distortion; read are PINHOLE and SIMPLE_PINHOLE",
            place=place,
            remedy="undistort the images (colmap image_undistorter) and use that model",
        )
    if len(numbers) != _PARAMETERS[model] or not np.isfinite(numbers).all() or min(size) < 1:
        raise InputError(f"camera model {model} with size {size} and parameters {numbers}",
                         place=place, remedy="export the model again")  # fmt: skip
    fx, *fy, cx, cy = numbers
    lens = _Lens(*size, fx, fy[0] if fy else fx, cx, cy)
    if lens.fx <= 0 or lens.fy <= 0:
        raise InputError(f"focal lengths {lens.fx}, {lens.fy} must be positive", place=place,
                         remedy="export the model again")  # fmt: skip
    return lens


class _Cursor:
    """Reads packed numbers from a file held in memory and names the place where it ends."""

    def __init__(self, path: Path):
        self.path, self.data, self.at = path, path.read_bytes(), 0

    @property
    def place(self) -> str:
        return f"{self.path}, byte offset {self.at}"

    def take(self, layout: str) -> tuple[float, ...]:
        size = struct.calcsize("<" + layout)
        self.need(size)
        values = struct.unpack_from("<" + layout, self.data, self.at)
        self.at += size
        return values

    def name(self) -> str:
        end = self.data.find(b"\0", self.at)
        self.need(len(self.data) if end < 0 else 0)
        text = self.data[self.at : end].decode("utf-8", "replace")
        self.at = end + 1
        return text

    def need(self, size: int) -> None:
        if self.at + size > len(self.data):
            raise InputError("truncated", place=f"{self.path}, byte offset {len(self.data)}",
                             remedy="copy or export the model again")  # fmt: skip


def _read_binary_lenses(path: Path) -> dict[int, _Lens]:
    cursor = _Cursor(path)
    lenses = {}
    for _ in range(int(cursor.take("Q")[0])):
        place = cursor.place
        key, number, width, height = (int(v) for v in cursor.take("IiQQ"))
        model = _MODELS.get(number, f"number {number}")
        numbers = cursor.take(f"{_PARAMETERS.get(model, 0)}d")
        lenses[key] = _lens(model, (width, height), numbers, place)
    return lenses


def _read_binary_views(path: Path) -> list[_View]:
    cursor = _Cursor(path)
    views = []
    for _ in range(int(cursor.take("Q")[0])):
        place = cursor.place
        _key, *numbers, lens = cursor.take("I7dI")
        name = cursor.name()
        points = int(cursor.take("Q")[0])
        cursor.need(points * _POINT2D_BYTES)
        cursor.at += points * _POINT2D_BYTES
        views.append(_View(tuple(numbers[:4]), tuple(numbers[4:]), int(lens), name, place))
    return views


def _lines(path: Path) -> list[tuple[int, str]]:
    text = path.read_text("utf-8", "replace").splitlines()
    return [(n, line) for n, line in enumerate(text, 1) if not line.startswith("#")]


def _read_text_lenses(path: Path) -> dict[int, _Lens]:
    lenses = {}
    for number, line in _lines(path):
        if not line.strip():
            continue
        place = f"{path}, line {number}"
        try:
            key, model, width, height, *numbers = line.split()
            size, values = (int(width), int(height)), tuple(float(v) for v in numbers)
            lenses[int(key)] = _lens(model, size, values, place)
        except ValueError as error:
            raise InputError(f"not a camera line: {error}", place=place,
                             remedy="export the model again") from error  # fmt: skip
    return lenses


def _read_text_views(path: Path) -> list[_View]:
    views = []
    for number, line in _lines(path)[::2]:  # every second line lists 2D points: not needed
        if not line.strip():
            continue
        place = f"{path}, line {number}"
        try:
            _key, *numbers, lens, name = line.split(maxsplit=9)
            values = tuple(float(v) for v in numbers)
            if len(values) != 7:
                raise ValueError(f"{len(values)} pose numbers instead of 7")
            views.append(_View(values[:4], values[4:], int(lens), name.strip(), place))
        except ValueError as error:
            raise InputError(f"not an image line: {error}", place=place,
                             remedy="export the model again") from error  # fmt: skip
    return views
