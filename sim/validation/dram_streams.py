"""The row model against the cycle model on the memory streams of shipped frames."""

from __future__ import annotations

from collections.abc import Iterator

from archsim.arch.machine import Gpu
from archsim.sim.compiled.executor import execute_compiled
from archsim.sim.dram.replay import replay
from archsim.sim.simulate import row_dram
from archsim.sim.validation.checks import Check
from archsim.sim.validation.frames import Frame, frames
from archsim.sim.validation.inputs import Inputs
from archsim.sim.validation.row import Row, Tolerance, compare

__all__ = ["CHECKS"]

_PART = "dram"
_MOST_BURSTS = 10_000_000  # more than a frame here has: all are replayed, in one part
_TOLERANCE = 0.05
_QUANTITIES = {
    "occupied_ps": "time with a stream in service",
    "read_service_ps": "service time of streams read",
    "write_service_ps": "service time of streams written",
}


def own_streams(inputs: Inputs) -> Iterator[Row]:
    """Yield the times of the streams of every shipped frame, started as the frame started them."""
    for frame in frames():
        inputs.progress(f"{_PART}: replaying the streams of {frame.name}")
        schedule = execute_compiled(frame.program, row_dram(frame.machine, frame.mode))
        found = replay(
            frame.program, schedule, frame.machine.memory, _rate(frame), most=_MOST_BURSTS
        )
        for name, quantity in _QUANTITIES.items():
            yield compare(
                _PART, f"row model, own streams of {frame.name}", quantity,
                reference=getattr(found.cycle, name), ours=getattr(found.row, name), unit="ps",
                source="the cycle model, open loop, builtin:object at 640 x 360",
                tolerance=Tolerance.within(_TOLERANCE),
                note=f"{found.bursts:,} bursts",
            )  # fmt: skip


def _rate(frame: Frame) -> float | None:
    machine = frame.machine
    if isinstance(machine, Gpu) and frame.mode:
        return machine.modes[frame.mode].memory_mt_s.value
    return None


CHECKS = (Check(_PART, "row model against cycle model on own streams", own_streams),)
