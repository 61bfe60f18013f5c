"""The reference renderer against gsplat's images and against counts of real scenes."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from archsim.base.errors import InputError
from archsim.sim.validation.checks import Check
from archsim.sim.validation.inputs import Inputs
from archsim.sim.validation.row import Row, Tolerance, compare
from archsim.traces.gs3d.camera import Camera
from archsim.traces.gs3d.cameras import Orbit, bounds_of, orbit_cameras
from archsim.traces.gs3d.formats import load_scene_file
from archsim.traces.gs3d.reference import Reference, render_reference
from archsim.traces.gs3d.scene import Scene

__all__ = ["CHECKS", "read_safetensors"]

F32 = npt.NDArray[np.float32]

_PART = "renderer"
_GSPLAT = "gsplat's CUDA rasteriser, images stored with brush (8b7f5c6, crates/brush-bench-test)"
_COUNTS = "workload_reference.json: counted for this project by a float64 renderer, DC colour only"
#: The largest difference of two float32 blends of up to 16 Gaussians, colours in [0, 1].
_PIXEL_TOLERANCE = 1e-5
_COUNT_TOLERANCE = {"visible Gaussians": 1e-4, "Gaussian-tile pairs": 1e-4,
                    "alpha tests per pixel": 0.01, "blends per pixel": 0.01}  # fmt: skip


def read_safetensors(path: Path) -> dict[str, F32]:
    """Return the float32 tensors of a safetensors file: a JSON header and raw little-endian data.

    Raises :class:`InputError` for a file that is cut short, mislabelled or of another type.
    """
    content = path.read_bytes()
    try:
        (size,) = struct.unpack_from("<Q", content)
        if len(content) < 8 + size:
            raise ValueError("it is cut short")
        header = json.loads(content[8 : 8 + size])
        tensors = {}
        for name, entry in header.items():
            if name == "__metadata__":
                continue
            if entry["dtype"] != "F32":
                raise ValueError(f"{name} is {entry['dtype']}, not F32")
            first, last = entry["data_offsets"]
            data = content[8 + size + first : 8 + size + last]
            tensors[name] = np.frombuffer(data, "<f4").reshape(entry["shape"])
    except (ValueError, KeyError, TypeError, AttributeError, struct.error) as error:
        raise InputError(
            f"this is no safetensors file of float32 tensors: {error}",
            place=str(path), remedy="restore the file",
        ) from None  # fmt: skip
    return tensors


def images(inputs: Inputs) -> Iterator[Row]:
    """Yield the largest pixel differences to images that gsplat rendered on CUDA."""
    for case in ("tiny", "basic"):
        stored = read_safetensors(inputs.path(f"gs3d/brush/{case}_case.safetensors"))
        expected = stored["out_img"]
        got = render_reference(_scene(stored, case), _camera(expected), variant="gsplat")
        differences = {
            "largest difference of colour": got.image - expected[:, :, :3],
            "largest difference of opacity": 1 - got.transmittance - expected[:, :, 3],
        }
        for quantity, difference in differences.items():
            yield compare(
                _PART, f"brush {case} case", quantity,
                reference=0.0, ours=float(np.abs(difference).max()), source=_GSPLAT,
                tolerance=Tolerance.absolute(_PIXEL_TOLERANCE),
            )  # fmt: skip


def _scene(stored: dict[str, F32], name: str) -> Scene:
    """Return the scene as its file means it: logarithms of scales, logits of opacities."""
    rotations = stored["quats"].astype(np.float64)
    return Scene(
        stored["means"],
        np.exp(stored["scales"].astype(np.float64)).astype(np.float32),
        (rotations / np.linalg.norm(rotations, axis=1, keepdims=True)).astype(np.float32),
        (1 / (1 + np.exp(-stored["opacities"].astype(np.float64)))).astype(np.float32),
        stored["coeffs"],
        name,
    )


def _camera(image: F32) -> Camera:
    """Return the camera of brush's cases: 90 degrees wide at (0.123, 0.456, -8), along +z."""
    height, width = image.shape[:2]
    pose = np.eye(4)
    pose[:3, 3] = [-0.123, -0.456, 8.0]
    return Camera(width, height, width / 2, width / 2, width / 2, height / 2, pose)


def counts(inputs: Inputs) -> Iterator[Row]:
    """Yield the work of the renderer on real scenes, two views of each."""
    measured = inputs.json("gs3d/workload_reference.json")
    width, height = measured["camera"]["resolution"]
    rows = measured["rows"]
    for name in dict.fromkeys(row["scene"] for row in rows):
        scene = load_scene_file(inputs.path(f"gs3d/playcanvas/{name}"))
        bounds = bounds_of(scene)
        for row in (row for row in rows if row["scene"] == name):
            angle = row["orbit_angle_deg"]
            case = f"{name} at {angle} degrees"
            inputs.progress(f"{_PART}: {case}")
            view = {"start_deg": angle, "fov_deg": measured["camera"]["fov_deg"]}
            (camera,) = orbit_cameras(Orbit.model_validate(view), bounds, width, height)
            yield from _count_rows(case, row, render_reference(scene, camera))


def _count_rows(case: str, row: dict[str, float], got: Reference) -> Iterator[Row]:
    total, pixels = got.counts.totals(), got.transmittance.size
    figures = {
        "visible Gaussians": (row["visible"], len(got.projected)),
        "Gaussian-tile pairs": (row["pairs"], total["pairs"]),
        "alpha tests per pixel": (row["alpha_tests_per_pixel"], total["alpha_tests"] / pixels),
        "blends per pixel": (row["blends_per_pixel"], total["blends"] / pixels),
    }
    for quantity, (reference, ours) in figures.items():
        yield compare(
            _PART, case, quantity, reference=reference, ours=ours, source=_COUNTS,
            tolerance=Tolerance.within(_COUNT_TOLERANCE[quantity]),
        )  # fmt: skip


CHECKS = (
    Check(_PART, "images of gsplat on CUDA", images),
    Check(_PART, "counts of real scenes", counts),
)
