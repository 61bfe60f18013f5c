"""StreamingGS's program: times by hand, bytes that equal the trace's, scaling laws, errors."""

import numpy as np
import pytest
from pydantic import ValidationError
from streaminggs_cases import (
    LATENCY,
    MACHINE,
    NS,
    FixedDram,
    make_trace,
    program_of,
    random_trace,
    times,
    with_buffer,
    with_fifo,
    with_unit,
)

from archsim.arch.load import load_machine
from archsim.base.errors import ConfigError
from archsim.sim.gs3d.streaminggs import METHOD, StreamingGsConfig
from archsim.sim.gs3d.streaminggs_sort import sort_passes
from archsim.sim.gs3d.streaminggs_tokens import Layout, cut_tokens
from archsim.sim.kernel import execute
from archsim.sim.simulate import simulate


def test_one_voxel_of_one_group_by_hand():
    trace = make_trace([[(0, 80, 32, 50)]], [320], resolution=(32, 32))
    program = program_of(trace)
    schedule = execute(program, FixedDram(50 * NS))
    sampled = 1600 // 16 + LATENCY["sampler"]
    # four voxels met on rays, one emitted
    ordered = sampled + 4 + 1 + LATENCY["voxel_sorter"]
    filtered = ordered + 50 + 50 + 320 * 10 // 16 + LATENCY["cfu"]  # directory, coarse half
    shaded = filtered + 50 + 80 * 10 // 4 + LATENCY["ffu"]
    # 32 entries: two blocks in one cycle on four units, once sorted and once merged
    ranked = shaded + 2 * (1 + LATENCY["bsu"])
    # the state of 16 subtiles of 64 pixels of 8 bytes comes through four banks of 32 bytes
    drawn = ranked + 16 * 64 * 8 // 128 + LATENCY["vru"]
    assert schedule.makespan_ps == (drawn + 50) * NS
    for stage, finish in (
        ("sample rays", sampled), ("order voxels", ordered), ("coarse filter", filtered),
        ("fine filter", shaded), ("sort voxel", ranked), ("render", drawn),
    ):  # fmt: skip
        assert times(program, schedule, stage)[1].tolist() == [finish * NS]


def test_addresses_lie_in_two_halves_and_neighbours_are_one_run():
    keep = {3: np.array([0, 1, 4]), 2: np.array([2, 3])}
    trace = make_trace(
        [[(1, 3, 1, 1), (0, 2, 1, 1)]], [5, 6], resolution=(32, 20), keep=lambda c: keep[int(c)]
    )
    dram = FixedDram()
    execute(program_of(trace), dram)
    layout = Layout.of(trace)
    assert (layout.coarse_bytes, layout.fine_bytes) == (16, 55 * 4)
    assert layout.coarse == 4096  # a directory of two voxels takes a page
    assert layout.fine == 8192
    assert layout.frame == 12288
    reads = [(a.tolist(), s.tolist()) for _, a, s, write in dram.streams if not write]
    assert reads[0] == ([8, 0], [8, 8])
    assert reads[1] == ([4096 + 5 * 16], [6 * 16])
    assert reads[2] == ([4096], [5 * 16])
    assert reads[3] == ([8192 + 5 * 220, 8192 + 9 * 220], [2 * 220, 220])
    assert reads[4] == ([8192 + 2 * 220], [2 * 220])
    ((_, address, size, _),) = [s for s in dram.streams if s[3]]
    assert address.tolist() == [12288 + 128 * y for y in range(20)]
    assert size.tolist() == [128] * 20


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("max_tasks", [60_000, 1000])
def test_bytes_and_work_equal_the_trace(seed, max_tasks):
    trace = random_trace(seed, groups=80, voxels=60)
    trace.meta["resolution"] = [32 * 8, 32 * 10]
    program = program_of(trace, max_tasks=max_tasks)
    assert program.tasks <= max_tasks
    columns = trace.columns
    moved = {}
    for number, stream in enumerate(program.streams):
        tasks = np.flatnonzero(program.stream == number)
        moved[stream] = sum(
            int(program.runs.size[program.runs.ptr[t] : program.runs.ptr[t + 1]].sum())
            for t in tasks
        )
    assert moved == {
        "directory": 8 * len(columns["visit.voxel"]),
        "coarse": 16 * int(columns["visit.loaded"].sum()),
        "fine": 220 * int(columns["visit.coarse_pass"].sum()),
        "pixels": 4 * 256 * 320,
    }
    assert program.actions["cfu/items"] == columns["visit.loaded"].sum()
    # operations as counted, divisions and roots beside 26 and 195 multiply-accumulates
    assert program.actions["cfu/fp32_add"] == 23 * columns["visit.loaded"].sum()
    assert program.actions["ffu/fp32_mul"] == 182 * columns["visit.coarse_pass"].sum()
    assert program.actions["ffu/div"] == 20 * columns["visit.coarse_pass"].sum()
    assert program.actions["vru/exp"] == columns["visit.alpha_tests"].sum()
    assert program.actions["coarse/read_bytes"] == moved["coarse"]
    assert program.actions["fine/write_bytes"] == 236 * columns["visit.coarse_pass"].sum()


