"""GSCore's program: closed forms, byte accounting against the trace, monotonicity, errors."""

from itertools import pairwise

import numpy as np
import pytest

from archsim.arch.load import load_machine
from archsim.base.errors import ConfigError
from archsim.sim.gs3d.gscore import METHOD, GscoreConfig
from archsim.sim.gs3d.gscore_constants import CONSTANTS
from archsim.sim.gs3d.gscore_streams import DramLayout, list_write_runs
from archsim.sim.kernel import execute
from archsim.sim.simulate import row_dram, simulate
from archsim.traces.gs3d.camera import Camera
from archsim.traces.gs3d.gscore.record import GscoreParameters, record_gscore
from archsim.traces.gs3d.reference import render_reference
from archsim.traces.gs3d.scene import Scene
from archsim.traces.gs3d.streaminggs.operations import filter_total

CONFIG = GscoreConfig()
WIDTH, HEIGHT = 200, 120


def record(count, seed, *, spread=1.0, log_scale=-2.5, parameters=None):
    random = np.random.default_rng(seed)
    quats = random.normal(size=(count, 4))
    scene = Scene(
        (random.normal(size=(count, 3)) * spread).astype(np.float32),
        np.exp(random.normal(log_scale, 0.8, (count, 3))).astype(np.float32),
        (quats / np.linalg.norm(quats, axis=1, keepdims=True)).astype(np.float32),
        random.uniform(0, 1, count).astype(np.float32),
        random.normal(size=(count, 4, 3)).astype(np.float32),
        "random",
    )
    pose = np.eye(4)
    pose[2, 3] = 4.0
    camera = Camera(WIDTH, HEIGHT, 150.0, 150.0, WIDTH / 2, HEIGHT / 2, pose)
    reference = render_reference(scene, camera)
    return record_gscore(scene, camera, reference, parameters or GscoreParameters())


@pytest.fixture(scope="module")
def machine():
    return load_machine("gscore")


@pytest.fixture(scope="module")
def trace():
    """3000 Gaussians (three memory chunks), lists of up to about a thousand entries."""
    return record(3000, 1)


@pytest.fixture(scope="module")
def program(trace, machine):
    return METHOD.program(trace, machine, None, CONFIG)


def changed(machine, path, value):
    """A machine with one constant replaced, e.g. units.vru.count."""
    data = machine.model_dump()
    part = data
    for key in path.split("."):
        part = part[key]
    part.update(value=value, low=value, high=value)
    return type(machine).model_validate(data)


def tasks(program, stage):
    return np.flatnonzero(program.stage == program.stages.index(stage))


def stage_bytes(program, stage):
    runs = program.runs
    return sum(int(runs.size[runs.ptr[t] : runs.ptr[t + 1]].sum()) for t in tasks(program, stage))


def fetched_chunks(trace):
    """Chunks that a tile consumes, and one ahead of its early termination."""
    fetched = []
    at = 0
    column = trace.columns
    for count in column["tile.buckets"]:
        used = int((column["bucket.consumed"][at : at + count] > 0).sum())
        fetched += list(range(at, at + min(used + 1, count)))
        at += count
    return fetched


class SteadyDram:
    """A memory of constant bandwidth: streams one after the other."""

    def __init__(self, bytes_per_us):
        self.rate = bytes_per_us
        self.free = 0
        self.served_bytes = 0

    def serve(self, now_ps, address, size, write):
        self.served_bytes += int(size.sum())
        self.free = max(self.free, now_ps) + int(size.sum()) * 10**6 // self.rate
        return self.free

    def counts(self, until_ps):
        return {}


def test_bytes_of_every_stream_are_the_traces_counts(trace, program):
    counts = trace.meta["counts"]
    bytes_of = {stage: stage_bytes(program, stage) for stage in program.stages}
    assert bytes_of["read parameters"] == 3000 * (3 + 3 + 4 + 1 + 12) * 4
    assert bytes_of["write features"] == counts["visible"] * 32
    assert bytes_of["write lists"] == bytes_of["read lists"] == counts["pairs"] * 8
    fetched = trace.columns["bucket.entries"][fetched_chunks(trace)].sum()
    assert bytes_of["gather features"] == fetched * 32
    assert bytes_of["write pixels"] == WIDTH * HEIGHT * 4
    assert bytes_of["write split lists"] == bytes_of["read split lists"] == 0
    assert program.actions["feature/write_bytes"] == fetched * 32
    writes = {program.stages[s] for s in program.stage[program.write]}
    assert writes == {"write features", "write lists", "write pixels"}


