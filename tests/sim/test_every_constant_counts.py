"""Every number of every shipped machine is read by a model: changing it changes a result.

A field that nothing reads would look like a knob and be none.
"""

import dataclasses

import numpy as np
import pytest
from pydantic import ValidationError

from archsim.arch.load import list_machines, load_machine
from archsim.arch.machine import Gpu
from archsim.arch.sourced import Sourced
from archsim.base.errors import ArchsimError
from archsim.sim.area import area_mm2
from archsim.sim.method import load_method
from archsim.sim.simulate import simulate
from archsim.traces.gs3d.builtin import builtin_scene
from archsim.traces.gs3d.camera import Camera
from archsim.traces.gs3d.reference import render_reference

#: tried in turn until a result changes
FACTORS = (2.0, 0.5, 8.0, 0.125, 1 / 64)
#: fewer, larger tokens: these frames are simulated some hundred times
COARSE = {"streaminggs": {"voxel_size": "extent/6", "max_tasks": 1000}}


def method_of(machine):
    return "tile-raster" if isinstance(machine, Gpu) else machine.name.removesuffix("-16")


@pytest.fixture(scope="module")
def traces():
    """One small frame, recorded by each method when first asked for."""
    scene = builtin_scene("object").make(2500, 0, 0)
    pose = np.eye(4)
    pose[:3, 3] = (0, 1, 4)
    camera = Camera(128, 96, 100.0, 100.0, 64.0, 48.0, pose, "front")
    reference = render_reference(scene, camera)
    recorded = {}

    def record(kind):
        if kind not in recorded:
            method = load_method(kind)
            config = method.config(kind=kind, **COARSE.get(kind, {}))
            recorded[kind] = method.record(scene, camera, reference, config), config
        return recorded[kind]

    return record


def places(part, path=()):
    """Paths of all sourced constants of a machine's data."""
    if isinstance(part, Sourced):
        yield path
    elif isinstance(part, dict):
        for key, value in part.items():
            yield from places(value, (*path, key))
    elif hasattr(type(part), "model_fields"):
        for name in type(part).model_fields:
            yield from places(getattr(part, name), (*path, name))


def changed(machine, path, factor):
    data = machine.model_dump()
    constant = data
    for step in path:
        constant = constant[step]
    value = constant["value"] * factor
    constant.update(value=value, low=min(value, constant["low"]), high=max(value, constant["high"]))
    return type(machine).model_validate(data)


def unchanged(machine, path, factor, mode, traces, before):
    """Whether a changed constant leaves all results; so does one that the models refuse."""
    try:
        return outcome(changed(machine, path, factor), mode, traces) == before
    except (ArchsimError, ValidationError):
        return True


def outcome(machine, mode, traces):
    trace, config = traces(method_of(machine))
    program = load_method(method_of(machine)).program(trace, machine, mode, config)
    frame = simulate(program, machine, mode, "front")
    return dataclasses.asdict(frame), area_mm2(machine)


@pytest.mark.parametrize("name", list_machines())
def test_every_number_of_a_machine_changes_a_result(name, traces):
    machine = load_machine(name)
    modes = [None]
    if isinstance(machine, Gpu):
        modes = list(machine.modes)
        # the frame is small: so are the cache and the GPU, or neither would have enough to do
        machine = changed(
            machine, ("l2", "capacity_bytes"), 2**15 / machine.l2.capacity_bytes.value
        )
        for mode in modes:
            machine = changed(machine, ("modes", mode, "sms"), 1 / machine.modes[mode].sms.value)
    unread = []
    for mode in modes:
        before = outcome(machine, mode, traces)
        for path in places(machine):
            elsewhere = path[1] != mode if path[0] == "modes" else mode != modes[0]
            if elsewhere:
                continue
            if all(unchanged(machine, path, factor, mode, traces, before) for factor in FACTORS):
                unread.append(".".join(path))
    assert not unread
