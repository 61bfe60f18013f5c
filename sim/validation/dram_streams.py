"""The row model against the cycle model on the memory streams of shipped frames."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from archsim.arch.machine import Gpu
from archsim.sim.compiled.executor import execute_compiled
from archsim.sim.dram.closed_loop import closed_loop
from archsim.sim.dram.replay import replay
from archsim.sim.dram.streams import memory_streams
from archsim.sim.schedule import Schedule
from archsim.sim.simulate import row_dram
from archsim.sim.validation.checks import Check
from archsim.sim.validation.frames import Frame, frames
from archsim.sim.validation.inputs import Inputs
from archsim.sim.validation.row import Row, Tolerance, compare

__all__ = ["CHECKS"]

_PART = "dram"
_MOST_BURSTS = 10_000_000  # more than a frame here has: all are replayed, in one part
_TOLERANCE = 0.05


def own_streams(inputs: Inputs) -> Iterator[Row]:
    """Yield the times of the streams of every shipped frame, in open and in closed loop."""
    for frame in frames():
        inputs.progress(f"{_PART}: replaying the streams of {frame.name}")
        # both models with the same controller: not with the one that a GPU has of its own
        dram = row_dram(frame.machine, frame.mode, own_controller=False)
        schedule = execute_compiled(frame.program, dram)
        found = replay(
            frame.program, schedule, frame.machine.memory, _rate(frame), most=_MOST_BURSTS
        )
        yield _compare(
            frame, "time with a stream in service", found.cycle.occupied_ps, found.row.occupied_ps,
            "open loop", f"{found.bursts:,} bursts",
        )  # fmt: skip
        yield from _service_times(frame, schedule)


def _service_times(frame: Frame, schedule: Schedule) -> Iterator[Row]:
    """Yield the times of streams, start to finish, where each waits for those before it."""
    streams = memory_streams(frame.program, schedule)
    tasks = np.flatnonzero(np.diff(frame.program.runs.ptr) > 0)
    tasks = tasks[np.argsort(schedule.start_ps[tasks], kind="stable")]
    finish = schedule.finish_ps[tasks]
    cycle = closed_loop(streams, finish, frame.machine.memory, _rate(frame))
    row_took, cycle_took = finish - streams.start_ps, cycle.finish_ps - cycle.start_ps
    for quantity, chosen in (
        ("service time of streams read", ~streams.write),
        ("service time of streams written", streams.write),
    ):
        yield _compare(
            frame, quantity, int(cycle_took[chosen].sum()), int(row_took[chosen].sum()),
            "closed loop", f"{np.count_nonzero(chosen):,} streams",
        )  # fmt: skip
    yield _compare(
        frame, "last finish", int(cycle.finish_ps.max()), int(finish.max()), "closed loop",
        f"{finish.size:,} streams",
    )  # fmt: skip


def _compare(frame: Frame, quantity: str, cycle: int, row: int, how: str, note: str) -> Row:
    return compare(
        _PART, f"row model, own streams of {frame.name}", quantity, reference=cycle, ours=row,
        unit="ps", source=f"the cycle model, {how}, builtin:object at 640 x 360",
        tolerance=Tolerance.within(_TOLERANCE), note=note,
    )  # fmt: skip


def _rate(frame: Frame) -> float | None:
    machine = frame.machine
    if isinstance(machine, Gpu) and frame.mode:
        return machine.modes[frame.mode].memory_mt_s.value
    return None


CHECKS = (Check(_PART, "row model against cycle model on own streams", own_streams),)
