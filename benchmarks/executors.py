"""Tasks per second of the two executors, and whether the compiled one's cost grows linearly.

    python -P benchmarks/executors.py [--largest 10000000]

The StreamingGS program of a full-HD frame with its memory streams served by the row model, of
playbot LOD 0 where ARCHSIM_DATA names the folder of real scenes, else of the built-in room; and a
synthetic pipeline of five units with FIFOs of four items, without memory, of 10^4 to 10^7 tasks.
Times are CPU seconds of one core, the least of a few repeats, without compilation. The slope is
that of log time over log tasks: 1 is linear.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from archsim.config import SystemPlan, load_run
from archsim.sim.compiled.executor import execute_compiled
from archsim.sim.dram.row import RowDram
from archsim.sim.kernel import execute
from archsim.sim.program import Program, ProgramBuilder
from archsim.sim.simulate import row_dram
from archsim.traces.gs3d.cameras import bounds_of
from archsim.traces.gs3d.reference import render_reference
from archsim.traces.gs3d.workload import load_cameras, load_scene
from archsim.traces.trace import Trace

TARGET_M_S = 5.0  # million tasks per second, one core, compiled
TARGET_FRAME_S = 0.3  # a full-HD frame's program built and simulated
STAGES, DEPTH = 5, 4
REPEATS = 3
LONG_S = 5.0  # longer ones are run once


def least_seconds(job: Callable[[], object]) -> float:
    times: list[float] = []
    while len(times) < REPEATS and sum(times) < LONG_S:
        start = time.process_time()
        job()
        times.append(time.process_time() - start)
    return min(times)


def pipeline(tasks: int) -> Program:
    """A chain of units with work of random length and bounded FIFOs between them."""
    builder, random = ProgramBuilder(), np.random.default_rng(0)
    stages = [
        builder.compute(
            builder.unit(f"u{s}"), f"s{s}", random.integers(1, 1000, tasks // STAGES)
        )
        for s in range(STAGES)
    ]  # fmt: skip
    for producer, consumer in pairwise(stages):
        builder.edge(producer, consumer)
        builder.credit(producer, consumer, DEPTH)
    return builder.build()


def frame_of_streaminggs() -> tuple[str, SystemPlan, Trace]:
    """Return a name, the system and the trace of its full-HD frame."""
    data = os.environ.get("ARCHSIM_DATA")
    name, changes = "builtin:room", ["workload.resolution=[1920,1080]"]
    if data:
        name = "playbot LOD 0"
        file = Path(data) / "gs3d/playcanvas/playbot/lod-meta.json"
        changes += [f"workload.scene={file}", "workload.lod=0"]
    run = load_run("streaminggs", assignments=changes)
    plan = next(plan for plan in run.systems if plan.name == "streaminggs")
    workload = run.config.workload
    scene = load_scene(workload, seed=run.config.seed)
    camera = load_cameras(workload, bounds_of(scene))[0]
    reference = render_reference(scene, camera)
    trace = plan.method.record(scene, camera, reference, plan.config)
    return f"StreamingGS, {name}, 1920 x 1080", plan, trace


def serve_only(program: Program, dram: RowDram) -> None:
    """Serve all memory streams, one after the other: what the row model takes by itself."""
    ptr, runs = program.runs.ptr.tolist(), program.runs
    now = 0
    for task in np.flatnonzero(np.diff(program.runs.ptr)).tolist():
        part = slice(ptr[task], ptr[task + 1])
        now = dram.serve(now, runs.address[part], runs.size[part], bool(program.write[task]))


def add_frame(table: Table) -> None:
    work, plan, trace = frame_of_streaminggs()

    def build() -> Program:
        return plan.method.program(trace, plan.machine, plan.mode, plan.config)

    def memory() -> RowDram:
        return row_dram(plan.machine, plan.mode)

    program = build()
    schedule = execute_compiled(program, memory())
    n = program.tasks
    compiled = least_seconds(lambda: execute_compiled(program, memory()))
    simpy = least_seconds(lambda: execute(program, memory()))
    row = least_seconds(lambda: serve_only(program, memory()))
    bursts = schedule.dram_counts["read_bursts"] + schedule.dram_counts["write_bursts"]
    add(table, "compiled", f"{work}, {bursts / 1e6:.2f} M bursts", n, compiled, TARGET_M_S)
    add(table, "SimPy", "the same", n, simpy, None)
    add(table, "row model alone", "the same streams", n, row, None)
    units = tuple(dataclasses.replace(unit, dram=False) for unit in program.units)
    without = dataclasses.replace(program, units=units)
    bare = least_seconds(lambda: execute_compiled(without))
    add(table, "compiled", "the same, streams in no time", n, bare, TARGET_M_S)
    add(table, "SimPy", "the same, streams in no time",
        n, least_seconds(lambda: execute(without)), None)  # fmt: skip
    both = least_seconds(build) + compiled
    table.caption = (
        f"compiled / SimPy on the frame: {simpy / compiled:.1f} times. The frame's program built "
        f"and simulated: {both:.3f} s (target < {TARGET_FRAME_S} s)"
    )


def add(
    table: Table, executor: str, work: str, tasks: int, seconds: float, target: float | None
) -> float:
    rate = tasks / seconds / 1e6
    table.add_row(
        executor, work, f"{tasks:,}", f"{seconds:.4f} s", f"{rate:.2f} M/s",
        "" if target is None else f"{target:g} M/s, {'met' if rate >= target else 'missed'}",
    )  # fmt: skip
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--largest", type=int, default=10**7)
    largest = parser.parse_args().largest
    execute_compiled(pipeline(100), None)  # compiles
    table = Table("executor", "work", "tasks", "CPU time", "tasks", "target")
    add_frame(table)
    for name, executor, most, target in (
        ("compiled", execute_compiled, largest, TARGET_M_S), ("SimPy", execute, 10**5, None),
    ):  # fmt: skip
        counts = [10**k for k in range(4, 8) if 10**k <= most]
        seconds = []
        for count in counts:
            program = pipeline(count)
            seconds.append(
                add(table, name, "pipeline of 5 units", count,
                    least_seconds(lambda: executor(program)), target)  # noqa: B023
            )  # fmt: skip
        if len(counts) > 1:
            slope = np.polyfit(np.log(counts), np.log(seconds), 1)[0]
            table.add_row(name, "pipeline of 5 units", "", "", f"slope {slope:.2f}", "")
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
