"""Physical bounds: every executed program keeps them, and every broken one is named."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from archsim.base.errors import CheckError, DeadlockError
from archsim.sim.checks import check_run
from archsim.sim.dram.row import RowDram
from archsim.sim.kernel import execute
from archsim.sim.program import MemoryRuns, ProgramBuilder


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_executed_programs_keep_all_bounds(programs, counting_dram, data):
    program, dram = data.draw(programs()), counting_dram()
    try:
        schedule = execute(program, dram)
    except DeadlockError:
        assume(False)
    check_run(program, schedule)


def dram_run():
    """One task on a two-server unit after two fetches of 64 bytes, on real DRAM."""
    builder = ProgramBuilder()
    memory = builder.unit("dram", servers=2, in_order=False, dram=True)
    runs = MemoryRuns(np.array([0, 1, 2]), np.array([0, 4096]), np.array([64, 60]))
    fetch = builder.memory(memory, "fetch", "voxels", runs, write=False)
    core = builder.unit("core", servers=2)
    work = builder.compute(core, "blend", [100_000, 200_000])
    builder.edge(fetch, work)
    builder.claim(work, builder.room("buffer", 10, "items"), [4, 4], work)
    program = builder.build()
    dram = RowDram("lpddr4-3200", channels=1, interleave_bytes=256, mapping="row-bank-column")
    return program, execute(program, dram), dram


def changed(array, index, value):
    array = array.copy()
    array[index] = value
    return array


def test_a_run_on_real_dram_passes():
    check_run(*dram_run())


def test_each_broken_bound_is_named():
    program, good, dram = dram_run()
    first = int(good.finish_ps[0])
    cases = [
        (replace(good, start_ps=changed(good.start_ps, 0, -1)),
         r"task 0 \(fetch on dram\) starts at -1 ps, before the run"),
        (replace(good, finish_ps=changed(good.finish_ps, 2, 5)),
         r"task 2 \(blend on core\) finishes at 5 ps, before its start at "),
        (replace(good, start_ps=changed(good.start_ps, 2, first - 1)),
         rf"task 2 .* starts at {first - 1} ps, before task 0 \(fetch on dram\) finishes at"),
        (replace(good, finish_ps=changed(good.finish_ps, 2, good.start_ps[2] + 999)),
         r"task 2 .* took 999 ps instead of 100000 ps"),
        (replace(good, dram_bytes=changed(good.dram_bytes, 0, 96)),
         r"task 0 .* moved 96 bytes, but its runs are 64 bytes of whole bursts"),
        (replace(good, dram_counts=good.dram_counts | {"read_bursts": 5}),
         r"the DRAM counted 160 bytes, but its tasks moved 128"),
        (replace(good, dram_counts=good.dram_counts | {"busy_ps/0": 10**9}),
         r"DRAM channel 0 moved data for 1000000000 ps of a run of"),
    ]  # fmt: skip
    for bad, text in cases:
        with pytest.raises(CheckError, match=text):
            check_run(program, bad, dram)


def test_too_many_tasks_at_once_are_named():
    builder = ProgramBuilder()
    builder.compute(builder.unit("core"), "x", [5, 5])
    builder.compute(builder.unit("other"), "y", 20)
    program = builder.build()
    good = execute(program)
    overlapping = replace(good, start_ps=np.array([0, 2, 0]), finish_ps=np.array([5, 7, 20]))
    with pytest.raises(CheckError, match=r"core runs 2 tasks on 1 servers at 2 ps"):
        check_run(program, overlapping)


def test_a_room_overfull_or_given_back_too_early_is_named():
    program, good, dram = dram_run()
    small = replace(program, rooms=(replace(program.rooms[0], capacity=7),))
    with pytest.raises(CheckError, match=r"buffer holds 8 items at \d+ ps, more than its 7"):
        check_run(small, good, dram)
    late = replace(program, claim_release=np.zeros(2, np.int64))
    with pytest.raises(CheckError, match=r"takes buffer at \d+ ps, after it was given back at"):
        check_run(late, good, dram)


def test_moving_data_above_the_peak_is_named():
    program, good, dram = dram_run()
    start = changed(good.start_ps, 1, int(good.finish_ps[1]) - 9999)
    with pytest.raises(
        CheckError, match=r"task 1 .* moved 64 bytes in 9999 ps, faster than .* 6.4 GB/s"
    ):
        check_run(program, replace(good, start_ps=start), dram)


def test_more_work_than_time_is_named():
    builder = ProgramBuilder()
    builder.compute(builder.unit("core"), "x", [5, 5])
    program = builder.build()
    good = execute(program)
    overlapping = replace(good, start_ps=np.array([0, 0]), finish_ps=np.array([5, 5]))
    with pytest.raises(CheckError, match="core did 10 ps of work in 5 ps on 1 servers"):
        check_run(program, overlapping)