def test_many_visits_share_tokens_but_groups_do_not():
    trace = random_trace(5, groups=80, voxels=60)
    visits = np.diff(trace.columns["group.start"])
    alone, together = cut_tokens(trace, 60_000), cut_tokens(trace, 1000)
    assert alone.group.size == visits.sum()
    assert together.group.size < alone.group.size
    assert sorted(set(together.group)) == np.flatnonzero(visits).tolist()
    for tokens in (alone, together):
        assert (np.diff(tokens.visit_start) > 0).all()
        loaded = trace.columns["visit.loaded"]
        assert tokens.sum(loaded).sum() == loaded.sum()
        owner = np.repeat(np.arange(visits.size), visits)
        assert (owner[tokens.visit_start[:-1]] == tokens.group).all()
        assert (owner[tokens.visit_start[1:] - 1] == tokens.group).all()


def test_stages_overlap_and_a_slow_stage_sets_the_pace():
    # per voxel: 1000 Gaussians take 625 cycles of coarse filter, everything else far less
    trace = make_trace([[(v, 10, 5, 5) for v in range(20)]], [1000] * 20, resolution=(32, 32))
    program = program_of(trace)
    schedule = execute(program, FixedDram(10 * NS))
    start, finish = times(program, schedule, "coarse filter")
    assert (start[1:] == finish[:-1]).all()
    ends = schedule.makespan_ps - finish[-1]
    assert ends < 2 * (LATENCY["ffu"] + LATENCY["vru"] + 60) * NS
    # and with a slow memory the coarse filter waits for it
    slow = execute(program, FixedDram(5000 * NS))
    start, finish = times(program, slow, "coarse filter")
    assert (start[2:] - finish[1:-1] > 0).any()


@pytest.mark.parametrize("unit", ["sampler", "voxel_sorter", "cfu", "ffu", "bsu", "vru"])
@pytest.mark.parametrize("seed", range(3))
def test_twice_as_many_units_are_never_slower(unit, seed):
    trace = random_trace(seed)
    base = execute(program_of(trace), FixedDram()).makespan_ps
    doubled = with_unit(unit, count=2 * MACHINE.units[unit].count.value)
    assert execute(program_of(trace, doubled), FixedDram()).makespan_ps <= base
    slowed = with_unit(unit, count=MACHINE.units[unit].count.value / 512)
    assert execute(program_of(trace, slowed), FixedDram()).makespan_ps > base


@pytest.mark.parametrize(("buffer", "capacity"), [("coarse", 64), ("fine", 512)])
def test_filters_stream_through_small_buffers_and_wait_more(buffer, capacity):
    trace = random_trace(7)
    slow = 2000 * NS  # several voxels must be under way to hide such a memory
    base, small = (
        execute(program_of(trace, with_fifo("survivors", 4096, machine)), FixedDram(slow))
        for machine in (MACHINE, with_buffer(buffer, capacity))
    )
    assert small.makespan_ps > base.makespan_ps  # two voxels at a time do not
    assert small.dram_bytes.sum() == base.dram_bytes.sum()


