"""The compiled executor against the SimPy executor, which defines what a program means."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from archsim.sim.compiled.executor import execute_compiled
from archsim.sim.kernel import execute
from archsim.sim.simulate import row_dram
from archsim.sim.validation.checks import Check
from archsim.sim.validation.frames import frames
from archsim.sim.validation.inputs import Inputs
from archsim.sim.validation.row import Row, Tolerance, compare

__all__ = ["CHECKS"]

_PART = "executors"


def shipped_programs(inputs: Inputs) -> Iterator[Row]:
    """Yield, per shipped machine, the tasks that start or finish at another picosecond."""
    for frame in frames():
        inputs.progress(f"{_PART}: {frame.name}, {frame.program.tasks} tasks")
        simpy = execute(frame.program, row_dram(frame.machine, frame.mode))
        compiled = execute_compiled(frame.program, row_dram(frame.machine, frame.mode))
        figures = {
            "tasks with another start": (
                0, int(np.count_nonzero(simpy.start_ps != compiled.start_ps)), "tasks"),
            "tasks with another finish": (
                0, int(np.count_nonzero(simpy.finish_ps != compiled.finish_ps)), "tasks"),
            "frame time": (simpy.makespan_ps, compiled.makespan_ps, "ps"),
            "DRAM counters that differ": (
                0, sum(compiled.dram_counts.get(name) != value
                       for name, value in simpy.dram_counts.items()), ""),
        }  # fmt: skip
        for quantity, (reference, ours, unit) in figures.items():
            yield compare(
                _PART, f"compiled executor, {frame.name}, {frame.program.tasks:,} tasks", quantity,
                reference=reference, ours=ours, unit=unit, tolerance=Tolerance.exact(),
                source="the SimPy executor on the same program, builtin:object at 640 x 360",
            )  # fmt: skip


CHECKS = (Check(_PART, "shipped programs in both executors", shipped_programs),)
