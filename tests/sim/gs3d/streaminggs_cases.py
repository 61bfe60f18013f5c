"""Traces, machines and a memory to try StreamingGS's program on."""

import numpy as np

from archsim.arch.load import load_machine
from archsim.sim.gs3d.streaminggs import METHOD, StreamingGsConfig
from archsim.traces.gs3d.streaminggs.layout import VoxelLayout
from archsim.traces.trace import Trace

MACHINE = load_machine("streaminggs")
NS = 1000  # a cycle at 1 GHz, in picoseconds
LATENCY = {name: int(unit.latency_cycles.value) for name, unit in MACHINE.units.items()}


class FixedDram:
    """Serves every stream in the same time and remembers what it was asked for."""

    burst_bytes = 1

    def __init__(self, service_ps=50_000):
        self.service_ps, self.served_bytes, self.streams = service_ps, 0, []

    def serve(self, now_ps, address, size, write):
        self.served_bytes += int(size.sum())
        self.streams.append((now_ps, address.copy(), size.copy(), write))
        return now_ps + self.service_ps

    def counts(self, elapsed_ps):
        return {}


def make_trace(groups, counts, *, order="dag", resolution=(64, 32), group=(32, 32), keep=None,
               fine_bytes=220):  # fmt: skip
    """A trace with visits ``groups``: per group a list of (voxel, coarse, fine, subtile work)."""
    visits = [visit for g in groups for visit in g]
    voxel, coarse, fine, work = (np.array(c, np.int64) for c in zip(*visits))
    voxel_count = np.array(counts, np.int64)
    nodes = np.array([len(g) for g in groups], np.int64)
    rank = [np.arange(c) if keep is None else keep(c) for c in coarse]
    layout = VoxelLayout.of(voxel_count, 8 * fine_bytes, 1)
    columns = {
        "voxel.count": voxel_count,
        "voxel.start": np.cumsum(voxel_count) - voxel_count,
        "voxel.coarse_start_bytes": layout.coarse_start,
        "voxel.fine_start_bytes": layout.fine_start,
        "group.ray_steps": np.full(nodes.size, 1600, np.int64),
        "group.hits": 4 * nodes,
        "group.passed": 4 * nodes[:, None] // (1 + np.arange(10)),
        "group.nodes": nodes,
        "group.edges": np.maximum(nodes - 1, 0),
        "group.pixels": np.full(nodes.size, group[0] * group[1], np.int64),
        "group.start": np.concatenate([[0], np.cumsum(nodes)]),
        "visit.voxel": voxel.astype(np.int32),
        "visit.loaded": voxel_count[voxel],
        "visit.coarse_pass": coarse,
        "visit.fine_pass": fine,
        "visit.subtile_work": work,
        "visit.subtiles": np.minimum(work, 16),
        "visit.alpha_tests": 64 * work,
        "visit.blends": 10 * work,
        "visit.survivor_start": np.concatenate([[0], np.cumsum(coarse)]),
        "survivor.rank": np.concatenate(rank).astype(np.int32),
    }
    meta = {
        "parameters": {"group": list(group), "order": order},
        "resolution": list(resolution),
        "sh_degree": 3,
        "parameters_per_gaussian": 59,
        "grid": {"cells": [4, 4, 4]},
        "layout": layout.meta(),
        "vq": {"kind": "none"}
        if fine_bytes == 220
        else {"kind": "trained", "codebook_bytes": 256_000},
        "counts": {"gaussians": int(voxel_count.sum())},
    }
    return Trace("gs3d/streaminggs", meta, columns)


def random_trace(seed, groups=12, voxels=40):
    random = np.random.default_rng(seed)
    counts = random.integers(1, 400, voxels)
    visits = []
    for _ in range(groups):
        chosen = random.choice(voxels, random.integers(0, 9), replace=False)
        coarse = random.binomial(counts[chosen], 0.4)
        fine = random.binomial(coarse, 0.8)
        visits.append(list(zip(chosen, coarse, fine, 2 * fine)))
    return make_trace(visits, counts, resolution=(128, 96))


def program_of(trace, machine=MACHINE, **config):
    return METHOD.program(trace, machine, None, StreamingGsConfig(**config))


def with_unit(name, **values):
    unit = MACHINE.units[name]
    for field, value in values.items():
        constant = getattr(unit, field).model_copy(update={"value": value})
        unit = unit.model_copy(update={field: constant})
    return MACHINE.model_copy(update={"units": {**MACHINE.units, name: unit}})


def with_buffer(name, capacity):
    constant = MACHINE.buffers[name].capacity_bytes.model_copy(update={"value": capacity})
    buffer = MACHINE.buffers[name].model_copy(update={"capacity_bytes": constant})
    return MACHINE.model_copy(update={"buffers": {**MACHINE.buffers, name: buffer}})


def with_fifo(name, depth, machine=MACHINE):
    constant = machine.fifos[name].depth_items.model_copy(update={"value": depth})
    fifo = machine.fifos[name].model_copy(update={"depth_items": constant})
    return machine.model_copy(update={"fifos": {**machine.fifos, name: fifo}})


def times(program, schedule, stage):
    tasks = np.flatnonzero(program.stage == program.stages.index(stage))
    return schedule.start_ps[tasks], schedule.finish_ps[tasks]
