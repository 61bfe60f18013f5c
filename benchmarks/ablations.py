"""All ablations of one frame of 500,000 Gaussians from cached traces, and one program.

    python -P benchmarks/ablations.py [SCENE]

The scene is a file, or the built-in room made of 500,000 Gaussians; the frame is full HD. The
first run records what the cache lacks and is not counted. Targets: 60 s for `archsim run ablation`
on two cores, and 0.1 s of CPU for building and simulating the StreamingGS program.
"""

from __future__ import annotations

import argparse
import json
import time

from rich.console import Console

import archsim
from archsim.config import load_run
from archsim.progress import Silent
from archsim.runner import run_programs
from archsim.sim.simulate import simulate
from archsim.traces.cache import TraceCache

TARGET_S = 60.0
TARGET_PROGRAM_S = 0.1
REPEATS = 5


def main() -> None:
    """Print both times beside their targets."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scene", nargs="?")
    scene = parser.parse_args().scene
    changes = {"workload.resolution": [1920, 1080]}
    changes |= {"workload.gaussians": 500_000} if scene is None else {"workload.scene": scene}
    console = Console(highlight=False)

    archsim.run("ablation", set=changes)
    wall, cpu = time.perf_counter(), time.process_time()
    result = archsim.run("ablation", set=changes)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    console.print(
        f"ablation, {len(result.systems)} systems: {wall:.1f} s, {cpu:.1f} s of CPU "
        f"(target {TARGET_S:g} s)"
    )

    run = load_run("streaminggs", assignments=[f"{k}={json.dumps(v)}" for k, v in changes.items()])
    for plan, camera, program, _ in run_programs(
        run, cache=TraceCache.default(), reporter=Silent()
    ):
        if plan.name != "streaminggs":
            continue
        simulate(program, plan.machine, None, camera.name, engine="compiled")
        least = min(_simulated(plan, program, camera.name) for _ in range(REPEATS))
        console.print(
            f"streaminggs, {program.tasks:,} tasks, {program.runs.size.size:,} memory runs: "
            f"{least:.3f} s of CPU to simulate (target {TARGET_PROGRAM_S:g} s with building)"
        )


def _simulated(plan: object, program: object, camera: str) -> float:
    start = time.process_time()
    simulate(program, plan.machine, None, camera, engine="compiled")  # type: ignore[attr-defined,arg-type]
    return time.process_time() - start


if __name__ == "__main__":
    main()
