"""Speed of the explorer: points per second, its own overhead, workers' efficiency, and searches.

    ARCHSIM_DATA=<folder> python -P benchmarks/explore.py [--points 200] [--search]

Without real scenes the built-in room with 500,000 Gaussians stands in. Times are wall clock; the
CPU time per point tells what a quiet machine would do. ``--search`` adds the shipped StreamingGS
study: how many points NSGA-II and TPE need for the hypervolume of 1,000 random ones (minutes).
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from archsim.base.hashing import hash_data
from archsim.explore.analysis import hypervolume_curve, shared_box
from archsim.explore.axis import Parameter
from archsim.explore.driver import Driver
from archsim.explore.fleets import cores, here, on_processes
from archsim.explore.goals import Goals
from archsim.explore.problem import Job
from archsim.explore.search.sampling import Random
from archsim.explore.space import Space
from archsim.explore.store import Store
from archsim.explore.study import Budget
from archsim.explore.workers import Workers
from archsim.study_file import load_study
from archsim.sweep_api import sweep
from archsim.sweep_problem import evaluate_system

_MACHINE: dict[str, Any] = {
    "cfu": {"path": "systems.sgs.set.units.cfu.count.value", "values": [4, 8, 16, 32, 64]},
    "ffu": {"path": "systems.sgs.set.units.ffu.count.value", "values": [1, 2, 4, 8, 16]},
    "vru": {"path": "systems.sgs.set.units.vru.count.value", "values": [16, 32, 64, 128, 256]},
    "sort": {"path": "systems.sgs.set.buffers.sort.capacity_bytes.value",
             "log_range": [16384, 262144], "factor": 2},
    "channels": {"path": "systems.sgs.set.memory.channels.value", "values": [2, 4, 8]},
}  # fmt: skip
_METHOD: dict[str, Any] = {
    "voxel": {"path": "systems.sgs.method.voxel_size", "values": ["extent/12", "extent/20"]},
    "group": {"path": "systems.sgs.method.group", "values": [[32, 32], [128, 64]]},
    "sh": {"path": "systems.sgs.method.codebooks.sh", "values": [256, 1024]},
}  # fmt: skip


def study(space: dict[str, Any], search: dict[str, Any], budget: dict[str, Any]) -> dict[str, Any]:
    data = os.environ.get("ARCHSIM_DATA")
    scene: dict[str, Any] = {"scene": "builtin:room", "gaussians": 500_000}
    if data:
        scene = {"scene": f"{data}/gs3d/playcanvas/playbot/lod-meta.json", "lod": 0}
    return {
        "base": {
            "workload": {"kind": "gs3d", **scene, "cameras": {"orbit": {"views": 1}},
                         "resolution": [1280, 720]},
            "systems": {"sgs": {"machine": "streaminggs", "method": {"kind": "streaminggs"}}},
            "baseline": "sgs",
        },
        "space": space, "search": search, "budget": budget, "sensitivity": False,
        "objectives": {"sgs.time_s": "minimize", "sgs.area_mm2": "minimize"},
    }  # fmt: skip


def cpu_s() -> float:
    """Return CPU seconds of this process and its ended children."""
    own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF,
                                                         resource.RUSAGE_CHILDREN))  # fmt: skip
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def machine_points(points: int, jobs: int, folder: Path) -> list[tuple[str, str, str]]:
    """Return the rate of points that change only the machine, their trace cached."""
    few = study(_MACHINE, {"kind": "random"}, {"points": 2 * jobs})
    sweep(few, jobs=jobs, store=folder / "warm")  # records the trace, compiles
    # the start of workers, and what each loads, is the difference of two lengths
    spent = []
    for count in (points // 4, points):
        many = study(_MACHINE, {"kind": "random"}, {"points": count})
        wall, cpu = time.perf_counter(), cpu_s()
        found = sweep(many, jobs=jobs, store=folder / f"run-{count}", seed=1)
        spent.append((time.perf_counter() - wall, cpu_s() - cpu))
        took = [o.took_s for o in found.outcomes]
    more = points - points // 4
    wall, cpu = (b - a for a, b in zip(*spent))
    return [
        (f"machine-only points, {jobs} processes", f"{more / wall:.1f} points/s", ">= 20"),
        ("the same with the start of processes", f"{points / spent[1][0]:.1f} points/s", ""),
        ("CPU time per point, everything", f"{cpu / more * 1e3:.1f} ms", ""),
        (f"so a quiet machine does, on {jobs} cores", f"{jobs * more / cpu:.1f} points/s", ">= 20"),
        ("median of a point in its worker", f"{sorted(took)[len(took) // 2] * 1e3:.1f} ms", ""),
    ]


def method_points(folder: Path) -> list[tuple[str, str, str]]:
    """Return the time of points that change voxels, groups or codebooks, in one process."""
    start = time.perf_counter(), cpu_s()
    found = sweep(study(_METHOD, {"kind": "grid"}, {}), fleet=here(), store=folder / "method")
    wall, cpu = time.perf_counter() - start[0], cpu_s() - start[1]
    took = sorted(o.took_s for o in found.outcomes)
    count = len(took)
    return [
        ("method-changing points, median", f"{took[count // 2]:.2f} s", "<= 3 s"),
        ("the same, longest (reads scene, renders reference)", f"{took[-1]:.2f} s", ""),
        ("CPU time per point", f"{cpu / count:.2f} s of {wall / count:.2f} s", ""),
    ]


def nothing(payload: Mapping[str, Any]) -> dict[str, Any]:
    return {"x": payload["a"] * 1.0, "y": 1.0 - payload["b"]}


def pause(payload: Mapping[str, Any]) -> dict[str, Any]:
    time.sleep(0.05)
    return nothing(payload)


class Plain:
    """Points that cost nothing or a fixed pause."""

    version = "benchmark"

    def __init__(self, evaluate: Any):
        self.evaluate = evaluate

    def jobs(self, settings: Mapping[str, Any]) -> dict[str, Job]:
        return {"s": Job(hash_data(dict(settings)), dict(settings))}

    def columns(self, rows: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
        return {f"s.{key}": value for key, value in rows["s"].items()}


def explored(evaluate: Any, points: int, fleet: Any, folder: Path) -> float:
    """Return wall seconds of a random search, without the start of workers."""
    space = Space({name: Parameter(path=name, range=(0, 1)) for name in ("a", "b")})
    goals = Goals({"s.x": "minimize", "s.y": "minimize"}, {})
    problem = Plain(evaluate)
    with Store(folder, problem.version, f"{points}") as store, fleet as place:
        workers = Workers(place, problem.evaluate)
        driver = Driver(space, goals, problem, store, workers, lambda progress: None)
        driver.run("search", Random(space, 1), batch=16, budget=Budget(points=60))
        start = time.perf_counter()
        driver.run("search", Random(space, 2), batch=16, budget=Budget(points=points))
        return time.perf_counter() - start


def overhead(folder: Path) -> list[tuple[str, str, str]]:
    """Return what the explorer adds to a point, and how well two processes are used."""
    points = 2000
    own = explored(nothing, points, here(), folder / "nothing") / points
    resolved = load_study(study(_MACHINE, {"kind": "random"}, {"points": 1}))
    drawn = Random(resolved.space, 3).ask(300)
    resolved.problem.jobs(resolved.space.settings(drawn[0]))
    start = time.process_time()
    for point in drawn:
        resolved.problem.jobs(resolved.space.settings(point))
    prepared = (time.process_time() - start) / len(drawn)
    efficiency = 400 * 0.05 / 2 / explored(pause, 400, on_processes(2), folder / "pause")
    return [
        ("ask, look up, store, judge, tell: per point", f"{own * 1e3:.2f} ms", "< 2 ms together"),
        ("configuration and key of a point", f"{prepared * 1e3:.2f} ms", "with the former"),
        ("efficiency, 2 processes, points of 50 ms", f"{efficiency:.3f}", ">= 0.9"),
    ]


def searches(jobs: int) -> list[tuple[str, str, str]]:
    """Return how many points searches need for the hypervolume of 1,000 random ones."""
    rows = []
    for kind in ("nsga2", "tpe", "refine"):
        found = sweep("streaminggs", set={"search": {"kind": kind}}, jobs=jobs)
        box = shared_box(found.outcomes)
        if box is None:
            raise SystemExit("no valid point")
        goal = hypervolume_curve(found.phases["random"], box)[-1][1]
        curve = hypervolume_curve(found.phases["search"], box)
        reached = next((str(n) for n, value in curve if value >= goal), "not reached")
        words = f"{reached} points; {curve[-1][1]:.4f} after {curve[-1][0]}, random {goal:.4f}"
        rows.append((f"{kind}: hypervolume of 1,000 random points", words, "<= 300"))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--points", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=min(2, cores()))
    parser.add_argument("--search", action="store_true")
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        rows += overhead(Path(folder))
        rows += machine_points(options.points, options.jobs, Path(folder))
        rows += method_points(Path(folder))
    if options.search:
        rows += searches(options.jobs)
    table = Table(title="explorer", title_justify="left")
    for column in ("what", "measured", "target"):
        table.add_column(column)
    for row in rows:
        table.add_row(*row)
    Console(width=110).print(table)
    print(f"evaluated by {evaluate_system.__module__}, Python {sys.version.split()[0]}")


if __name__ == "__main__":
    main()
