"""One frame on one machine: program in, checked result out."""

from __future__ import annotations

from typing import Any

import numpy as np

from archsim.arch.load import power_mode
from archsim.arch.machine import Accelerator, Gpu
from archsim.sim.bounds import lower_bounds
from archsim.sim.causes import time_by_cause_ps
from archsim.sim.checks import check_ports, check_run
from archsim.sim.dram.row import WRITE_BATCH_BURSTS, RowDram
from archsim.sim.dram.row import fidelity as dram_fidelity
from archsim.sim.energy import ENERGY_BOUNDARY, energy_by_component_pj, energy_by_rail_pj
from archsim.sim.engine import Engine, execute_with
from archsim.sim.fullness import buffer_fullness
from archsim.sim.kernel import Progress
from archsim.sim.program import Program
from archsim.sim.result import FrameResult
from archsim.sim.schedule import Schedule

__all__ = ["fidelity", "row_dram", "simulate"]


def row_dram(
    machine: Accelerator | Gpu, mode: str | None, *, own_controller: bool = True
) -> RowDram:
    """Return the machine's memory system as a fresh row-level model, at the mode's data rate.

    A GPU's writes are gathered as its own controller does; without ``own_controller``, as the
    command-level model does, which it can then be compared with.
    """
    memory = machine.memory
    own = machine.memory.controller if isinstance(machine, Gpu) and own_controller else None
    rate = machine.modes[mode].memory_mt_s.value if isinstance(machine, Gpu) and mode else None
    return RowDram(
        memory.device,
        channels=int(memory.channels.value),
        interleave_bytes=int(memory.interleave_bytes.value),
        mapping=memory.mapping,
        data_rate_mt_s=rate,
        write_batch_bursts=WRITE_BATCH_BURSTS if own is None else own.drained_bursts,
    )


def simulate(
    program: Program,
    machine: Accelerator | Gpu,
    mode: str | None,
    camera_name: str,
    *,
    engine: Engine = "auto",
    progress: Progress | None = None,
) -> FrameResult:
    """Execute a frame's program on a machine; return its time, causes, traffic and energy.

    ``mode`` is the power mode of a GPU, ``None`` for its default; ``engine`` is the executor,
    which changes nothing but how long this takes. Raises :class:`ConfigError`
    for a mode that the machine does not have, :class:`DeadlockError` for a program that cannot
    finish, and :class:`CheckError` for a result that breaks a physical bound.
    """
    mode = power_mode(machine, mode)
    dram = row_dram(machine, mode)
    schedule, used = execute_with(engine, program, dram, progress=progress)
    check_run(program, schedule, dram)
    if isinstance(machine, Accelerator):
        check_ports(program, schedule, machine)
    energy = energy_by_component_pj(
        machine, mode, actions=program.actions, time_ps=schedule.makespan_ps,
        dram_counts=schedule.dram_counts,
    )  # fmt: skip
    return FrameResult(
        camera=camera_name,
        time_ps=schedule.makespan_ps,
        time_by_cause_ps=time_by_cause_ps(program, schedule),
        stages=_stages(program, schedule),
        dram_bytes_by_stream=_bytes_by_stream(program, schedule),
        dram_counts=schedule.dram_counts,
        energy_by_component_pj=energy,
        energy_by_rail_pj=energy_by_rail_pj(machine, energy) if isinstance(machine, Gpu) else {},
        actions=program.actions,
        buffers=buffer_fullness(program, schedule),
        bounds=lower_bounds(program, schedule, dram),
        engine=used,
    )


def fidelity(machine: Accelerator | Gpu) -> dict[str, str]:
    """Return what each model behind a machine's results is, with its stated error.

    What the method models of the machine's units is the method's to say.
    """
    texts = {
        "time": "task graph in integer picoseconds: pieces of work on units, FIFOs and buffers "
        "that block, memory streams in their order; cycles inside a piece are not simulated",
        "dram": dram_fidelity(),
        "dram energy": "commands and states counted by the row model x energies of the device "
        "table; closed channels awake, power-down as the low end",
        "energy boundary": ENERGY_BOUNDARY[machine.kind],
    }
    if isinstance(machine, Gpu):
        texts["energy"] = (
            "instructions, FP32 and special functions, L2 and DRAM bytes x a constant each, and "
            "idle power x time; uncalibrated, the ranges of its constants apply"
        )
        return texts
    texts["sram"] = (
        "CACTI 7 interpolated in size, word and node: energy of 90 % of its sweep within 3 % at "
        "256-bit words and within 42 % at 64 or 512 bits; CACTI itself 10 to 30 % against chips"
    )
    texts["energy"] = (
        "actions x constants; logic leakage by area, which published powers of units may hold "
        "already; wiring and clock tree only as far as the constants hold them"
    )
    texts["area"] = "units as published or assumed, SRAM by CACTI; no wiring, pads or DRAM PHY"
    return texts


def _stages(program: Program, schedule: Schedule) -> list[dict[str, Any]]:
    """Return one row per stage and unit, in order of their first task."""
    rows: list[dict[str, Any]] = []
    units = len(program.units)
    key = program.stage.astype(np.int64) * units + program.unit
    for value in np.unique(key):
        tasks = np.flatnonzero(key == value)
        start, finish = schedule.start_ps[tasks], schedule.finish_ps[tasks]
        unit = program.units[int(value % units)]
        row: dict[str, Any] = {
            "stage": program.stages[int(value // units)],
            "unit": unit.name,
            "tasks": int(tasks.size),
            "busy_ps": int((finish - start).sum()),
            "start_ps": int(start.min()),
            "finish_ps": int(finish.max()),
        }
        if unit.dram:
            row["bytes"] = int(schedule.dram_bytes[tasks].sum())
        rows.append(row)
    return sorted(rows, key=lambda row: (row["start_ps"], row["finish_ps"], row["stage"]))


def _bytes_by_stream(program: Program, schedule: Schedule) -> dict[str, int]:
    """Return bytes over the DRAM pins as ``<stream>/read`` and ``<stream>/write``, sorted."""
    moved = {}
    for index, stream in enumerate(program.streams):
        mine = program.stream == index
        for direction, chosen in (("read", ~program.write), ("write", program.write)):
            if (mine & chosen).any():
                moved[f"{stream}/{direction}"] = int(schedule.dram_bytes[mine & chosen].sum())
    return dict(sorted(moved.items()))