@pytest.mark.parametrize(
    ("buffer", "capacity", "fits", "record"), [("sort", 1024, 64, 8), ("feature", 4096, 64, 32)]
)
@pytest.mark.parametrize("max_tasks", [60_000, 1000])
def test_survivors_that_do_not_fit_go_through_dram(buffer, capacity, fits, record, max_tasks):
    trace = random_trace(7, groups=80)
    trace.meta["resolution"] = [32 * 8, 32 * 10]
    survivors = trace.columns["visit.fine_pass"]
    program = program_of(trace, with_buffer(buffer, capacity), max_tasks=max_tasks)
    levels = np.where(survivors > fits, 1, 0)
    if buffer == "sort":  # parts of what half of the buffer holds, merged in pairs
        levels = sum((survivors > fits * 2**level).astype(int) for level in range(5))
    expected = int((survivors * levels).sum()) * record
    assert levels.max() >= 1
    assert (levels == 0).any()
    for stage, write in (("spill survivors", True), ("refill survivors", False)):
        tasks = np.flatnonzero(program.stage == program.stages.index(stage))
        assert (program.write[tasks] == write).all()
        runs = [slice(program.runs.ptr[t], program.runs.ptr[t + 1]) for t in tasks]
        assert sum(int(program.runs.size[r].sum()) for r in runs) == expected
        assert min(int(program.runs.address[r].min()) for r in runs) == Layout.of(trace).spill
    base = program_of(trace, max_tasks=max_tasks)
    assert "spill" not in base.streams
    more = program.actions[f"{buffer}/read_bytes"] - base.actions[f"{buffer}/read_bytes"]
    assert more == expected
    assert execute(program, FixedDram()).makespan_ps > execute(base, FixedDram()).makespan_ps


def test_tables_bound_the_groups_that_are_ordered_ahead():
    trace = make_trace([[(0, 100, 50, 400)]] * 6, [200], resolution=(96, 64))
    table = 6 * 1  # one voxel, no edges
    for held in (1, 2):
        program = program_of(trace, with_buffer("voxel_table", held * table))
        schedule = execute(program, FixedDram(3000 * NS))
        sampled, asked = (times(program, schedule, s) for s in ("sample rays", "stream coarse"))
        assert (sampled[0][held:] >= asked[1][:-held]).all()


@pytest.mark.parametrize(
    ("stage", "buffer"),
    [("sample rays", "rename"), ("order voxels", "voxel_table"), ("coarse filter", "coarse"),
     ("fine filter", "fine"), ("sort voxel", "sort"), ("render", "feature"), ("render", "pixel")],
)  # fmt: skip
def test_ports_bound_every_stage(stage, buffer):
    trace = random_trace(3)
    base = program_of(trace)
    banks = MACHINE.buffers[buffer].banks
    one = banks.model_copy(update={"value": banks.value / 512})
    changed = MACHINE.buffers[buffer].model_copy(update={"banks": one})
    machine = MACHINE.model_copy(update={"buffers": {**MACHINE.buffers, buffer: changed}})
    program = program_of(trace, machine)
    tasks = np.flatnonzero(program.stage == program.stages.index(stage))
    read, write = (program.actions.get(f"{buffer}/{d}_bytes", 0) for d in ("read", "write"))
    assert program.duration_ps[tasks].sum() > base.duration_ps[tasks].sum()
    assert execute(program, FixedDram()).makespan_ps > execute(base, FixedDram()).makespan_ps
    assert read + write > 0


def test_the_pixel_buffer_bounds_the_groups_in_work():
    groups = [[(0, 100, 50, 400)]] * 6
    trace = make_trace(groups, [200], resolution=(96, 64))
    one_group = 32 * 32 * 8
    for held in (1, 2):
        program = program_of(trace, with_buffer("pixel", held * one_group))
        schedule = execute(program, FixedDram(3000 * NS))
        rendered, written = (
            times(program, schedule, "render"),
            times(program, schedule, "write pixels"),
        )
        assert (rendered[0][held:] >= written[1][:-held]).all()


def test_a_frame_on_the_machine_keeps_its_bounds():
    trace = random_trace(11)
    frame = simulate(program_of(trace), MACHINE, None, "front")
    assert set(frame.dram_bytes_by_stream) == {
        "coarse/read", "directory/read", "fine/read", "pixels/write"
    }  # fmt: skip
    assert frame.dram_bytes_by_stream["pixels/write"] == 4 * 128 * 96
    for stream, size in (("coarse", "visit.loaded"), ("fine", "visit.coarse_pass")):
        record = 16 if stream == "coarse" else 220
        assert frame.dram_bytes_by_stream[f"{stream}/read"] >= record * trace.columns[size].sum()
    assert all(part.low <= part.value <= part.high for part in
               frame.energy_by_component_pj.values())  # fmt: skip