def test_gathers_touch_the_records_of_the_chunks_fetched(trace, program):
    layout = DramLayout.of(trace)
    runs = program.runs
    records = []
    for task in tasks(program, "gather features"):
        for i in range(runs.ptr[task], runs.ptr[task + 1]):
            first, rest = divmod(int(runs.address[i]) - layout.features, 32)
            assert rest == 0
            records += range(first, first + int(runs.size[i]) // 32)
    starts = np.concatenate([[0], np.cumsum(trace.columns["bucket.entries"])])
    wanted = [
        trace.columns["pair.gaussian"][starts[c] : starts[c + 1]] for c in fetched_chunks(trace)
    ]
    assert sorted(records) == sorted(np.concatenate(wanted).tolist())


def test_regions_do_not_overlap_and_each_byte_is_written_once(program):
    runs, ptr = program.runs, program.runs.ptr
    ranges = [
        (int(runs.address[i]), int(runs.address[i] + runs.size[i]))
        for t in np.flatnonzero(program.write)
        for i in range(ptr[t], ptr[t + 1])
    ]
    ranges.sort()
    assert all(a[1] <= b[0] for a, b in pairwise(ranges))


def test_list_writes_combine_neighbours_of_one_flush():
    slot = np.array([0, 10, 1, 11, 2, 12, 13, 3], np.int32)
    runs = list_write_runs(slot, np.array([5, 0, 3]), 4, 1000, 8)
    # token 0: flush {0, 10, 1, 11}, then {2}; token 2: flush {12, 13, 3}
    assert runs.ptr.tolist() == [0, 3, 3, 5]
    assert runs.address.tolist() == [1000, 1080, 1016, 1024, 1096]
    assert runs.size.tolist() == [16, 16, 8, 8, 16]


def test_busy_times_are_the_closed_forms(trace, program, machine):
    busy = {s: int(program.duration_ps[tasks(program, s)].sum()) for s in program.stages}
    column, counts = trace.columns, trace.meta["counts"]
    filled = int((column["tile.pairs"] > 0).sum())
    # 16 VRUs per core: 4 cycles of 1 ns per (Gaussian, 8 x 8 subtile), 192 to drain each tile
    assert busy["blend"] == (4 * counts["subtile_work"] + 192 * filled) * 1000
    # 2 QSUs per core, 64 cycles of latency per pass
    split = -(-column["tile.sort_moved"] // 2) + 64 * column["tile.sort_passes"]
    assert busy["split lists"] == int(split.sum()) * 1000
    cycles = 0
    for entries in column["bucket.entries"][fetched_chunks(trace)]:
        passes = runs = -(-int(entries) // 16)
        levels = 1
        while runs > 1:
            runs = -(-runs // 2)
            levels += 1
        cycles += (passes + 4) * levels
    assert busy["sort chunks"] == cycles * 1000
    convert = sum(
        -(-max(int(g), int(t)) // 4)
        for g, t in zip(column["chunk.gaussians"], column["chunk.tests"])
    )
    assert busy["cull and convert"] == (convert + 128) * 1000


def test_frame_time_respects_its_bounds(trace, program, machine):
    schedule = execute(program, row_dram(machine, None))
    peak_bytes_per_ps = 51.2e9 / 1e12
    moved = int(schedule.dram_bytes.sum())
    assert schedule.makespan_ps >= moved / peak_bytes_per_ps
    assert schedule.makespan_ps >= program.duration_ps[tasks(program, "blend")].sum() / 4
    barrier = tasks(program, "all lists complete")[0]
    start, finish = schedule.start_ps, schedule.finish_ps
    assert finish[tasks(program, "write lists")].max() <= start[barrier]
    assert start[tasks(program, "read lists")].min() >= finish[barrier]
    # every tile's pixels are written after its last blend, and all tiles are written
    assert len(tasks(program, "write pixels")) == trace.meta["counts"]["tiles"]
    assert finish[tasks(program, "write pixels")].max() > finish[tasks(program, "blend")].max()


def test_with_a_boundless_memory_the_render_units_set_the_time(trace, machine):
    program = METHOD.program(trace, machine, None, CONFIG)
    makespan = execute(program, SteadyDram(10**9)).makespan_ps
    longest = max(
        program.duration_ps[tasks(program, "blend")].sum() / 4,
        program.duration_ps[tasks(program, "cull and convert")].sum(),
    )
    assert longest <= makespan <= 2.5 * longest + 10**7


@pytest.mark.parametrize("part", ["units.vru.count", "units.qsu.count"])
def test_more_units_are_never_slower(machine, part):
    base = {"units.vru.count": 16, "units.qsu.count": 4}[part]
    trace = record(3000, 1, parameters=GscoreParameters(chunk=32))  # most lists need pivot passes
    times = []
    for factor in (1, 2, 4, 8):
        fitted = changed(machine, part, base * factor)
        program = METHOD.program(trace, fitted, None, CONFIG)
        times.append(execute(program, SteadyDram(51_200)).makespan_ps)
    assert times == sorted(times, reverse=True)
    assert times[-1] < times[0]


def test_more_bandwidth_is_never_slower(trace, program, machine):
    times = [execute(program, SteadyDram(rate)).makespan_ps for rate in (6_400, 25_600, 51_200)]
    assert times == sorted(times, reverse=True)
    times = [
        execute(program, row_dram(changed(machine, "memory.channels", n), None)).makespan_ps
        for n in (2, 4, 8, 16)
    ]
    assert times == sorted(times, reverse=True)


def test_lists_beyond_the_sort_buffer_go_through_dram_again(machine):
    trace = record(1500, 3, spread=0.15, log_scale=-1.5)
    # 4 cores x 256 entries x 8 bytes: lists beyond 256 entries once more, beyond 2048 twice
    small = changed(machine, "buffers.sort.capacity_bytes", 8192)
    program = METHOD.program(trace, small, None, CONFIG)
    pairs = trace.columns["tile.pairs"]
    assert (pairs > 256).any()
    expected = int(pairs[pairs > 256].sum() + pairs[pairs > 2048].sum()) * 8
    assert stage_bytes(program, "write split lists") == expected
    assert stage_bytes(program, "read split lists") == expected
    smaller = execute(program, row_dram(small, None))
    roomy = execute(METHOD.program(trace, machine, None, CONFIG), row_dram(machine, None))
    assert smaller.makespan_ps >= roomy.makespan_ps


@pytest.mark.parametrize(("buffer", "capacity"), [("pixel", 8192), ("gaussian_fifo", 4 * 92)])
def test_smaller_buffers_let_less_overlap(trace, program, machine, buffer, capacity):
    small = changed(machine, f"buffers.{buffer}.capacity_bytes", capacity)
    tight = METHOD.program(trace, small, None, CONFIG)
    times = [execute(p, SteadyDram(6_400)).makespan_ps for p in (program, tight)]
    assert times[0] < times[1]


@pytest.mark.parametrize(
    ("stage", "buffer"),
    [("cull and convert", "gaussian_fifo"), ("sort chunks", "sort"), ("blend", "feature")],
)
def test_ports_bound_the_stages(trace, program, machine, stage, buffer):
    narrow = changed(changed(machine, f"buffers.{buffer}.banks", 1),
                     f"buffers.{buffer}.word_bits", 32)  # fmt: skip
    slow = METHOD.program(trace, narrow, None, CONFIG)
    slow_busy, busy = (int(p.duration_ps[tasks(p, stage)].sum()) for p in (slow, program))
    assert slow_busy > busy


def test_fewer_coefficients_take_fewer_operations(trace, program):
    counts = trace.meta["counts"]
    # degree 1: twelve coefficients times their functions, three of which scale the direction
    full = filter_total("fine", 3).multiplications
    each = filter_total("fine", 1).multiplications
    assert full - each == 3 * (16 - 4) + 12 + 22
    unseen = 3000 - counts["visible"]
    expected = 9 * unseen + each * counts["visible"] + 4 * counts["candidates"]
    assert program.actions["ccu/fp32_mul"] == expected


def test_subtile_skipping_saves_render_time(machine):
    busy = {}
    for subtile in (8, 16):
        trace = record(3000, 1, parameters=GscoreParameters(subtile=subtile))
        program = METHOD.program(trace, machine, None, GscoreConfig(subtile=subtile))
        busy[subtile] = int(program.duration_ps[tasks(program, "blend")].sum())
    assert busy[8] < busy[16]


def test_a_frame_runs_from_trace_to_checked_result(trace, program, machine):
    frame = simulate(program, machine, None, "camera")
    assert frame.time_ps > 0
    assert {"ccu", "qsu", "bsu", "vru", "dram"} <= set(frame.time_by_cause_ps)
    assert all(i.low <= i.value <= i.high for i in frame.energy_by_component_pj.values())
    assert frame.dram_bytes_by_stream["parameters/read"] >= 3000 * 92


def test_chunks_ahead_of_the_termination_are_fetched_but_not_blended(machine):
    trace = record(4000, 2, spread=0.3, log_scale=-0.5, parameters=GscoreParameters(chunk=64))
    column = trace.columns
    used = int((column["bucket.consumed"] > 0).sum())
    assert used < len(fetched_chunks(trace)) < len(column["bucket.entries"])
    program = METHOD.program(trace, machine, None, GscoreConfig(chunk=64))
    filled = int((column["tile.pairs"] > 0).sum())
    busy = int(program.duration_ps[tasks(program, "blend")].sum())
    assert busy == (4 * trace.meta["counts"]["subtile_work"] + 192 * filled) * 1000
    assert execute(program, row_dram(machine, None)).makespan_ps > 0


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("units.vru.count", 63, "63 vru cannot be shared by 4 cores"),
        ("units.qsu.count", 2, "2 qsu cannot be shared by 4 cores"),
        ("buffers.sort.capacity_bytes", 4096, "4096 bytes of sort are too few for chunks of 256"),
        ("buffers.feature.capacity_bytes", 32768, "32768 bytes of feature are too few"),
        ("buffers.tile_list.capacity_bytes", 8, "8 bytes of tile_list are too few"),
        ("buffers.pixel.capacity_bytes", 8191, "8191 bytes of pixel are too few for a tile of 16x"),
        ("buffers.gaussian_fifo.capacity_bytes", 367, "367 bytes of gaussian_fifo are too few"),
    ],
)
def test_machines_that_do_not_fit_are_refused(trace, machine, path, value, message):
    with pytest.raises(ConfigError, match=message) as caught:
        METHOD.program(trace, changed(machine, path, value), None, CONFIG)
    assert caught.value.place.startswith(f"gscore: {path.rsplit('.', 1)[0]}")
    assert caught.value.remedy


def test_other_machines_and_modes_are_refused(trace, machine):
    gpu = load_machine("orin-nx-16gb")
    with pytest.raises(ConfigError, match="orin-nx-16gb is a gpu"):
        METHOD.program(trace, gpu, None, CONFIG)
    with pytest.raises(ConfigError, match="no power modes, found 'MAXN'"):
        METHOD.program(trace, machine, "MAXN", CONFIG)
    data = machine.model_dump()
    del data["units"]["qsu"]
    with pytest.raises(ConfigError, match="needs unit 'qsu'"):
        METHOD.program(trace, type(machine).model_validate(data), None, CONFIG)


def test_the_machine_is_the_published_one(machine):
    """Counts, and the units' share of the published 3.95 mm2 (2.70 beside 1.25 of buffers)."""
    units = machine.units
    assert {n: int(u.count.value) for n, u in units.items()} == {
        "ccu": 4, "qsu": 8, "bsu": 4, "vru": 64,
    }  # fmt: skip
    area = sum(u.count.value * u.area_mm2.value for u in units.values())
    assert area == pytest.approx(2.70, abs=0.005)
    power_mw = sum(u.count.value * u.dynamic_pj_per_item.value for u in units.values())
    assert power_mw == pytest.approx(870 - 40, abs=5)  # at one item per ns; 40 are the buffers'
    assert sum(b.capacity_bytes.value for b in machine.buffers.values()) == 248 * 1024


def test_guesses_are_marked(machine):
    guesses = [c for c in CONSTANTS.values() if c.assumed]
    assert len(METHOD.assumed()) == len(guesses) > 0
    for c in CONSTANTS.values():
        assert c.assumed == c.source.startswith("assumed")
    for text in METHOD.assumed().values():
        assert "assumed" in text


def test_the_traces_key_is_all_but_the_kind():
    assert METHOD.trace_parameters(CONFIG) == {
        "subtile": 8, "chunk": 256, "obb_min_aspect": 2.0, "obb_sigmas": 3.0,
    }  # fmt: skip
    assert GscoreConfig().parameters() == GscoreParameters()
