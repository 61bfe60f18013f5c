"""Streams in closed loop: each starts when the one it waited for is done, and is served alike."""

import numpy as np
import pytest

from archsim.arch.dram import device_clocks, load_device
from archsim.arch.load import load_machine
from archsim.sim.dram.closed_loop import closed_loop
from archsim.sim.dram.cycle.controller import CycleDram
from archsim.sim.dram.mapping import map_device
from archsim.sim.dram.streams import Streams, by_channel

MEMORY = load_machine("streaminggs").memory
DEVICE = load_device(MEMORY.device)
CLOCK_PS = 1250


def streams_of(start_ps, writes, runs=3):
    """Streams of a few runs each, at addresses drawn once."""
    random = np.random.default_rng(0)
    count = len(start_ps)
    return Streams(
        np.array(start_ps, np.int64), np.array(writes),
        np.arange(count + 1) * runs,
        random.integers(0, 1 << 24, count * runs) * 4, random.integers(1, 5000, count * runs),
    )  # fmt: skip


def test_a_stream_starts_as_long_after_the_one_before_as_it_did():
    """The schedule's times are wrong by a factor: what counts are its order and its gaps."""
    streams = streams_of([0, 1_100_000, 1_100_000, 5_000_000], [False] * 4)
    finish = np.array([1_000_000, 4_000_000, 2_000_000, 6_000_000])
    loop = closed_loop(streams, finish, MEMORY, None)
    assert loop.start_ps[0] == 0
    assert loop.start_ps[1] == loop.start_ps[2] == loop.finish_ps[0] + 100_000
    assert loop.start_ps[3] == max(loop.finish_ps[1] + 1_000_000, loop.start_ps[2])
    assert (loop.finish_ps > loop.start_ps).all()


@pytest.mark.parametrize("seed", range(3))
def test_with_its_starts_an_open_loop_gives_the_same_finishes(seed):
    random = np.random.default_rng(seed)
    start = np.sort(random.integers(0, 2_000_000, 40))
    streams = streams_of(start, random.random(40) < 0.3)
    loop = closed_loop(streams, start + random.integers(1, 900_000, 40), MEMORY, None)
    clocks, fields = device_clocks(DEVICE), map_device(MEMORY.mapping, DEVICE).fields
    arrival = -(-loop.start_ps // CLOCK_PS)
    done = np.zeros(40, np.int64)
    for requests in by_channel(
        streams, channels=int(MEMORY.channels.value), burst_bytes=DEVICE.burst_bytes,
        interleave_bytes=int(MEMORY.interleave_bytes.value),
    ):  # fmt: skip
        write = streams.write[requests.stream]
        result = CycleDram(clocks, mapping=fields).run_trace(
            arrival[requests.stream], requests.line, write
        )
        clock = np.where(write, result.accept_cycle + 1, result.return_cycle)
        np.maximum.at(done, requests.stream, clock)
    assert (loop.finish_ps == done * CLOCK_PS).all()
