"""Bandwidth against latency of a device: paced requests at rising rates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from archsim.arch.dram import DramDevice, device_clocks
from archsim.sim.dram.open_loop import Served, serve_trace

__all__ = ["LOADS", "PATTERNS", "Point", "measure_curve"]

I64 = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Progress = Callable[[int, int], None]

#: Offered load as a share of the device's peak bandwidth.
LOADS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 1.0)


@dataclass(frozen=True)
class Point:
    """A pattern at one rate.

    Attributes
    ----------
    offered_gb_s, achieved_gb_s
        Bandwidth asked for, and got from the first request to the last answer.
    latency_ns, latency_p99_ns
        Mean and 99th percentile of the reads, from arrival to data.
    """

    pattern: str
    offered_gb_s: float
    achieved_gb_s: float
    latency_ns: float
    latency_p99_ns: float


def _sequential(lines: int, count: int) -> tuple[I64, Bools]:
    return np.arange(count, dtype=np.int64) % lines, np.zeros(count, np.bool_)


def _random(lines: int, count: int) -> tuple[I64, Bools]:
    return np.random.default_rng(1).integers(0, lines, count), np.zeros(count, np.bool_)


def _copy(lines: int, count: int) -> tuple[I64, Bools]:
    """Read one half of the device and write what was read to the other, in turns."""
    index = np.arange(count, dtype=np.int64)
    write = index % 2 == 1
    return index // 2 % (lines // 2) + np.where(write, lines // 2, 0), write


def _random_mix(lines: int, count: int) -> tuple[I64, Bools]:
    generator = np.random.default_rng(2)
    return generator.integers(0, lines, count), generator.random(count) < 1 / 3


#: pattern -> function from (bursts of the device, requests) to their lines and writes
PATTERNS: dict[str, Callable[[int, int], tuple[I64, Bools]]] = {
    "sequential reads": _sequential,
    "sequential copy": _copy,
    "random reads": _random,
    "random, a third writes": _random_mix,
}


def measure_curve(
    device: DramDevice, *, mapping: str, requests: int, progress: Progress | None = None
) -> list[Point]:
    """Return every pattern at every load of :data:`LOADS`, at cycle fidelity with refresh.

    ``requests`` of each are spread evenly in time on one channel.
    """
    clocks = device_clocks(device)
    lines = clocks.rows * clocks.columns * clocks.banks
    points = []
    total = len(PATTERNS) * len(LOADS)
    for pattern, make in PATTERNS.items():
        line, write = make(lines, requests)
        for load in LOADS:
            arrival = (np.arange(requests) * (device.burst_clocks / load)).astype(np.int64)
            served = serve_trace(device, arrival, line, write, mapping=mapping)
            points.append(_point(pattern, load * device.bandwidth_gb_s(), served))
            if progress is not None:
                progress(len(points), total)
    return points


def _point(pattern: str, offered_gb_s: float, served: Served) -> Point:
    latency = served.read_latency_ns
    return Point(
        pattern,
        offered_gb_s,
        served.bandwidth_gb_s,
        float(latency.mean()),
        float(np.percentile(latency, 99)),
    )
