"""Time by cause: hand-made waits, and sums that must come out for every program."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from archsim.base.errors import DeadlockError
from archsim.sim.causes import CAUSES, time_by_cause_ps
from archsim.sim.kernel import execute
from archsim.sim.program import Edge, MemoryRuns, ProgramBuilder


def by_cause(program, dram=None):
    return time_by_cause_ps(program, execute(program, dram))


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_causes_add_up_to_the_makespan_times_servers(programs, counting_dram, data):
    program = data.draw(programs())
    try:
        schedule = execute(program, counting_dram())
    except DeadlockError:
        assume(False)
    causes = time_by_cause_ps(program, schedule)
    for index, unit in enumerate(program.units):
        mine = causes[unit.name]
        assert tuple(mine) == CAUSES
        assert min(mine.values()) >= 0
        servers = 1 if unit.dram else unit.servers
        assert sum(mine.values()) == schedule.makespan_ps * servers
        if not unit.dram:
            assert mine["busy"] == program.duration_ps[program.unit == index].sum()


@pytest.mark.parametrize(
    ("kind", "cause"),
    [
        (Edge.ORDER, "starved"),
        (Edge.DATA, "starved"),
        (Edge.CREDIT, "blocked"),
        (Edge.MEMORY, "memory"),
    ],
)
def test_a_wait_belongs_to_the_kind_of_its_last_edge(kind, cause):
    builder = ProgramBuilder()
    early, late = (builder.compute(builder.unit(n), n, d) for n, d in (("early", 3), ("late", 7)))
    task = builder.compute(builder.unit("unit"), "x", 5)
    builder.edge(early, task, Edge.MEMORY)
    builder.edge(late, task, kind)
    expected = dict.fromkeys(CAUSES, 0) | {"busy": 5, cause: 7}
    assert by_cause(builder.build())["unit"] == expected


@pytest.mark.parametrize(
    ("kinds", "cause"),
    [
        ((Edge.DATA, Edge.CREDIT, Edge.MEMORY), "memory"),
        ((Edge.CREDIT, Edge.DATA), "blocked"),
        ((Edge.ORDER, Edge.DATA), "starved"),
    ],
)
def test_on_ties_memory_goes_before_credit_before_data(kinds, cause):
    builder = ProgramBuilder()
    before = [builder.compute(builder.unit(f"u{k}"), "before", 4) for k in kinds]
    task = builder.compute(builder.unit("unit"), "x", 1)
    for first, kind in zip(before, kinds):
        builder.edge(first, task, kind)
    assert by_cause(builder.build())["unit"][cause] == 4


def test_waiting_for_room_is_blocked():
    builder = ProgramBuilder()
    fetch = builder.compute(builder.unit("fetch"), "fetch", [2, 2])
    use = builder.compute(builder.unit("use"), "use", [10, 10])
    builder.edge(fetch, use)
    builder.claim(fetch, builder.room("buffer", 1, "items"), 1, use)
    causes = by_cause(builder.build())
    # fetch: 0-2, waits for room until 12, 12-14, then nothing more to do until 24
    assert causes["fetch"] == {"busy": 4, "starved": 10, "blocked": 10, "memory": 0}
    assert causes["use"] == {"busy": 20, "starved": 4, "blocked": 0, "memory": 0}


def test_room_that_comes_with_the_data_is_blamed_for_the_wait():
    builder = ProgramBuilder()
    holder = builder.compute(builder.unit("other"), "holder", 6)
    task = builder.compute(builder.unit("unit"), "x", 1)
    builder.edge(holder, task)
    builder.claim(np.array([holder[0], task[0]]), builder.room("r", 1, "items"), 1,
                  [holder[0], task[0]])  # fmt: skip
    assert by_cause(builder.build())["unit"]["blocked"] == 6


def test_a_task_behind_another_of_an_in_order_unit_waits_for_the_same_reason():
    builder = ProgramBuilder()
    slow = builder.compute(builder.unit("slow"), "slow", 9)
    head, _ = builder.compute(builder.unit("pair", servers=2), "x", [1, 1])
    builder.edge(slow, head, Edge.MEMORY)
    # both servers idle for 9: the second task was held up by the first alone
    assert by_cause(builder.build())["pair"] == {
        "busy": 2, "starved": 0, "blocked": 0, "memory": 18,
    }  # fmt: skip


def test_a_dram_unit_is_busy_while_its_pins_move_data(counting_dram):
    builder = ProgramBuilder()
    compute = builder.compute(builder.unit("core"), "x", [4, 10])
    dram = builder.unit("dram", servers=4, in_order=False, dram=True)
    runs = MemoryRuns(np.arange(5), np.arange(4) * 8, np.full(4, 8))
    fetch = builder.memory(dram, "fetch", "data", runs, write=False)
    builder.edge(compute[0], fetch)
    program = builder.build()
    schedule = execute(program, counting_dram())
    # services of 0, 1, 2 and 3 ps from 4 on; the pins of the two channels move data for 1 + 3 ps
    schedule = replace(schedule, dram_counts={"busy_ps/0": 1, "busy_ps/1": 3})
    assert time_by_cause_ps(program, schedule)["dram"] == {
        "busy": 2, "starved": 4 + 7, "blocked": 0, "memory": 1,
    }  # fmt: skip


def test_a_unit_without_tasks_starves():
    builder = ProgramBuilder()
    builder.unit("idle", servers=3)
    builder.compute(builder.unit("unit"), "x", 5)
    assert by_cause(builder.build())["idle"] == {
        "busy": 0, "starved": 15, "blocked": 0, "memory": 0,
    }  # fmt: skip
