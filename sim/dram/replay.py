"""A program's memory streams replayed at cycle fidelity, against row fidelity on the same streams.

Open loop: every stream is asked for when the executed schedule started it, whatever the replay
makes of the streams before it. What is too long to replay whole is replayed in parts spread evenly
over the bursts. Each part starts with idle channels, at both fidelities.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from archsim.arch.dram import device_clocks, load_device
from archsim.arch.machine import MemorySystem
from archsim.sim.dram.cycle.controller import CycleDram
from archsim.sim.dram.mapping import map_device
from archsim.sim.dram.row import RowDram
from archsim.sim.dram.streams import Streams, by_channel, memory_streams, parts
from archsim.sim.program import Program
from archsim.sim.schedule import Schedule

__all__ = ["Replay", "Times", "replay"]

I64 = npt.NDArray[np.int64]
Progress = Callable[[int, int], None]

_PARTS = 8


@dataclass(frozen=True)
class Times:
    """How long the streams took at one fidelity, in picoseconds, all parts together.

    Attributes
    ----------
    completion_ps
        From the first start to the last finish.
    occupied_ps
        The part of it in which some stream was in service.
    read_service_ps, write_service_ps
        Of all streams that read or write, start to finish, added up. At cycle fidelity a write
        stays in the write buffer until writes are drained.
    row_hits, activates
        Of all channels.
    """

    completion_ps: int
    occupied_ps: int
    read_service_ps: int
    write_service_ps: int
    row_hits: int
    activates: int

    def __add__(self, other: Times) -> Times:
        return Times(
            self.completion_ps + other.completion_ps,
            self.occupied_ps + other.occupied_ps,
            self.read_service_ps + other.read_service_ps,
            self.write_service_ps + other.write_service_ps,
            self.row_hits + other.row_hits,
            self.activates + other.activates,
        )


@dataclass(frozen=True)
class Replay:
    """What a replay found.

    Attributes
    ----------
    read_streams, write_streams, bursts
        Replayed.
    all_streams, all_bursts
        Of the program; a burst that successive runs of a stream share counts once per run.
    parts
        How many parts were replayed; 1 for the whole program.
    row, cycle
        The same streams at both fidelities.
    """

    read_streams: int
    write_streams: int
    bursts: int
    all_streams: int
    all_bursts: int
    parts: int
    row: Times
    cycle: Times

    def error(self, what: str) -> float:
        """Return by how much row fidelity is above cycle fidelity in a field of :class:`Times`."""
        exact = getattr(self.cycle, what)
        return float(getattr(self.row, what) / exact - 1) if exact else 0.0


def replay(
    program: Program,
    schedule: Schedule,
    memory: MemorySystem,
    data_rate_mt_s: float | None,
    *,
    most: int,
    progress: Progress | None = None,
) -> Replay:
    """Replay the memory streams of an executed program, at most ``most`` bursts of them.

    ``data_rate_mt_s`` is what the memory system runs at, ``None`` for its device's own rate.
    """
    system = _System(memory, data_rate_mt_s)
    streams = memory_streams(program, schedule)
    chosen = parts(streams, system.burst_bytes, most=most, pieces=_PARTS)
    row = cycle = Times(0, 0, 0, 0, 0, 0)
    replayed = [int(part.bursts(system.burst_bytes).sum()) for part in chosen]
    for index, part in enumerate(chosen):
        row += system.by_row(part)
        cycle += system.by_cycle(part)
        if progress is not None:
            progress(index + 1, len(chosen))
    return Replay(
        read_streams=sum(int((~part.write).sum()) for part in chosen),
        write_streams=sum(int(part.write.sum()) for part in chosen),
        bursts=sum(replayed),
        all_streams=streams.start_ps.size,
        all_bursts=int(streams.bursts(system.burst_bytes).sum()),
        parts=len(chosen),
        row=row,
        cycle=cycle,
    )


class _System:
    """A machine's memory system at both fidelities."""

    def __init__(self, memory: MemorySystem, data_rate_mt_s: float | None) -> None:
        self._device = load_device(memory.device)
        rate = self._device.data_rate_mt_s.value if data_rate_mt_s is None else data_rate_mt_s
        self._rate = round(rate)
        self._channels = int(memory.channels.value)
        self._interleave_bytes = int(memory.interleave_bytes.value)
        self._mapping = memory.mapping
        self._clocks = device_clocks(self._device, self._rate)
        self.burst_bytes = self._device.burst_bytes

    def by_row(self, streams: Streams) -> Times:
        dram = RowDram(
            self._device, channels=self._channels, interleave_bytes=self._interleave_bytes,
            mapping=self._mapping, data_rate_mt_s=self._rate,
        )  # fmt: skip
        start = streams.start_ps - streams.start_ps[:1]
        finish = np.zeros_like(start)
        for i in range(start.size):
            runs = slice(streams.ptr[i], streams.ptr[i + 1])
            finish[i] = dram.serve(
                int(start[i]), streams.address[runs], streams.size[runs], bool(streams.write[i])
            )
        counts = dram.counts(int(finish.max(initial=0)))
        return _times(streams, finish, counts["row_hits"], counts["activates"])

    def by_cycle(self, streams: Streams) -> Times:
        start = streams.start_ps - streams.start_ps[:1]
        finish = start.copy()
        beats = int(self._device.organisation.beats_per_clock.value)
        arrival = -(-start * self._rate // (beats * 10**6))
        timings = self._clocks.timings
        written = timings["nCWL"] + timings["nBL"]  # from a write's command to the end of its data
        hits = activates = 0
        for requests in by_channel(
            streams, channels=self._channels, interleave_bytes=self._interleave_bytes,
            burst_bytes=self.burst_bytes,
        ):  # fmt: skip
            if requests.line.size == 0:
                continue
            dram = CycleDram(self._clocks, mapping=map_device(self._mapping, self._device).fields)
            write = streams.write[requests.stream]
            result = dram.run_trace(arrival[requests.stream], requests.line, write)
            done = result.return_cycle + np.where(write, written, 0)
            last = np.zeros_like(start)
            np.maximum.at(last, requests.stream, done)
            finish = np.maximum(finish, self._ps(last))
            hits += result.row_hits
            activates += result.commands.get("ACT", 0) + result.commands.get("ACT1", 0)
        return _times(streams, finish, hits, activates)

    def _ps(self, clocks: I64) -> I64:
        beats = int(self._device.organisation.beats_per_clock.value)
        return -(-clocks * (beats * 10**6) // self._rate)


def _times(streams: Streams, finish: I64, row_hits: int, activates: int) -> Times:
    """Return the times of streams that finish so long after the first one's start."""
    if finish.size == 0:
        return Times(0, 0, 0, 0, row_hits, activates)
    start = streams.start_ps - streams.start_ps[0]
    until = np.maximum.accumulate(finish)
    idle = np.maximum(start[1:] - until[:-1], 0).sum()
    return Times(
        completion_ps=int(until[-1]),
        occupied_ps=int(until[-1] - idle),
        read_service_ps=int((finish - start)[~streams.write].sum()),
        write_service_ps=int((finish - start)[streams.write].sum()),
        row_hits=row_hits,
        activates=activates,
    )
