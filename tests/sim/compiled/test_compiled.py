"""The compiled executor against the SimPy kernel, which defines what a program means."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archsim.sim.compiled import executor
from archsim.sim.compiled.executor import can_compile, execute_compiled
from archsim.sim.dram.row import RowDram
from archsim.sim.kernel import execute
from archsim.sim.program import MemoryRuns, ProgramBuilder
from archsim.sim.simulate import row_dram
from archsim.sim.validation.frames import frames


def row_model() -> RowDram:
    return RowDram("lpddr4-3200", channels=2, interleave_bytes=256, mapping="row-bank-column")


def outcome(run, program):
    """Return all that an execution gives: its schedule and counters, or its error."""
    try:
        schedule = run(program, row_model())
    except Exception as error:
        return type(error), str(error)
    return (
        schedule.start_ps.tolist(),
        schedule.finish_ps.tolist(),
        schedule.dram_bytes.tolist(),
        schedule.dram_counts,
    )


@st.composite
def with_streams(draw, programs):
    """Draw a program whose memory tasks have up to four runs, far apart and across rows."""
    program = draw(programs())
    is_dram = np.array([u.dram for u in program.units])[program.unit]
    runs = [draw(st.integers(0, 4)) if dram else 0 for dram in is_dram]
    total = sum(runs)
    address = draw(
        st.lists(st.integers(0, 1 << 24), min_size=total, max_size=total)
        if draw(st.booleans())
        else st.lists(st.integers(0, 64), min_size=total, max_size=total)
    )
    size = draw(st.lists(st.integers(1, 5000), min_size=total, max_size=total))
    scale = draw(st.sampled_from([1, 1000, 50_000]))  # from far below a clock to a service
    return replace(
        program,
        duration_ps=program.duration_ps * scale,
        runs=MemoryRuns(
            np.concatenate([[0], np.cumsum(runs)]).astype(np.int64),
            np.array(address, np.int64),
            np.array(size, np.int64),
        ),
    )


@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_random_programs_give_what_the_kernel_gives(programs, data):
    program = data.draw(with_streams(programs))
    assert outcome(execute_compiled, program) == outcome(execute, program)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_random_claims_give_what_the_kernel_gives_errors_included(programs, data):
    program = data.draw(with_streams(programs))
    n = program.tasks
    claims = data.draw(
        st.lists(
            st.tuples(
                st.integers(0, n - 1), st.integers(0, 1), st.integers(1, 5), st.integers(0, n - 1)
            ),
            min_size=1,
            max_size=8,
        )
    )
    task, room, amount, release = np.array(claims, np.int64).T
    program = replace(
        program, claim_task=task.copy(), claim_room=room.astype(np.int32),
        claim_amount=amount.copy(), claim_release=release.copy(),
    )  # fmt: skip
    assert outcome(execute_compiled, program) == outcome(execute, program)


@settings(max_examples=100, deadline=None)
@given(data=st.data(), work=st.integers(1, 5))
def test_stopping_after_any_little_work_changes_nothing(programs, data, work):
    program = data.draw(with_streams(programs))
    expected = outcome(execute_compiled, program)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(executor, "_WORK_PER_CALL", work)
        assert outcome(execute_compiled, program) == expected


def test_a_stream_of_many_runs_is_served_in_parts():
    count = 300_000
    builder = ProgramBuilder()
    dram = builder.unit("dram", servers=2, in_order=False, dram=True)
    random = np.random.default_rng(0)
    runs = MemoryRuns(
        np.array([0, count, count, count + 1]),
        random.integers(0, 1 << 28, count + 1),
        random.integers(1, 200, count + 1),
    )
    builder.memory(dram, "gather", "voxels", runs, write=False)
    program = builder.build()
    assert outcome(execute_compiled, program) == outcome(execute, program)


@pytest.mark.parametrize("depth", [1, 3])
def test_a_pipeline_with_bounded_fifos_follows_the_max_plus_recurrence(depth):
    items = 2000
    durations = np.random.default_rng(depth).integers(0, 9, (4, items))
    builder = ProgramBuilder()
    stages = [
        builder.compute(builder.unit(f"u{s}"), f"s{s}", times) for s, times in enumerate(durations)
    ]
    for producer, consumer in pairwise(stages):
        builder.edge(producer, consumer)
        builder.credit(producer, consumer, depth)
    schedule = execute_compiled(builder.build())
    finish = np.zeros((4, items), np.int64)
    for item in range(items):
        for s in range(4):
            begin = max(
                finish[s - 1, item] if s else 0,
                finish[s, item - 1] if item else 0,
                finish[s + 1, item - depth] if s < 3 and item >= depth else 0,
            )
            finish[s, item] = begin + durations[s, item]
    assert schedule.finish_ps.tolist() == finish.ravel().tolist()


def test_every_method_s_program_has_one_schedule():
    for frame in frames():
        compiled = execute_compiled(frame.program, row_dram(frame.machine, frame.mode))
        simpy = execute(frame.program, row_dram(frame.machine, frame.mode))
        np.testing.assert_array_equal(compiled.start_ps, simpy.start_ps, frame.name)
        np.testing.assert_array_equal(compiled.finish_ps, simpy.finish_ps, frame.name)
        np.testing.assert_array_equal(compiled.dram_bytes, simpy.dram_bytes, frame.name)
        assert compiled.dram_counts == simpy.dram_counts, frame.name


def test_a_deadlock_says_the_same():
    builder = ProgramBuilder()
    fetch = builder.compute(builder.unit("fetcher"), "fetch", [3, 3])
    use = builder.compute(builder.unit("array"), "use", 5)
    builder.edge(fetch[1], use)
    builder.claim(fetch, builder.room("buffer", 100, "bytes"), [60, 50], use)
    program = builder.build()
    kind, text = outcome(execute_compiled, program)
    assert "which closes the circle" in text
    assert (kind, text) == outcome(execute, program)


def test_a_claim_given_back_too_early_and_one_too_large_say_the_same():
    builder = ProgramBuilder()
    early, late = builder.compute(builder.unit("u"), "x", [1, 1])
    room = builder.room("r", 1, "items")
    builder.claim(np.array([late]), room, 1, early)
    program = builder.build()
    kind, text = outcome(execute_compiled, program)
    assert "which it did first" in text
    assert (kind, text) == outcome(execute, program)
    builder.claim(np.array([late]), room, 1, late)
    program = builder.build()
    kind, text = outcome(execute_compiled, program)
    assert "which holds 1: 1 items short" in text
    assert (kind, text) == outcome(execute, program)


def test_an_empty_program_takes_no_time():
    schedule = execute_compiled(ProgramBuilder().build())
    assert schedule.makespan_ps == 0
    assert schedule.start_ps.size == 0
    assert schedule.dram_counts == {}


def test_only_the_row_model_can_serve_memory_tasks(counting_dram):
    builder = ProgramBuilder()
    runs = MemoryRuns(np.array([0, 1]), np.array([0]), np.array([64]))
    dram = builder.unit("dram", dram=True)
    idle = builder.build()
    builder.memory(dram, "fetch", "data", runs, write=False)
    program = builder.build()
    assert can_compile(idle, counting_dram())
    assert can_compile(program, row_model())
    assert not can_compile(program, counting_dram())
    with pytest.raises(ValueError, match="no DRAM model"):
        execute_compiled(program)
    with pytest.raises(ValueError, match="cannot serve memory tasks by CountingDram"):
        execute_compiled(program, counting_dram())


@pytest.mark.parametrize(("address", "size"), [(0, 0), (-1, 64)])
def test_empty_runs_and_negative_addresses_are_refused(address, size):
    builder = ProgramBuilder()
    runs = MemoryRuns(np.array([0, 1]), np.array([address]), np.array([size]))
    builder.memory(builder.unit("dram", dram=True), "fetch", "data", runs, write=False)
    with pytest.raises(ValueError, match="empty or lies at a negative address"):
        execute_compiled(builder.build(), row_model())


def test_progress_counts_up_and_may_interrupt(monkeypatch):
    monkeypatch.setattr(executor, "_WORK_PER_CALL", 100)
    monkeypatch.setattr(executor, "_PROGRESS_EVERY_S", 0.0)
    builder = ProgramBuilder()
    builder.compute(builder.unit("u"), "x", np.ones(3000))
    program = builder.build()
    calls = []
    execute_compiled(program, progress=lambda done, tasks: calls.append((done, tasks)))
    assert len(calls) > 10
    assert calls == sorted(calls)
    assert calls[-1] == (3000, 3000)

    def interrupt(done, tasks):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        execute_compiled(program, progress=interrupt)
