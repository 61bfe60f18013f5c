"""The one result object; every table, plot and file is a view of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from archsim.base.interval import Interval

__all__ = ["GPU_IDLE", "SCHEMA_VERSION", "FrameResult", "SystemResult"]

SCHEMA_VERSION = "archsim-result-1"
#: Energy component of what a GPU's module draws whether or not it renders.
GPU_IDLE = "gpu/idle"


@dataclass(frozen=True)
class FrameResult:
    """One frame (camera) on one system; parts add up to totals.

    Attributes
    ----------
    time_ps
        Simulated time from the frame's first task to its last.
    time_by_cause_ps : unit -> cause -> picoseconds
        Causes are busy, starved, blocked, memory (server-time: the sum over causes is
        ``time_ps`` x servers).
    stages
        One row per stage: stage, unit, tasks, busy_ps, start_ps, finish_ps, and for memory
        stages bytes.
    dram_bytes_by_stream
        Bytes moved over the DRAM pins (whole bursts), by stream; reads and writes apart as
        ``<stream>/read`` and ``<stream>/write``.
    dram_counts
        Commands and states the DRAM energy rests on: activates, read_bursts, write_bursts,
        refreshes, row_hits, busy and total picoseconds by channel.
    energy_by_component_pj : component -> Interval
    energy_by_rail_pj : supply rail -> Interval
        The same energy by what a GPU's module measures it on; empty for accelerators.
    actions
        Action counts, ``component/action`` -> number.
    buffers
        One row per buffer and FIFO: buffer, unit (bytes or items), capacity, and the peak and
        the mean over time of what it held.
    bounds
        One row per unit with known work and for DRAM: unit, what, items, interval_cycles, servers,
        bound_ps, which ``time_ps`` cannot undercut.
    quality
        Of this frame's image, as :attr:`SystemResult.quality`; the simulated time does not need
        it, so it is added to what :func:`archsim.sim.simulate.simulate` gives.
    engine
        The executor used, ``simpy`` or ``compiled``: how the frame came about, no part of what it
        is, so that frames compare equal and ``result.json`` leaves it out.
    """

    camera: str
    time_ps: int
    time_by_cause_ps: dict[str, dict[str, int]]
    stages: list[dict[str, Any]]
    dram_bytes_by_stream: dict[str, int]
    dram_counts: dict[str, int]
    energy_by_component_pj: dict[str, Interval]
    actions: dict[str, int]
    energy_by_rail_pj: dict[str, Interval] = field(default_factory=dict)
    buffers: list[dict[str, Any]] = field(default_factory=list)
    bounds: list[dict[str, Any]] = field(default_factory=list)
    quality: dict[str, Any] = field(default_factory=dict)
    engine: str = field(default="simpy", compare=False)


@dataclass(frozen=True)
class SystemResult:
    """One system (method x machine) over all frames.

    Attributes
    ----------
    mode
        Power mode of a GPU, ``None`` for machines without one.
    area_mm2 : component -> Interval, ``None`` where the machine states no area (GPUs).
    quality
        ``exact`` (bool), ``psnr_db``, ``ssim`` (means over frames; PSNR ``None`` when exact) and
        ``errors``: named causes with their own PSNR, e.g. order and coverage.
    workload_counts
        What the method recorded, e.g. visible, pairs, coarse_pass_fraction.
    fidelity
        Model -> what it is and its stated error, e.g. ``dram: row``.
    dram_device, dram_peak_bytes_per_s
        The memory behind the machine, and what its pins carry at most at the mode's data rate.
    assumed
        Every assumed constant the numbers rest on: dotted place -> what it stands for.
    notes
        Warnings that belong beside the numbers.
    images : camera -> (H, W, 3) uint8
    """

    name: str
    machine: str
    mode: str | None
    method: dict[str, Any]
    frames: list[FrameResult]
    area_mm2: dict[str, Interval] | None
    quality: dict[str, Any]
    workload_counts: dict[str, Any]
    fidelity: dict[str, str]
    dram_device: str
    dram_peak_bytes_per_s: float
    assumed: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    images: dict[str, npt.NDArray[np.uint8]] = field(default_factory=dict)

    @property
    def time_s(self) -> float:
        """Mean simulated time of a frame."""
        return sum(f.time_ps for f in self.frames) / len(self.frames) * 1e-12

    @property
    def energy_j(self) -> Interval:
        """Mean energy of a frame, with its interval."""
        return self._energy_without()

    @property
    def energy_without_idle_j(self) -> Interval:
        """Mean energy of a frame without what a GPU's module draws at idle."""
        return self._energy_without(GPU_IDLE)

    def _energy_without(self, *components: str) -> Interval:
        parts = [
            interval
            for frame in self.frames
            for name, interval in frame.energy_by_component_pj.items()
            if name not in components
        ]
        scale = 1e-12 / len(self.frames)
        return Interval(
            sum(p.value for p in parts) * scale,
            sum(p.low for p in parts) * scale,
            sum(p.high for p in parts) * scale,
        )

    @property
    def power_by_rail_w(self) -> dict[str, Interval]:
        """Mean power of each supply rail of a GPU's module while it renders; others have none."""
        total_ps = sum(f.time_ps for f in self.frames)
        names = dict.fromkeys(name for f in self.frames for name in f.energy_by_rail_pj)
        nothing = Interval.exact(0.0)
        return {
            name: sum((f.energy_by_rail_pj.get(name, nothing) for f in self.frames), nothing)
            * (1 / total_ps)
            for name in names
        }

    @property
    def dram_bytes(self) -> float:
        """Mean DRAM bytes of a frame."""
        return sum(sum(f.dram_bytes_by_stream.values()) for f in self.frames) / len(self.frames)
