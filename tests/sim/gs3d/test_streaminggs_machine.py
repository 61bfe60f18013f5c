"""What the StreamingGS machine adds to its pipeline: filter rules, clusters, queues, overflow."""

import dataclasses
import gc
import weakref

import numpy as np
import pytest
from streaminggs_cases import (
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
from archsim.sim.bounds import lower_bounds
from archsim.sim.fullness import buffer_fullness
from archsim.sim.gs3d.memo import remembered
from archsim.sim.gs3d.streaminggs_filter import passed_gaussians
from archsim.sim.kernel import execute
from archsim.traces.gs3d.streaminggs.reuse import FILTER_ENTRIES


def stream_bytes(program):
    runs, moved = program.runs, {}
    for number, name in enumerate(program.streams):
        mine = np.flatnonzero(program.stream == number)
        moved[name] = sum(int(runs.size[runs.ptr[t] : runs.ptr[t + 1]].sum()) for t in mine)
    return moved


@pytest.mark.parametrize("seed", range(3))
def test_without_the_coarse_filter_whole_records_are_read_and_projected(seed):
    trace = random_trace(seed)
    loaded = int(trace.columns["visit.loaded"].sum())
    both, fine, none = (program_of(trace, filter=rule) for rule in ("both", "fine", "none"))
    assert stream_bytes(fine)["fine"] == 220 * loaded
    assert stream_bytes(fine)["coarse"] == stream_bytes(both)["coarse"] == 16 * loaded
    assert "coarse filter" not in fine.stages
    assert (fine.actions["cfu/items"], fine.actions["ffu/items"]) == (0, loaded)
    # the fine filter is exact: as much is sorted and rendered as with both
    for action in ("bsu/items", "vru/items", "feature/write_bytes"):
        assert fine.actions[action] == both.actions[action]
    assert none.actions["feature/write_bytes"] == 32 * loaded
    assert none.actions["vru/items"] == both.actions["vru/items"]
    spans = [execute(program, FixedDram(5 * NS)).makespan_ps for program in (both, fine, none)]
    assert spans == sorted(spans)


def test_a_cluster_with_all_survivors_is_four_times_as_slow():
    even = make_trace([[(0, 80, 10, 1)]], [320], resolution=(32, 32))
    one = make_trace(
        [[(0, 80, 10, 1)]], [320], resolution=(32, 32), keep=lambda n: 4 * np.arange(n)
    )
    for trace, cycles in ((even, 80 * 10 // 4), (one, 80 * 10)):
        start, finish = times(program_of(trace), execute(program_of(trace), FixedDram()),
                              "fine filter")  # fmt: skip
        assert (finish - start).tolist() == [(cycles + 128) * NS]
    counts = passed_gaussians(one, "both").in_clusters(one, 4)
    assert counts.tolist() == [[80, 0, 0, 0]]
    assert passed_gaussians(one, "fine").in_clusters(one, 4).tolist() == [[80, 80, 80, 80]]


def test_codebooks_decode_through_their_ports():
    trace = make_trace([[(0, 80, 10, 1)]], [320], resolution=(32, 32), fine_bytes=7)
    program = program_of(trace)
    # scale, rotation, base colour and 45 coefficients: 55 words a record
    assert program.actions["codebook/read_bytes"] == 80 * 220
    banks = MACHINE.buffers["codebook"].banks
    slow = MACHINE.buffers["codebook"].model_copy(
        update={"banks": banks.model_copy(update={"value": banks.value / 8})}
    )
    machine = MACHINE.model_copy(update={"buffers": {**MACHINE.buffers, "codebook": slow}})
    start, finish = times(program_of(trace, machine), execute(program_of(trace, machine),
                          FixedDram()), "fine filter")  # fmt: skip
    assert (finish - start).tolist() == [(80 * 220 // 16 + 128) * NS]
    with pytest.raises(Exception, match="the codebooks take 256000 bytes of buffer codebook"):
        program_of(trace, with_buffer("codebook", 200_000))


def test_tables_that_do_not_fit_go_through_dram_once():
    # three voxels of 6 bytes and two edges of 2 are 22 bytes
    trace = make_trace([[(v, 20, 5, 5) for v in range(3)]] * 4, [50] * 3, resolution=(64, 64))
    base, small = program_of(trace), program_of(trace, with_buffer("voxel_table", 10))
    assert "voxel tables" not in base.streams
    assert stream_bytes(small)["voxel tables"] == 2 * 4 * (22 - 10)
    more = small.actions["voxel_table/read_bytes"] - base.actions["voxel_table/read_bytes"]
    assert more == 4 * (22 - 10)
    assert execute(small, FixedDram()).makespan_ps > execute(base, FixedDram()).makespan_ps


@pytest.mark.parametrize("fifo", ["ray_hits", "voxel_queue", "survivors", "render_queue"])
def test_queues_hold_what_they_hold_and_deep_ones_wait_less(fifo):
    trace = random_trace(4)
    spans = []
    for depth in (2, 100_000):
        program = program_of(trace, with_fifo(fifo, depth))
        schedule = execute(program, FixedDram(500 * NS))
        row = next(r for r in buffer_fullness(program, schedule) if r["buffer"] == fifo)
        assert (row["capacity"], row["unit"]) == (depth, "items")
        assert 0 < row["peak"] <= depth
        spans.append(schedule.makespan_ps)
    assert spans[1] <= spans[0]
    assert program.actions[f"{fifo}/items"] > 0


def test_every_buffer_and_queue_of_the_machine_is_recorded():
    program = program_of(random_trace(4))
    rows = {r["buffer"]: r for r in buffer_fullness(program, execute(program, FixedDram()))}
    assert set(rows) == {*MACHINE.buffers, *MACHINE.fifos}
    for name, row in rows.items():
        assert 0 <= row["mean"] <= row["peak"] <= row["capacity"], name


def test_a_pair_filter_spares_the_sorter_what_it_holds_back():
    trace = random_trace(4)
    hits, passed = trace.columns["group.hits"], trace.columns["group.passed"]
    plain, filtered = program_of(trace), program_of(trace, load_machine("streaminggs-pair-filter"))
    spared = int(hits.sum() - passed[:, FILTER_ENTRIES.index(64)].sum())
    assert spared > 0
    assert plain.actions["voxel_sorter/items"] - filtered.actions["voxel_sorter/items"] == spared
    reads = [program.actions["voxel_table/read_bytes"] for program in (plain, filtered)]
    assert reads[0] - reads[1] == 8 * spared  # a voxel of 6 bytes and a target of 2
    writes = [program.actions["voxel_table/write_bytes"] for program in (plain, filtered)]
    assert writes[0] == writes[1]
    assert filtered.actions["pair_filter/items"] == hits.sum()
    assert "pair_filter/items" not in plain.actions
    spans = [execute(program, FixedDram(NS)).makespan_ps for program in (plain, filtered)]
    assert spans[1] <= spans[0]
    row = next(r for r in buffer_fullness(filtered, execute(filtered, FixedDram()))
               if r["buffer"] == "pair_filter")  # fmt: skip
    assert 0 < row["peak"] <= row["capacity"] == 64


def test_a_pair_filter_of_a_size_that_is_not_recorded_is_refused():
    machine = with_fifo("pair_filter", 48, load_machine("streaminggs-pair-filter"))
    with pytest.raises(ConfigError, match=r"a pair filter of 48 pairs is not recorded\n.*32, 64"):
        program_of(random_trace(4), machine)


def test_bounds_by_hand_from_the_trace():
    trace = random_trace(6)
    schedule = execute(program_of(trace), FixedDram(NS))

    class Dram:
        peak_bytes_per_s = 1e15

    rows = {r["unit"]: r["bound_ps"] for r in lower_bounds(program_of(trace), schedule, Dram())}
    total = {name: int(trace.columns[f"visit.{name}"].sum())
             for name in ("loaded", "coarse_pass", "subtile_work")}  # fmt: skip
    assert rows["cfu"] == total["loaded"] * 10 * NS // 16
    assert rows["ffu"] == total["coarse_pass"] * 10 * NS // 4
    assert rows["vru"] == total["subtile_work"] * NS
    assert rows["sampler"] == int(trace.columns["group.ray_steps"].sum()) * NS // 16
    assert rows["dram"] == int(schedule.dram_bytes.sum() / 1000)
    # a machine of one slow coarse unit takes about its bound
    slow = program_of(trace, with_unit("cfu", count=1))
    span = execute(slow, FixedDram(NS)).makespan_ps
    assert rows["cfu"] * 16 <= span < 1.05 * rows["cfu"] * 16


def test_what_follows_from_a_trace_is_kept_as_long_as_the_trace():
    trace = random_trace(1)
    asked = []
    for _ in range(2):
        assert remembered(trace, "sum", lambda: asked.append(1) or 7) == 7
    assert asked == [1]
    other = dataclasses.replace(trace)
    assert remembered(other, "sum", lambda: 8) == 8
    gone = weakref.ref(trace)
    del trace
    gc.collect()
    assert gone() is None
