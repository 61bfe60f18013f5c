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
from archsim.sim.gpu.device import Device
from archsim.sim.gpu.kernels.attention import Heads, decode, prefill
from archsim.sim.gpu.kernels.convolution import convolution
from archsim.sim.gpu.kernels.elementwise import elementwise
from archsim.sim.gpu.kernels.gemm import gemm
from archsim.sim.gpu.kernels.rows import softmax, top_k
from archsim.sim.gpu.run import run_kernels
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
    variants = ("-16", "-pair-filter")  # of an accelerator, with its method
    name = "tile-raster" if isinstance(machine, Gpu) else machine.name
    return name.removesuffix(variants[0]).removesuffix(variants[1])


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


def kernels(device):
    """One kernel of each kind: together they read what the rasteriser does not."""
    heads = Heads(8, 2, 64)
    return [
        gemm(512, 512, 512, device), gemm(64, 64, 256, device, cores="fp16"),
        gemm(64, 64, 256, device, cores="fp32"), softmax(64, 32768, device),
        top_k(4096, 4096, 64, device), elementwise(1 << 20, read_bytes=2, write_bytes=2),
        convolution(1, 64, 64, 32, 32, device), *decode(4, 600, heads, device),
        prefill(300, heads, device),
    ]  # fmt: skip


def on_gpu(machine, mode):
    device = Device.of(machine, mode)
    run = run_kernels(kernels(device), device)
    cold = run_kernels(kernels(device)[:2], device, cold=True).total_ns
    return run.total_ns, run.actions, run.energy_pj, run.rails_pj, cold


def outcome(machine, mode, traces):
    kept = on_gpu(machine, mode) if isinstance(machine, Gpu) else None
    trace, config = traces(method_of(machine))
    program = load_method(method_of(machine)).program(trace, machine, mode, config)
    frame = simulate(program, machine, mode, "front")
    return dataclasses.asdict(frame), area_mm2(machine), kept


#: one GPU stands for all: their files have the same fields
LOOKED_AT = [
    name
    for name in list_machines()
    if name == "orin-nx-16gb" or not isinstance(load_machine(name), Gpu)
]


def test_all_gpus_have_the_fields_of_the_one_looked_at():
    gpus = [m for m in map(load_machine, list_machines()) if isinstance(m, Gpu)]
    looked_at = {".".join(path[2:] if path[0] == "modes" else path)
                 for name in LOOKED_AT for path in places(load_machine(name))}  # fmt: skip
    for gpu in gpus:
        own = {".".join(p[2:] if p[0] == "modes" else p) for p in places(gpu) if p[0] != "rails"}
        assert own <= looked_at


@pytest.mark.parametrize("name", LOOKED_AT)
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
