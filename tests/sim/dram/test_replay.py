"""Memory streams of a program, cut and spread over channels, and replayed at both fidelities."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archsim.arch.dram import device_clocks, load_device
from archsim.arch.load import load_machine
from archsim.sim.dram.replay import replay
from archsim.sim.dram.streams import Streams, by_channel, memory_streams, parts
from archsim.sim.kernel import execute
from archsim.sim.program import MemoryRuns, ProgramBuilder
from archsim.sim.simulate import row_dram

MACHINE = load_machine("streaminggs")


def program_of(streams, *, servers=1, compute_ps=0):
    """A program of memory tasks (runs, write), each after the computing of the one ahead of it."""
    builder = ProgramBuilder()
    dram = builder.unit("dram", dram=True, servers=servers)
    unit = builder.unit("unit")
    for runs, write in streams:
        address, size = (np.array(column, np.int64) for column in zip(*runs, strict=True))
        ptr = np.array([0, address.size], np.int64)
        task = builder.memory(dram, "m", "s", MemoryRuns(ptr, address, size), write=write)
        if compute_ps:
            builder.edge(task, builder.compute(unit, "c", [compute_ps]))
    return builder.build()


def replayed(program, most=10**6):
    schedule = execute(program, row_dram(MACHINE, None))
    return schedule, replay(program, schedule, MACHINE.memory, None, most=most)


def as_streams(lists):
    """Streams from lists of (address, size)."""
    runs = [run for stream in lists for run in stream]
    return Streams(
        np.arange(len(lists), dtype=np.int64),
        np.zeros(len(lists), bool),
        np.cumsum([0, *map(len, lists)]),
        np.array([a for a, _ in runs], np.int64),
        np.array([s for _, s in runs], np.int64),
    )


def bursts_of(streams, burst):
    """Every (stream's start, burst) one by one."""
    found = []
    for i, start in enumerate(streams.start_ps.tolist()):
        for run in range(streams.ptr[i], streams.ptr[i + 1]):
            first = streams.address[run] // burst
            last = (streams.address[run] + streams.size[run] - 1) // burst
            found += [(start, b) for b in range(first, last + 1)]
    return found


RUN = st.tuples(st.integers(0, 300), st.integers(1, 200))
LISTS = st.lists(st.lists(RUN, min_size=1, max_size=4), min_size=1, max_size=6)


@settings(deadline=None)  # the first example compiles
@given(LISTS)
def test_channels_get_every_burst_once_in_the_streams_order(lists):
    streams, burst, interleave, channels = as_streams(lists), 16, 32, 3
    expected = [[] for _ in range(channels)]
    newest = None
    for stream, b in bursts_of(streams, burst):
        block, inside = divmod(b * burst, interleave)
        channel = block % channels
        line = (block // channels * interleave + inside) // burst
        if newest != (stream, b):
            expected[channel].append((stream, line))
        newest = stream, b
    found = by_channel(streams, channels=channels, interleave_bytes=interleave, burst_bytes=burst)
    assert [list(zip(r.stream.tolist(), r.line.tolist(), strict=True)) for r in found] == expected


@settings(deadline=None)
@given(LISTS, st.integers(1, 60), st.integers(1, 5))
def test_parts_are_spread_evenly_and_hold_the_same_bursts(lists, most, pieces):
    streams, burst = as_streams(lists), 16
    everything = bursts_of(streams, burst)
    found = parts(streams, burst, most=most, pieces=pieces)
    if len(everything) <= most:
        assert found == [streams]
        return
    length = max(most // pieces, 1)
    firsts = np.linspace(0, len(everything) - length, pieces).astype(int)
    assert [bursts_of(part, burst) for part in found] == [
        everything[first : first + length] for first in firsts
    ]
    for part in found:
        assert (part.size > 0).all()
        assert part.ptr[0] == 0
        assert part.ptr[-1] == part.address.size


def test_streams_are_in_the_order_of_their_starts():
    program = program_of([([(0, 64)], False), ([(4096, 64), (8192, 32)], True)], servers=1)
    schedule = execute(program, row_dram(MACHINE, None))
    streams = memory_streams(program, schedule)
    assert streams.start_ps.tolist() == [0, schedule.finish_ps[0]]
    assert streams.write.tolist() == [False, True]
    assert streams.ptr.tolist() == [0, 1, 3]
    assert streams.address.tolist() == [0, 4096, 8192]


def test_row_fidelity_replayed_whole_is_what_the_schedule_had():
    lists = [([(i << 16, 3000 + 700 * i)], False) for i in range(20)]
    schedule, found = replayed(program_of(lists, servers=4))
    service = int((schedule.finish_ps - schedule.start_ps).sum())
    assert found.row.read_service_ps == service
    assert found.row.completion_ps == schedule.makespan_ps
    assert found.parts == 1
    assert found.bursts == found.all_bursts
    assert (found.read_streams, found.write_streams) == (20, 0)


def test_both_fidelities_agree_on_a_long_stream():
    _, found = replayed(program_of([([(0, 4 << 20)], False)]))
    assert abs(found.error("completion_ps")) < 0.01
    assert found.error("row_hits") == pytest.approx(0, abs=0.01)
    assert found.cycle.read_service_ps == found.cycle.completion_ps == found.cycle.occupied_ps
    peak_ps = found.bursts * 32 / row_dram(MACHINE, None).peak_bytes_per_s * 1e12
    assert peak_ps < found.cycle.completion_ps < 1.15 * peak_ps


def test_time_between_streams_is_not_occupied():
    lists = [([(0, 64)], False), ([(1 << 20, 64)], False)]
    program = program_of(lists)
    schedule = execute(program, row_dram(MACHINE, None))
    schedule.start_ps[1] += 10**9
    found = replay(program, schedule, MACHINE.memory, None, most=100)
    for side in (found.row, found.cycle):
        assert side.completion_ps > 10**9
        assert side.occupied_ps == side.read_service_ps < 10**6


def test_writes_count_until_their_data_are_written():
    _, found = replayed(program_of([([(0, 64)], True)]))
    assert (found.read_streams, found.write_streams) == (0, 1)
    assert found.cycle.read_service_ps == 0
    t = device_clocks(load_device(MACHINE.memory.device)).timings
    clocks = t["nRCD"] + t["nCCD"] + t["nCWL"] + t["nBL"]  # two bursts of one row
    assert found.cycle.write_service_ps == clocks * t["tCK_ps"]


def test_a_long_program_is_replayed_in_parts():
    lists = [([(i << 20, 1 << 16)], False) for i in range(32)]
    _, found = replayed(program_of(lists), most=8000)
    assert found.parts == 8
    assert found.bursts == 8000
    assert found.all_bursts == 32 * 2048
    assert abs(found.error("completion_ps")) < 0.05


def test_nothing_to_replay_takes_no_time():
    builder = ProgramBuilder()
    builder.unit("dram", dram=True)
    builder.compute(builder.unit("unit"), "c", [5])
    program = builder.build()
    schedule, found = replayed(program)
    assert schedule.makespan_ps == 5
    assert (found.row.completion_ps, found.cycle.completion_ps, found.bursts) == (0, 0, 0)
    assert found.error("completion_ps") == 0
