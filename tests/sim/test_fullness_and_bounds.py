"""Fullness of buffers and bounds by hand: closed forms on small programs."""

import dataclasses

import numpy as np
import pytest

from archsim.base.errors import CheckError
from archsim.sim.bounds import lower_bounds
from archsim.sim.fullness import buffer_fullness
from archsim.sim.kernel import execute
from archsim.sim.program import ProgramBuilder, Work

NS = 1000


class Peak:
    peak_bytes_per_s = 1e9


def pipeline(depth_bytes, tokens=4, producer_ns=10, consumer_ns=30):
    """A producer that takes 8 bytes of a buffer per token, given back by a slower consumer."""
    builder = ProgramBuilder()
    first, second = builder.unit("first"), builder.unit("second")
    made = builder.compute(first, "make", np.full(tokens, producer_ns * NS))
    used = builder.compute(second, "use", np.full(tokens, consumer_ns * NS))
    builder.edge(made, used)
    room = builder.room("buffer", depth_bytes, "bytes")
    builder.claim(made, room, 8, used)
    builder.watch("all", 100, "items", made, 1, used)
    builder.must(Work("second", "things", tokens, consumer_ns, 1, 1000.0))
    return builder.build()


def test_a_buffer_that_holds_two_is_full_while_the_consumer_is_slower():
    program = pipeline(16)
    schedule = execute(program)
    # makes at 0, 10, 40, 70 (each waits for room), uses at 10, 40, 70, 100
    assert schedule.start_ps[:4].tolist() == [0, 10 * NS, 40 * NS, 70 * NS]
    buffer, watched = buffer_fullness(program, schedule)
    held_ns = [40, 60, 60, 60]
    assert buffer == {
        "buffer": "buffer", "unit": "bytes", "capacity": 16, "peak": 16,
        "mean": pytest.approx(8 * sum(held_ns) / 130),
    }  # fmt: skip
    assert (watched["buffer"], watched["peak"]) == ("all", 2)
    assert watched["mean"] == pytest.approx(sum(held_ns) / 130)


def test_parts_of_one_buffer_are_one_row():
    builder = ProgramBuilder()
    unit = builder.unit("unit", servers=2)
    tasks = builder.compute(unit, "work", [10 * NS, 20 * NS])
    for core in range(2):
        room = builder.room(f"sort[{core}]", 64, "bytes")
        builder.claim(tasks[core : core + 1], room, 10 * (core + 1), tasks[core : core + 1])
    program = builder.build()
    (row,) = buffer_fullness(program, execute(program))
    assert row == {
        "buffer": "sort", "unit": "bytes", "capacity": 128, "peak": 30, "mean": (100 + 400) / 20
    }  # fmt: skip


def test_nothing_held_is_nothing_full():
    builder = ProgramBuilder()
    builder.compute(builder.unit("unit"), "work", 5)
    builder.room("empty", 8, "items")
    program = builder.build()
    (row,) = buffer_fullness(program, execute(program))
    assert (row["peak"], row["mean"]) == (0, 0.0)


def test_bounds_are_items_by_interval_over_servers_and_clock():
    assert Work("cfu", "Gaussians", 1000, 10.0, 16, 1000.0).bound_ps == 625 * NS
    assert Work("vru", "pixels", 1000, 1.0, 64, 500.0).bound_ps == 31_250
    program = pipeline(16)
    schedule = execute(program)
    (row,) = lower_bounds(program, schedule, Peak())
    assert row == {
        "unit": "second", "what": "things", "items": 4, "interval_cycles": 30, "servers": 1,
        "bound_ps": 120 * NS,
    }  # fmt: skip


def test_a_run_shorter_than_a_bound_is_an_error():
    program = pipeline(16)
    schedule = execute(program)
    short = dataclasses.replace(program, work=(Work("second", "things", 5, 30, 1, 1000.0),))
    with pytest.raises(CheckError, match="second: 5 things take at least 150000 ps, and the run"):
        lower_bounds(short, schedule, Peak())


def test_the_memory_bound_is_bytes_over_the_peak():
    program = pipeline(16)
    schedule = execute(program)
    moved = dataclasses.replace(schedule, dram_bytes=np.array([0, 64, 32, 0, 0, 0, 0, 0]))
    rows = lower_bounds(program, moved, Peak())
    assert [(row["unit"], row["bound_ps"]) for row in rows] == [
        ("second", 120 * NS), ("dram", 96 * NS)
    ]  # fmt: skip
