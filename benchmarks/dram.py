"""Requests per second of the DRAM models, and whether their cost grows linearly.

    python -P benchmarks/dram.py [--largest 10000000] [--scene builtin:room] [--resolution 1280 720]

One channel of DDR4-3200 under the cycle model, streams and random reads of 10^4 to 10^7 requests;
the row model on a stream in one run, on runs of a burst each, and on the memory streams of a
frame of every system of the shipped comparison on its own memory. Times are CPU seconds of one
core, the least of a few repeats, without compilation. The slope is that of log time over log
requests from 10^5 requests on: 1 is linear.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from rich.console import Console
from rich.table import Table

from archsim.arch.dram import load_device
from archsim.arch.dram.timing import device_clocks
from archsim.config import load_run
from archsim.sim.dram.cycle.controller import CycleDram
from archsim.sim.dram.cycle.traces import formula_trace
from archsim.sim.dram.mapping import map_device
from archsim.sim.dram.row import RowDram
from archsim.sim.dram.streams import Streams, memory_streams
from archsim.sim.kernel import execute
from archsim.sim.simulate import row_dram
from archsim.sim.validation.dram_traces import line_bits
from archsim.traces.gs3d.cameras import bounds_of
from archsim.traces.gs3d.reference import render_reference
from archsim.traces.gs3d.workload import load_cameras, load_scene

DEVICE, MAPPING = "ddr4-3200", "row-bank-column-group"
#: Million per second that each is to reach on one core.
TARGET_M_S = {"stream_r": 1.5, "random_r": 0.5, "row": 20.0}
REPEATS = 3
LONG_S = 3.0  # longer ones are run once


@dataclass(frozen=True)
class Rate:
    """What was measured: a job of some requests."""

    model: str
    work: str
    requests: int
    seconds: float
    target_m_s: float | None

    @property
    def m_s(self) -> float:
        return self.requests / self.seconds / 1e6


def least_seconds(job: Callable[[], object]) -> float:
    times: list[float] = []
    while len(times) < REPEATS and sum(times) < LONG_S:
        start = time.process_time()
        job()
        times.append(time.process_time() - start)
    return min(times)


def sizes(largest: int) -> list[int]:
    return [10**k for k in range(4, 8) if 10**k <= largest]


def cycle_rates(largest: int) -> list[Rate]:
    device = load_device(DEVICE)
    dram = CycleDram(device_clocks(device), mapping=map_device(MAPPING, device).fields)
    rates = []
    for key in ("stream_r", "random_r"):
        dram.run_trace([0], [0], [False])  # compile
        for count in sizes(largest):
            requests = formula_trace(key, line_bits(device), count)
            took = least_seconds(lambda requests=requests: dram.run_trace(*requests))
            rates.append(Rate("cycle", f"{DEVICE}, {key}", count, took, TARGET_M_S[key]))
    return rates


def row_rates(largest: int) -> list[Rate]:
    device = load_device(DEVICE)
    burst = device.burst_bytes
    rates = []
    for work in ("one run", "runs of 4 KiB", "runs of a burst, random"):
        for count in sizes(largest):
            if work == "one run":
                address, size = np.zeros(1, np.int64), np.full(1, count * burst)
            elif work == "runs of 4 KiB":
                runs = count * burst // 4096
                address, size = np.arange(runs) * 8192, np.full(runs, 4096)
            else:
                address = formula_trace("random_r", line_bits(device), count)[1] * burst
                size = np.full(count, burst)

            def serve(address: np.ndarray = address, size: np.ndarray = size) -> int:
                dram = RowDram(DEVICE, channels=1, interleave_bytes=burst, mapping=MAPPING)
                return dram.serve(0, address, size, False)

            serve()
            rates.append(Rate("row", f"{DEVICE}, {work}", count, least_seconds(serve), None))
    return rates


def own_streams(scene_name: str, resolution: list[int]) -> list[tuple[str, Streams, RowDram]]:
    """The memory streams of a frame of every system, in their order of service."""
    assignments = [f"workload.scene={scene_name}", f"workload.resolution={resolution}"]
    run = load_run("streaminggs", assignments=assignments, seed=None)
    scene = load_scene(run.config.workload, seed=run.config.seed)
    camera = load_cameras(run.config.workload, bounds_of(scene))[0]
    reference = render_reference(scene, camera)
    found = []
    for plan in run.systems:
        frame = plan.method.record(scene, camera, reference, plan.config)
        program = plan.method.program(frame, plan.machine, plan.mode, plan.config)
        schedule = execute(program, row_dram(plan.machine, plan.mode))
        streams = memory_streams(program, schedule)
        found.append((plan.name, streams, row_dram(plan.machine, plan.mode)))
    return found


def own_rates(scene_name: str, resolution: list[int]) -> list[Rate]:
    rates = []
    for name, streams, dram in own_streams(scene_name, resolution):
        jobs = [
            (start, streams.address[a:b], streams.size[a:b], write)
            for start, a, b, write in zip(
                streams.start_ps.tolist(), streams.ptr[:-1].tolist(), streams.ptr[1:].tolist(),
                streams.write.tolist(),
            )
        ]  # fmt: skip

        def serve(dram: RowDram = dram, jobs: list = jobs) -> None:
            for start, address, size, write in jobs:
                dram.serve(start, address, size, write)

        serve()
        bursts = int(streams.bursts(dram.burst_bytes).sum())
        work = f"{name}, {len(jobs)} streams of {streams.size.size} runs"
        rates.append(Rate("row", work, bursts, least_seconds(serve), TARGET_M_S["row"]))
    return rates


def slope(rates: list[Rate]) -> float:
    """Growth of log time over log requests, where fixed costs no longer count."""
    large = [rate for rate in rates if rate.requests >= 100_000]
    if len(large) < 2:
        return float("nan")
    x = np.log([rate.requests for rate in large])
    y = np.log([rate.seconds for rate in large])
    return float(np.polyfit(x, y, 1)[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--largest", type=int, default=10**7)
    parser.add_argument("--scene", default="builtin:room")
    parser.add_argument("--resolution", type=int, nargs=2, default=[1280, 720])
    options = parser.parse_args()
    rates = [
        *cycle_rates(options.largest),
        *row_rates(options.largest),
        *own_rates(options.scene, options.resolution),
    ]
    table = Table("model", "work", "requests or bursts", "s", "M/s", "target M/s", "verdict")
    for rate in rates:
        met = "-" if rate.target_m_s is None else "met" if rate.m_s >= rate.target_m_s else "MISSED"
        target = "-" if rate.target_m_s is None else f"{rate.target_m_s:g}"
        table.add_row(rate.model, rate.work, f"{rate.requests:,}", f"{rate.seconds:.4f}",
                      f"{rate.m_s:.2f}", target, met)  # fmt: skip
    console = Console()
    console.print(table)
    for work in dict.fromkeys((rate.model, rate.work) for rate in rates):
        growth = slope([rate for rate in rates if (rate.model, rate.work) == work])
        if np.isfinite(growth):
            console.print(f"{work[0]}, {work[1]}: time grows as requests ^ {growth:.2f}")


if __name__ == "__main__":
    main()