def test_an_empty_frame_still_writes_its_pixels():
    trace = random_trace(1)
    visits = [c for c in trace.columns if c.startswith("visit.") and c != "visit.survivor_start"]
    for name in (*visits, "survivor.rank"):
        trace.columns[name] = trace.columns[name][:0]
    trace.columns["visit.survivor_start"] = np.zeros(1, np.int64)
    for name in ("group.nodes", "group.edges", "group.hits", "group.start"):
        trace.columns[name] = np.zeros_like(trace.columns[name])
    program = program_of(trace)
    dram = FixedDram()
    execute(program, dram)
    assert dram.served_bytes == 4 * 128 * 96


def test_bitonic_passes():
    passes = sort_passes(np.array([0, 1, 16, 17, 64, 65]))
    assert passes.blocks.tolist() == [0, 1, 1, 2, 4, 5]
    assert passes.levels.tolist() == [0, 0, 0, 1, 2, 3]
    assert passes.total == 0 + 1 + 1 + 4 + 12 + 20
    # Batcher: 16 keys take 80 comparators, merging two sorted runs 32 per block
    assert sort_passes(np.array([16])).comparators == 80
    assert sort_passes(np.array([17])).comparators == 2 * 80 + 2 * 32
    unit = MACHINE.units["bsu"]
    assert passes.cycles(unit).tolist() == [0, 5, 5, 10, 15, 24]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"group": (40, 40)}, "not made of 16x16 tiles; use multiples of 16"),
        ({"voxel_size": "1/16"}, "'1/16' is not understood; write a length"),
        ({"ray_stride": 0}, "found 0, expected a whole number of pixels"),
        ({"order": "nearest"}, "'dag', 'dag-depth', 'l1'"),
        ({"voxels": 3}, "Extra inputs are not permitted"),
    ],
)
def test_wrong_parameters_are_named(change, text):
    with pytest.raises(ValidationError, match=text):
        StreamingGsConfig(**change)


def test_a_machine_that_cannot_hold_a_group_says_what_closes_the_gap():
    trace = random_trace(2)
    with pytest.raises(ConfigError) as error:
        program_of(trace, with_buffer("pixel", 4096))
    assert str(error.value) == (
        "streaminggs: buffers.pixel.capacity_bytes: the pixels of one group take 8192 bytes of "
        "buffer pixel, which holds 4096 (4096 too few)\n"
        "  remedy: use smaller groups, or a buffer of at least 8192 bytes"
    )
    with pytest.raises(ConfigError, match="larger voxels"):
        program_of(trace, with_buffer("rename", 8))
    for buffer, need in (("coarse", 32), ("fine", 472), ("sort", 256), ("feature", 1024)):
        with pytest.raises(ConfigError, match=f"take {need} bytes of buffer {buffer}, which"):
            program_of(trace, with_buffer(buffer, need - 1))
        program_of(trace, with_buffer(buffer, need))


def test_other_machines_are_refused():
    trace = random_trace(2)
    with pytest.raises(ConfigError, match="runs on an accelerator, and orin-nx-16gb is a GPU"):
        program_of(trace, load_machine("orin-nx-16gb"))
    with pytest.raises(ConfigError, match="needs unit 'sampler', which machine gscore lacks"):
        program_of(trace, load_machine("gscore"))


def test_guesses_are_listed():
    assumed = METHOD.assumed()
    assert "method.directory_bytes" in assumed
    assert "method.parameter_bytes" not in assumed
    parameters = {
        "voxel_size": "extent/16", "group": [64, 64], "order": "dag", "ray_stride": 1,
        "vq": "trained", "codebooks": {"scale": 4096, "rotation": 4096, "dc": 4096, "sh": 512},
        "codebook_seed": 0, "alignment_bytes": 32, "finetuned": None,
        "rays_abreast": 16,
    }  # fmt: skip
    assert METHOD.trace_parameters(StreamingGsConfig()) == parameters
    less = METHOD.trace_parameters(StreamingGsConfig(), "work")
    assert less == {**parameters, "detail": "work"}
    other_sizes = StreamingGsConfig(vq="none", codebooks={"sh": 64})  # of codebooks not used
    assert METHOD.trace_parameters(other_sizes) == METHOD.trace_parameters(
        StreamingGsConfig(vq="none")
    )
