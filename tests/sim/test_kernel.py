"""The kernel against hand-computed schedules, closed forms and an independent interpreter."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archsim.base.errors import ConfigError, DeadlockError
from archsim.sim.kernel import execute
from archsim.sim.program import Edge, MemoryRuns, ProgramBuilder


def interpret(program, dram):
    """Execute a program one picosecond at a time, straight from the rules; None: deadlock."""
    n = program.tasks
    preds = [program.pred[a:b].tolist() for a, b in zip(program.pred_ptr, program.pred_ptr[1:])]
    claims = [
        [
            (int(program.claim_room[c]), int(program.claim_amount[c]))
            for c in range(program.claim_task.size)
            if program.claim_task[c] == task
        ]
        for task in range(n)
    ]
    start, finish, ends = {}, {}, {}
    now = 0

    def level(room):
        return sum(
            int(program.claim_amount[c])
            for c in range(program.claim_task.size)
            if program.claim_room[c] == room
            and int(program.claim_task[c]) in start
            and int(program.claim_release[c]) not in finish
        )

    def ready_time(task):
        if any(p not in finish for p in preds[task]):
            return None
        return max((finish[p] for p in preds[task]), default=0)

    def has_room(task):
        return all(
            level(room) + sum(a for r, a in claims[task] if r == room)
            <= program.rooms[room].capacity
            for room, _ in claims[task]
        )

    def choose(index, unit):
        waiting = [t for t in range(n) if program.unit[t] == index and t not in start]
        if unit.in_order:
            head = waiting[:1]
            return [t for t in head if ready_time(t) is not None and has_room(t)]
        blocked_sets = []
        for _, task in sorted((ready_time(t), t) for t in waiting if ready_time(t) is not None):
            rooms = {room for room, _ in claims[task]}
            if rooms in blocked_sets:
                continue
            if has_room(task):
                return [task]
            blocked_sets.append(rooms)
        return []

    while len(finish) < n:
        for task in [t for t, end in ends.items() if end == now and t not in finish]:
            finish[task] = now
        for index, unit in enumerate(program.units):
            while sum(program.unit[t] == index and t not in finish for t in start) < unit.servers:
                chosen = choose(index, unit)
                if not chosen:
                    break
                task = chosen[0]
                start[task] = now
                if unit.dram:
                    runs = slice(program.runs.ptr[task], program.runs.ptr[task + 1])
                    ends[task] = dram.serve(
                        now, program.runs.address[runs], program.runs.size[runs], True
                    )
                else:
                    ends[task] = now + int(program.duration_ps[task])
        if any(end == now and t not in finish for t, end in ends.items()):
            continue  # zero-length tasks retire in a further round of the same instant
        if len(finish) < n and all(t in finish for t in start):
            return None
        now += 1
    return [start[t] for t in range(n)], [finish[t] for t in range(n)]


@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_random_programs_agree_with_an_independent_interpreter(programs, counting_dram, data):
    program = data.draw(programs())
    expected = interpret(program, counting_dram())
    if expected is None:
        with pytest.raises(DeadlockError):
            execute(program, counting_dram())
        return
    schedule = execute(program, counting_dram())
    assert (schedule.start_ps.tolist(), schedule.finish_ps.tolist()) == expected


@settings(max_examples=60, deadline=None)
@given(
    durations=st.lists(st.lists(st.integers(0, 9), min_size=8, max_size=8), min_size=2, max_size=5),
    depth=st.integers(1, 4),
)
def test_a_pipeline_with_bounded_fifos_follows_the_max_plus_recurrence(durations, depth):
    builder = ProgramBuilder()
    stages = [
        builder.compute(builder.unit(f"u{s}"), f"s{s}", times) for s, times in enumerate(durations)
    ]
    for producer, consumer in pairwise(stages):
        builder.edge(producer, consumer)
        builder.credit(producer, consumer, depth)
    schedule = execute(builder.build())
    finish = np.zeros((len(durations), 8), np.int64)
    for item in range(8):
        for s, times in enumerate(durations):
            begin = max(
                finish[s - 1, item] if s else 0,
                finish[s, item - 1] if item else 0,
                finish[s + 1, item - depth] if s + 1 < len(durations) and item >= depth else 0,
            )
            finish[s, item] = begin + times[item]
    assert schedule.finish_ps.tolist() == finish.ravel().tolist()


def test_servers_take_the_task_that_was_ready_first_then_the_smaller_id():
    builder = ProgramBuilder()
    first = builder.compute(builder.unit("first"), "a", [5, 1])
    late, early = builder.compute(builder.unit("second", in_order=False), "b", [10, 10])
    builder.edge(first, [late, early])
    schedule = execute(builder.build())
    # the first task is done at 5, the second at 6
    assert schedule.start_ps[[late, early]].tolist() == [5, 15]


def test_an_in_order_unit_waits_for_the_smallest_id():
    builder = ProgramBuilder()
    slow = builder.compute(builder.unit("other"), "slow", 7)
    head, next_one = builder.compute(builder.unit("in order"), "x", [1, 1])
    builder.edge(slow, head)
    schedule = execute(builder.build())
    assert schedule.start_ps[[head, next_one]].tolist() == [7, 8]


def test_zero_length_tasks_pass_through_several_units_in_one_instant():
    builder = ProgramBuilder()
    # the chain runs against the order of units and of ids
    chain = [builder.compute(builder.unit(f"u{i}"), "zero", 0) for i in range(4)][::-1]
    for before, after in pairwise(chain):
        builder.edge(before, after)
    schedule = execute(builder.build())
    assert schedule.finish_ps.tolist() == [0, 0, 0, 0]


def test_a_room_holds_up_its_claimers_and_is_given_back_at_the_named_finish():
    builder = ProgramBuilder()
    fetch = builder.compute(builder.unit("fetch", servers=2), "fetch", [4, 4, 4])
    use = builder.compute(builder.unit("use"), "use", [10, 10, 10])
    builder.edge(fetch, use)
    room = builder.room("buffer", 100, "bytes")
    builder.claim(fetch, room, [60, 60, 40], use)
    schedule = execute(builder.build())
    # 60 + 60 do not fit; the third would, but the unit is in order
    assert schedule.start_ps[fetch].tolist() == [0, 14, 14]
    assert schedule.finish_ps[use].tolist() == [14, 28, 38]


def test_in_any_order_a_full_room_holds_up_only_those_that_claim_it():
    builder = ProgramBuilder()
    unit = builder.unit("any", servers=3, in_order=False)
    big, wants_more, small, _free = builder.compute(unit, "x", [10, 1, 1, 1])
    room = builder.room("buffer", 4, "bytes")
    builder.claim(np.array([big, wants_more, small]), room, [3, 2, 1], [big, wants_more, small])
    schedule = execute(builder.build())
    # small would fit beside big, but does not overtake wants_more; the last claims nothing
    assert schedule.start_ps.tolist() == [0, 10, 10, 0]


def test_several_claims_are_taken_together():
    builder = ProgramBuilder()
    unit = builder.unit("u", servers=2)
    both, one = builder.compute(unit, "x", [5, 5])
    for name, claimers in (("a", [both, one]), ("b", [both])):
        tasks = np.array(claimers)
        builder.claim(tasks, builder.room(name, 1, "items"), 1, tasks)
    assert execute(builder.build()).start_ps.tolist() == [0, 5]


def test_memory_tasks_are_served_in_the_order_of_their_starts(counting_dram):
    builder = ProgramBuilder()
    dram = builder.unit("dram", servers=2, in_order=False, dram=True)
    runs = MemoryRuns(np.arange(5), np.arange(4) * 64, np.full(4, 16))
    fetched = builder.memory(dram, "fetch", "voxels", runs, write=False)
    model = counting_dram()
    schedule = execute(builder.build(), model)
    # two at once, and the first takes no time: services of 0, 1, 2 and 3 ps
    assert schedule.start_ps[fetched].tolist() == [0, 0, 0, 1]
    assert schedule.finish_ps[fetched].tolist() == [0, 1, 2, 4]
    assert schedule.dram_bytes[fetched].tolist() == [16, 16, 16, 16]
    assert schedule.dram_counts == model.counts(4)


def test_an_empty_program_takes_no_time():
    schedule = execute(ProgramBuilder().build())
    assert schedule.makespan_ps == 0
    assert schedule.start_ps.size == 0


def test_a_deadlock_names_who_waits_for_whom():
    builder = ProgramBuilder()
    fetch = builder.compute(builder.unit("fetcher"), "fetch", [3, 3])
    use = builder.compute(builder.unit("array"), "use", 5)
    builder.edge(fetch[1], use)
    room = builder.room("buffer", 100, "bytes")
    builder.claim(fetch, room, [60, 50], use)
    with pytest.raises(DeadlockError) as caught:
        execute(builder.build())
    assert str(caught.value) == (
        "the program cannot finish: 2 of 3 tasks wait for ever\n"
        "  task 1 (fetch on fetcher) waits for 50 bytes of buffer, 40 of 100 left; "
        "task 0 (fetch on fetcher) holds some until task 2 (use on array) finishes\n"
        "  task 2 (use on array) waits for task 1 (fetch on fetcher) to finish (data)\n"
        "  task 1 (fetch on fetcher): which closes the circle\n"
        "  remedy: enlarge the room or FIFO named above, or break the circle of dependencies"
    )


def test_a_cycle_of_edges_is_a_deadlock():
    builder = ProgramBuilder()
    a, b = builder.compute(builder.unit("u", in_order=False), "x", [1, 1])
    builder.edge(a, b, Edge.CREDIT)
    builder.edge(b, a, Edge.DATA)
    with pytest.raises(DeadlockError, match=r"task 0 .* waits for task 1 .* \(data\)"):
        execute(builder.build())


def test_an_in_order_unit_against_the_dependencies_is_a_deadlock():
    builder = ProgramBuilder()
    a, b = builder.compute(builder.unit("u"), "x", [1, 1])
    builder.edge(b, a)
    with pytest.raises(DeadlockError, match=r"task 1 \(x on u\) waits its turn behind task 0"):
        execute(builder.build())


def test_a_claim_larger_than_the_room_is_refused_before_the_run():
    builder = ProgramBuilder()
    task = builder.compute(builder.unit("u"), "load", 1)
    room = builder.room("tile buffer", 100, "bytes")
    builder.claim(task, room, 70, task)
    builder.claim(task, room, 50, task)
    with pytest.raises(ConfigError) as caught:
        execute(builder.build())
    assert str(caught.value) == (
        "stage load needs 120 bytes of tile buffer at once (task 0), which holds 100: 20 bytes "
        "short\n  remedy: enlarge tile buffer, or make load work on smaller pieces"
    )


def test_a_claim_given_back_before_it_is_taken_is_refused():
    builder = ProgramBuilder()
    early, late = builder.compute(builder.unit("u"), "x", [1, 1])
    builder.claim(np.array([late]), builder.room("r", 1, "items"), 1, early)
    with pytest.raises(ValueError, match=r"until task 0 .* finishes, which it did first"):
        execute(builder.build())


def test_memory_tasks_need_a_dram_model():
    builder = ProgramBuilder()
    runs = MemoryRuns(np.array([0, 1]), np.array([0]), np.array([64]))
    builder.memory(builder.unit("dram", dram=True), "fetch", "data", runs, write=False)
    with pytest.raises(ValueError, match="no DRAM model"):
        execute(builder.build())


@pytest.mark.parametrize(("address", "size"), [(0, 0), (-1, 64)])
def test_empty_runs_and_negative_addresses_are_refused(counting_dram, address, size):
    builder = ProgramBuilder()
    runs = MemoryRuns(np.array([0, 1]), np.array([address]), np.array([size]))
    builder.memory(builder.unit("dram", dram=True), "fetch", "data", runs, write=False)
    with pytest.raises(ValueError, match="empty or lies at a negative address"):
        execute(builder.build(), counting_dram())


def test_progress_counts_up_to_all_tasks():
    builder = ProgramBuilder()
    builder.compute(builder.unit("u"), "x", np.ones(3000))
    calls = []
    execute(builder.build(), progress=lambda done, tasks: calls.append((done, tasks)))
    assert calls[-1] == (3000, 3000)
    assert calls == sorted(calls)


def test_an_interrupt_stops_the_run(counting_dram):
    builder = ProgramBuilder()
    runs = MemoryRuns(np.array([0, 1]), np.array([0]), np.array([64]))
    builder.memory(builder.unit("dram", dram=True), "fetch", "data", runs, write=False)

    class Interrupted(counting_dram):
        def serve(self, now_ps, address, size, write):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        execute(builder.build(), Interrupted())
