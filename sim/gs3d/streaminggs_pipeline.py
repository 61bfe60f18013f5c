"""A StreamingGS machine while its program is built: durations, rooms, what units must do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from archsim.arch.machine import Accelerator
from archsim.arch.sram import port_cycles
from archsim.sim.program import ProgramBuilder, Work

__all__ = ["Pipeline", "first_and_last"]

I64 = npt.NDArray[np.int64]

#: buffer -> bytes read and written, of every task
Moved = dict[str, tuple[I64, I64]]


@dataclass(frozen=True)
class Pipeline:
    """Units and rooms of a program's builder by name.

    Attributes
    ----------
    units : name -> unit of the builder
    dram
        The builder's memory unit.
    """

    machine: Accelerator
    builder: ProgramBuilder
    units: dict[str, int]
    dram: int

    def compute(self, unit: str, stage: str, items: npt.NDArray[Any], ends: npt.NDArray[np.bool_],
                moved: Moved) -> I64:  # fmt: skip
        """Add a task per entry of ``items``; where ``ends``, the pipeline drains.

        It lasts as long as the unit or the slowest buffer takes; ``moved`` has bytes read and
        written by buffer.
        """
        part = self.machine.units[unit]
        busy = items * (part.initiation_interval_cycles.value / part.count.value)
        cycles = self.with_ports(busy, moved) + ends * int(part.latency_cycles.value)
        return self.cycles(unit, stage, cycles)

    def with_ports(self, busy: npt.NDArray[Any], moved: Moved) -> I64:
        """Return whole cycles that cover work and the ports of the buffers it moves bytes of."""
        for buffer, (read, write) in moved.items():
            busy = np.maximum(busy, port_cycles(self.machine.buffers[buffer], read, write))
        return np.asarray(np.ceil(busy), np.int64)

    def cycles(self, unit: str, stage: str, cycles: I64) -> I64:
        """Add a task per entry of ``cycles``."""
        khz = round(self.machine.clock_mhz.value * 1000)
        return self.builder.compute(self.units[unit], stage, -(-cycles * 10**9 // khz))

    def must(self, unit: str, what: str, items: int) -> None:
        """State the items that a unit takes, for the bound by hand."""
        part = self.machine.units[unit]
        self.builder.must(Work(
            unit, what, int(items), part.initiation_interval_cycles.value, int(part.count.value),
            self.machine.clock_mhz.value,
        ))  # fmt: skip

    def capacity(self, buffer: str) -> int:
        """Return a buffer's bytes."""
        return int(self.machine.buffers[buffer].capacity_bytes.value)

    def half(self, buffer: str) -> int:
        """Return half of a buffer in bytes: the most that one token takes of it."""
        return self.capacity(buffer) // 2

    def hold(self, buffer: str, task: I64, amount: I64, release: I64) -> None:
        """Let tasks take room in a buffer until their ``release`` finishes."""
        room = self.builder.room(buffer, self.capacity(buffer), "bytes")
        self._claim(room, task, np.minimum(amount, self.half(buffer)), release)

    def queue(self, fifo: str, task: I64, items: I64, release: I64) -> None:
        """Let tasks take places of a queue until their ``release`` finishes, and count the items.

        Items stream: what does not fit in half of the queue follows as others leave it.
        """
        depth = int(self.machine.fifos[fifo].depth_items.value)
        room = self.builder.room(fifo, depth, "items")
        self._claim(room, task, np.minimum(items, max(depth // 2, 1)), release)
        self.builder.count(f"{fifo}/items", items.sum())

    def _claim(self, room: int, task: I64, amount: I64, release: I64) -> None:
        some = amount > 0
        self.builder.claim(task[some], room, amount[some], release[some])


def first_and_last(group: I64, of: npt.NDArray[np.bool_]) -> tuple[I64, I64]:
    """Return the first and the last of the chosen tokens of every group that has one."""
    chosen = np.flatnonzero(of)
    changes = np.flatnonzero(np.diff(group[chosen])) + 1
    first = np.concatenate([[0], changes]) if chosen.size else changes
    last = np.append(changes, chosen.size) - 1 if chosen.size else changes
    return chosen[first], chosen[last]
