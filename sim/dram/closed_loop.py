"""A program's memory streams at cycle fidelity, in closed loop.

An executed schedule says when each stream started, and which stream had finished last before: the
one that it waited for, as far as memory goes. Here a stream starts as long after the finish of that
one as it did in the schedule. So a memory that takes longer delays what comes after, as it would
in the machine; with fixed starts (:mod:`archsim.sim.dram.replay`) a difference of one per cent in
a busy memory's speed grows into a queue, and every stream's time is mostly the time in that queue.

Streams start in the schedule's order. A write is done for its requester when the controller has
taken its last burst into the write buffer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from archsim.arch.dram import device_clocks, load_device
from archsim.arch.dram.standards import DramClocks
from archsim.arch.machine import MemorySystem
from archsim.sim.dram.cycle.controller import CycleDram
from archsim.sim.dram.cycle.fields import Fields
from archsim.sim.dram.cycle.stepwise import StepwiseRun
from archsim.sim.dram.mapping import map_device
from archsim.sim.dram.streams import ChannelRequests, Streams, by_channel

__all__ = ["ClosedLoop", "closed_loop"]

I64 = npt.NDArray[np.int64]


@dataclass(frozen=True)
class ClosedLoop:
    """When each stream started and was done, (s,) int64 in picoseconds."""

    start_ps: I64
    finish_ps: I64


def closed_loop(streams: Streams, finish_ps: I64, memory: MemorySystem,
                data_rate_mt_s: float | None) -> ClosedLoop:  # fmt: skip
    """Return the streams' starts and finishes under the command-level controller.

    ``finish_ps`` (s,) are their finishes in the executed schedule, ``data_rate_mt_s`` what the
    memory runs at, ``None`` for its device's own rate.
    """
    device = load_device(memory.device)
    rate = round(device.data_rate_mt_s.value if data_rate_mt_s is None else data_rate_mt_s)
    clock_ps = int(device.organisation.beats_per_clock.value) * 10**6  # x rate
    clocks, fields = device_clocks(device, rate), map_device(memory.mapping, device).fields
    channels = [
        _Channel(clocks, fields, requests, streams.write)
        for requests in by_channel(
            streams, channels=int(memory.channels.value),
            interleave_bytes=int(memory.interleave_bytes.value), burst_bytes=device.burst_bytes,
        )
    ]  # fmt: skip
    start, finish = np.zeros_like(finish_ps), np.full_like(finish_ps, -1)

    def finished(stream: int) -> int:
        if finish[stream] < 0:
            done = max(channel.run_until_done(stream) for channel in channels)
            finish[stream] = -(-done * clock_ps // rate)
        return int(finish[stream])

    by_finish = np.argsort(finish_ps, kind="stable")
    before = np.searchsorted(finish_ps[by_finish], streams.start_ps, side="right") - 1
    latest = 0
    for stream, place in enumerate(before.tolist()):
        begin = int(streams.start_ps[stream])
        if place >= 0:
            cause = int(by_finish[place])
            begin += finished(cause) - int(finish_ps[cause])
        latest = start[stream] = max(begin, latest)
        for channel in channels:
            channel.ask(stream, -(-latest * rate // clock_ps))
    for stream in range(start.size):
        finished(stream)
    return ClosedLoop(start, finish)


class _Channel:
    """One channel's controller, stopped after any request, and its requests by stream."""

    def __init__(self, clocks: DramClocks, fields: Fields, requests: ChannelRequests,
                 write: npt.NDArray[np.bool_]) -> None:  # fmt: skip
        self._run = StepwiseRun(
            CycleDram(clocks, mapping=fields), requests.line, write[requests.stream]
        )
        self._ptr = np.searchsorted(requests.stream, np.arange(write.size + 1))
        self._asked = 0

    def ask(self, stream: int, clock: int) -> None:
        """Offer a stream's requests from ``clock`` on."""
        first, self._asked = int(self._ptr[stream]), int(self._ptr[stream + 1])
        self._run.arrival[first : self._asked] = clock

    def run_until_done(self, stream: int) -> int:
        """Go on until a stream that was asked for is done; return when, -1 if it asked nothing."""
        first, last = int(self._ptr[stream]), int(self._ptr[stream + 1])
        if first == last:
            return -1
        return self._run.until_done(first, last, self._asked)
