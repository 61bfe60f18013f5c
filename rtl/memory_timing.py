"""How the memories behind a slice answer: ideally, or as a DRAM model was recorded to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from archsim.arch.machine import Accelerator
from archsim.sim.simulate import row_dram

__all__ = ["IDEAL", "MemoryTiming", "recorded_dram", "timing_of_slice"]

I64 = npt.NDArray[np.int64]


@dataclass(frozen=True)
class MemoryTiming:
    """How the two memories answer.

    Attributes
    ----------
    coarse_latency, fine_latency
        Cycles from a request to its first beat: one number, or one per request in order.
    bytes_per_cycle
        At most, of each; None: a beat a cycle.
    outstanding
        Requests in flight.
    """

    coarse_latency: int | I64 = 1
    fine_latency: int | I64 = 1
    bytes_per_cycle: float | None = None
    outstanding: int = 16


#: Answers in the next cycle, a beat per cycle.
IDEAL = MemoryTiming()


def timing_of_slice(timing: MemoryTiming | Sequence[MemoryTiming], number: int) -> MemoryTiming:
    """Return how a slice's memories answer, where ``timing`` is one for all or one per slice."""
    return timing if isinstance(timing, MemoryTiming) else timing[number]


def recorded_dram(
    machine: Accelerator, coarse: tuple[I64, I64], fine: tuple[I64, I64]
) -> MemoryTiming:
    """Record how the machine's DRAM answers requests, each stream alone and one after another.

    ``coarse`` and ``fine`` are byte addresses and sizes of the requests in order. A latency is the
    row model's service time of the request, in cycles of the machine's clock.
    """
    latencies = []
    for address, size in (coarse, fine):
        dram = row_dram(machine, None)
        now, recorded = 0, np.ones(max(address.size, 1), np.int64)
        for n in range(address.size):
            end = dram.serve(now, address[n : n + 1], size[n : n + 1], False)
            recorded[n] = max(1, round((end - now) * machine.clock_mhz.value / 1e6))
            now = end
        latencies.append(recorded)
    return MemoryTiming(latencies[0], latencies[1])
