"""Frames of the shipped machines on a built-in scene: programs to validate with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from archsim.arch.load import load_machine, power_mode
from archsim.arch.machine import Accelerator, Gpu
from archsim.sim.method import load_method
from archsim.sim.program import Program
from archsim.traces.gs3d.camera import Camera
from archsim.traces.gs3d.reference import Reference, render_reference
from archsim.traces.gs3d.scene import Scene
from archsim.traces.gs3d.workload import Gs3dWorkload, load_cameras, load_scene

__all__ = ["MACHINES", "Frame", "frames"]

#: Shipped machines with the method that each runs.
MACHINES: dict[str, dict[str, Any]] = {
    "orin-nx-16gb": {"kind": "tile-raster"},
    "gscore": {"kind": "gscore"},
    "streaminggs": {"kind": "streaminggs", "voxel_size": "extent/16", "group": [64, 64]},
}
_WORKLOAD = {"kind": "gs3d", "scene": "builtin:object", "resolution": [640, 360]}


@dataclass(frozen=True)
class Frame:
    """A method's program for one frame on a machine in its default mode."""

    name: str
    machine: Accelerator | Gpu
    mode: str | None
    program: Program


@cache
def _scene() -> tuple[Scene, Camera, Reference]:
    workload = Gs3dWorkload.model_validate(_WORKLOAD)
    scene = load_scene(workload, seed=0)
    camera = load_cameras(workload, scene)[0]
    return scene, camera, render_reference(scene, camera)


@cache
def _frame(name: str) -> Frame:
    scene, camera, reference = _scene()
    machine = load_machine(name)
    mode = power_mode(machine, None)
    options = MACHINES[name]
    method = load_method(options["kind"])
    config = method.config.model_validate(options)
    trace = method.record(scene, camera, reference, config)
    return Frame(name, machine, mode, method.program(trace, machine, mode, config))


def frames() -> Iterator[Frame]:
    """Yield the frame of every machine of :data:`MACHINES`: the object, 640 x 360, one view."""
    for name in MACHINES:
        yield _frame(name)
