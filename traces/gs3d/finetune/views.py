"""Training and held-out views, and the images that each should look like."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from archsim.base.errors import ConfigError, InputError
from archsim.traces.gs3d.camera import Camera
from archsim.traces.gs3d.camera_files import load_camera_file
from archsim.traces.gs3d.cameras import Orbit, bounds_of, orbit_cameras
from archsim.traces.gs3d.reference import render_reference
from archsim.traces.gs3d.scene import Scene

__all__ = ["HOLD_EVERY", "Split", "View", "file_split", "make_views", "orbit_split"]

#: Of a camera file every eighth view is held out, the first one too: the convention of
#: Mip-NeRF 360 and of 3DGS' ``--eval`` (llffhold).
HOLD_EVERY = 8

_ORBIT_HELD_EVERY = 4  # one held-out view for every four training views of an orbit
_ENDINGS = ("", ".png", ".jpg", ".jpeg", ".PNG", ".JPG", ".JPEG", ".webp")


@dataclass(frozen=True)
class Split:
    """Cameras to train on and cameras to judge by, and how they were told apart."""

    training: list[Camera]
    held_out: list[Camera]
    rule: str


@dataclass(frozen=True)
class View:
    """A camera and what it should see, (H, W, 3) float32."""

    camera: Camera
    target: npt.NDArray[np.float32]


def orbit_split(scene: Scene, views: int, resolution: tuple[int, int]) -> Split:
    """Return ``views`` training cameras on a circle, and held-out ones in the middle of gaps.

    Every fourth gap holds one, at least two. All look from the same height.
    """
    if views < 2:
        raise ConfigError(f"{views} training views", place="--views",
                          remedy="use at least 2, e.g. 16")  # fmt: skip
    bounds, gap = bounds_of(scene), 360.0 / views
    held = max(2, views // _ORBIT_HELD_EVERY)
    training = orbit_cameras(Orbit(views=views), bounds, *resolution)
    between = orbit_cameras(Orbit(views=views, start_deg=gap / 2), bounds, *resolution)
    chosen = [between[i * views // held] for i in range(held)]
    rule = (f"{views} training views evenly on an orbit; {held} held-out views in the middle of "
            "gaps between them, from the same height")  # fmt: skip
    return Split(training, chosen, rule)


def file_split(path: Path, resolution: tuple[int, int] | None) -> Split:
    """Return a camera file's views: every eighth held out, from the first on."""
    cameras = load_camera_file(path, resolution)
    held = cameras[::HOLD_EVERY]
    training = [c for i, c in enumerate(cameras) if i % HOLD_EVERY]
    if not training:
        raise InputError(
            f"{len(cameras)} camera; one to train on and another to judge by are needed",
            place=str(path),
            remedy="give a file with more cameras, or leave --cameras out for an orbit",
        )
    rule = f"every {HOLD_EVERY}th of {len(cameras)} cameras of the file held out, from the first on"
    return Split(training, held, rule)


def make_views(
    scene: Scene, cameras: list[Camera], images: Path | None,
    progress: Callable[[int, int], None] | None = None,
) -> list[View]:  # fmt: skip
    """Return the cameras with their targets: images of this folder, or renders of ``scene``.

    Images are found by the camera's name, with or without an ending, resampled to the camera's
    resolution and laid over black. Raises :class:`InputError` for one that is missing or damaged.
    """
    views = []
    for number, camera in enumerate(cameras):
        if images is None:
            target = render_reference(scene, camera).image
        else:
            target = _read_image(images, camera)
        views.append(View(camera, target))
        if progress is not None:
            progress(number + 1, len(cameras))
    return views


def _read_image(folder: Path, camera: Camera) -> npt.NDArray[np.float32]:
    named = [folder / f"{camera.name}{ending}" for ending in _ENDINGS]
    path = next((p for p in named if p.is_file()), None)
    if path is None:
        raise InputError(
            f"no image of camera {camera.name}", place=str(folder),
            remedy=f"name it {camera.name}.png or .jpg, or leave --images out to train against "
            "the scene's own renders",
        )  # fmt: skip
    try:
        with Image.open(path) as image:
            layers = image.convert("RGBA").resize(
                (camera.width, camera.height), Image.Resampling.LANCZOS
            )
    except (OSError, UnidentifiedImageError) as error:
        raise InputError(f"not a readable image ({error})", place=str(path),
                         remedy="give a PNG or JPEG file") from error  # fmt: skip
    pixels = np.asarray(layers, np.float32) / np.float32(255.0)
    return np.ascontiguousarray(pixels[:, :, :3] * pixels[:, :, 3:])
