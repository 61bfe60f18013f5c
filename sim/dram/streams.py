"""The memory streams of an executed program, cut into parts and into bursts by channel.

Streams are in the order in which the memory system took them up: by start, then by task.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from archsim.base.jit import njit
from archsim.sim.program import Program
from archsim.sim.schedule import Schedule

__all__ = ["ChannelRequests", "Streams", "by_channel", "memory_streams", "parts"]

I64 = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Streams:
    """Memory streams in their order; s streams, r runs.

    Attributes
    ----------
    start_ps : (s,) int64
        When each starts.
    write : (s,) bool
    ptr : (s + 1,) int64
        Stream i owns runs ``ptr[i]:ptr[i+1]``.
    address, size : (r,) int64, in bytes
    """

    start_ps: I64
    write: npt.NDArray[np.bool_]
    ptr: I64
    address: I64
    size: I64

    def bursts(self, burst_bytes: int) -> I64:
        """Return how many bursts each run touches, (r,)."""
        last: I64 = (self.address + self.size - 1) // burst_bytes
        return last - self.address // burst_bytes + 1


@dataclass(frozen=True)
class ChannelRequests:
    """What one channel is asked for, in order; n requests.

    Attributes
    ----------
    stream : (n,) int64
        The stream that each request belongs to.
    line : (n,) int64
        The burst's number inside the channel.
    """

    stream: I64
    line: I64


def memory_streams(program: Program, schedule: Schedule) -> Streams:
    """Return the memory streams of a program, started when the schedule started them."""
    runs = program.runs
    tasks = np.flatnonzero(np.diff(runs.ptr) > 0)
    tasks = tasks[np.argsort(schedule.start_ps[tasks], kind="stable")]
    counts = np.diff(runs.ptr)[tasks]
    ptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    where = np.repeat(runs.ptr[tasks] - ptr[:-1], counts) + np.arange(ptr[-1])
    return Streams(
        schedule.start_ps[tasks], program.write[tasks], ptr, runs.address[where], runs.size[where]
    )


def parts(streams: Streams, burst_bytes: int, *, most: int, pieces: int) -> list[Streams]:
    """Return all of the streams in one part, or ``pieces`` parts of ``most`` bursts together.

    The parts are evenly spread over the bursts, the first at the beginning, the last at the end.
    A part starts and ends inside a stream where it falls there.
    """
    total = int(streams.bursts(burst_bytes).sum())
    if total <= most:
        return [streams]
    length = max(most // pieces, 1)
    firsts = np.linspace(0, total - length, pieces).astype(np.int64).tolist()
    return [_cut(streams, burst_bytes, first, first + length) for first in firsts]


def _cut(streams: Streams, burst_bytes: int, first: int, last: int) -> Streams:
    """Return the streams' bursts ``first`` to ``last - 1``."""
    bursts = streams.bursts(burst_bytes)
    ends = np.cumsum(bursts)
    begins = ends - bursts
    runs = slice(int(np.searchsorted(ends, first, "right")), int(np.searchsorted(begins, last)))
    skipped = np.maximum(first - begins[runs], 0)
    kept = np.minimum(last - begins[runs], bursts[runs])
    origin = streams.address[runs] // burst_bytes
    address = np.maximum(streams.address[runs], (origin + skipped) * burst_bytes)
    stop = np.minimum(streams.address[runs] + streams.size[runs], (origin + kept) * burst_bytes)
    ptr = np.clip(streams.ptr, runs.start, runs.stop) - runs.start
    chosen = np.flatnonzero(np.diff(ptr) > 0)
    return Streams(
        streams.start_ps[chosen],
        streams.write[chosen],
        np.append(ptr[chosen], ptr[-1]),
        address,
        stop - address,
    )


def by_channel(
    streams: Streams, *, channels: int, interleave_bytes: int, burst_bytes: int
) -> list[ChannelRequests]:
    """Return the bursts of the streams by channel, each in the streams' order.

    Channels take turns every ``interleave_bytes``. A burst that ends a run and begins the stream's
    next is asked for once.
    """
    room = int(streams.bursts(burst_bytes).sum())
    channel, stream, line = (np.zeros(room, np.int64) for _ in range(3))
    count = _expand(
        streams.ptr, streams.address, streams.size, channels, interleave_bytes, burst_bytes,
        channel, stream, line,
    )  # fmt: skip
    channel, stream, line = channel[:count], stream[:count], line[:count]
    found = []
    for index in range(channels):
        mine = channel == index
        found.append(ChannelRequests(stream[mine], line[mine]))
    return found


@njit()
def _expand(ptr: I64, address: I64, size: I64, channels: int, interleave: int, burst: int,
            channel: I64, stream: I64, line: I64) -> int:  # fmt: skip
    count = 0
    for s in range(ptr.size - 1):
        newest = -1
        for run in range(ptr[s], ptr[s + 1]):
            first = address[run] // burst
            last = (address[run] + size[run] - 1) // burst
            for b in range(first + (first == newest), last + 1):
                block, inside = b * burst // interleave, b * burst % interleave
                channel[count], stream[count] = block % channels, s
                line[count] = (block // channels * interleave + inside) // burst
                count += 1
            newest = last
    return count
