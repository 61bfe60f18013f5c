"""Physical bounds that every finished run must keep; breaking one is an error, not a footnote."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from archsim.arch.machine import Accelerator
from archsim.arch.sram import port_cycles
from archsim.base.errors import CheckError
from archsim.base.jit import njit
from archsim.base.units import PS_PER_S
from archsim.sim.program import Program
from archsim.sim.schedule import Schedule

__all__ = ["CheckedDram", "check_ports", "check_run"]

I64 = npt.NDArray[np.int64]


class CheckedDram(Protocol):
    """What the checks need to know of a DRAM model."""

    @property
    def peak_bytes_per_s(self) -> float:
        """Bytes per second that all channels' pins move at most."""
        ...

    @property
    def burst_bytes(self) -> int:
        """Bytes of a burst."""
        ...


def check_run(program: Program, schedule: Schedule, dram: CheckedDram | None = None) -> None:
    """Raise :class:`CheckError`, naming the numbers, if a run breaks a physical bound.

    Checked: no task starts before 0, before its predecessors' finish, or finishes before its
    start; tasks last as long as the program says; no unit runs more tasks than it has servers,
    or is done sooner than its work takes; no room is overfull or given back twice; memory tasks
    move the bytes they ask for, in whole bursts, and never faster than the pins' peak.
    """
    _check_order(program, schedule)
    _check_units(program, schedule)
    _check_rooms(program, schedule)
    if dram is not None:
        _check_memory(program, schedule, dram)


def check_ports(program: Program, schedule: Schedule, machine: Accelerator) -> None:
    """Raise :class:`CheckError` when a buffer moved more words than its ports could in the run.

    Every bank has one port, which reads or writes one word per cycle.
    """
    cycles = schedule.makespan_ps * machine.clock_mhz.value / 1e6
    for name, buffer in machine.buffers.items():
        read, write = (program.actions.get(f"{name}/{what}_bytes", 0) for what in ("read", "write"))
        needed = float(port_cycles(buffer, read, write))
        if needed > cycles:
            raise CheckError(
                f"{name} read {read} and wrote {write} bytes in {cycles:.0f} cycles; its "
                f"{buffer.banks.value:g} banks of {buffer.word_bits.value:g}-bit words take at "
                f"least {needed:.0f}",
                remedy=f"give {machine.name}: buffers.{name} more banks or wider words",
            )


def _task(program: Program, task: int) -> str:
    stage = program.stages[program.stage[task]]
    return f"task {task} ({stage} on {program.units[program.unit[task]].name})"


def _check_order(program: Program, schedule: Schedule) -> None:
    start, finish = schedule.start_ps, schedule.finish_ps
    for task in np.flatnonzero(start < 0)[:1].tolist():
        raise CheckError(f"{_task(program, task)} starts at {start[task]} ps, before the run")
    for task in np.flatnonzero(finish < start)[:1].tolist():
        raise CheckError(
            f"{_task(program, task)} finishes at {finish[task]} ps, before its start at "
            f"{start[task]} ps"
        )
    after = np.repeat(np.arange(program.tasks), np.diff(program.pred_ptr))
    for edge in np.flatnonzero(start[after] < finish[program.pred])[:1].tolist():
        task, before = int(after[edge]), int(program.pred[edge])
        raise CheckError(
            f"{_task(program, task)} starts at {start[task]} ps, before "
            f"{_task(program, before)} finishes at {finish[before]} ps"
        )


def _check_units(program: Program, schedule: Schedule) -> None:
    start, finish = schedule.start_ps, schedule.finish_ps
    for index, unit in enumerate(program.units):
        tasks = np.flatnonzero(program.unit == index)
        if not unit.dram:
            took = finish[tasks] - start[tasks]
            for task in tasks[took != program.duration_ps[tasks]][:1].tolist():
                raise CheckError(
                    f"{_task(program, task)} took {finish[task] - start[task]} ps instead of "
                    f"{program.duration_ps[task]} ps"
                )
            work = int(program.duration_ps[tasks].sum())
            if work > schedule.makespan_ps * unit.servers:
                raise CheckError(
                    f"{unit.name} did {work} ps of work in {schedule.makespan_ps} ps on "
                    f"{unit.servers} servers"
                )
        lasting = tasks[finish[tasks] > start[tasks]]
        begins, ends = np.sort(start[lasting]), np.sort(finish[lasting])
        # the task that starts after so many others as there are servers finds one of them done
        if (begins[unit.servers :] < ends[: max(begins.size - unit.servers, 0)]).any():
            running = np.arange(1, begins.size + 1) - np.searchsorted(ends, begins, side="right")
            worst = int(running.argmax())
            raise CheckError(
                f"{unit.name} runs {running[worst]} tasks on {unit.servers} servers at "
                f"{begins[worst]} ps"
            )


def _check_rooms(program: Program, schedule: Schedule) -> None:
    taken_at = schedule.start_ps[program.claim_task]
    given_at = schedule.finish_ps[program.claim_release]
    for index, room in enumerate(program.rooms):
        mine = program.claim_room == index
        for claim in np.flatnonzero(mine & (given_at < taken_at))[:1].tolist():
            raise CheckError(
                f"{_task(program, int(program.claim_task[claim]))} takes {room.name} at "
                f"{taken_at[claim]} ps, after it was given back at {given_at[claim]} ps"
            )
        amount = program.claim_amount[mine]
        when = np.concatenate([given_at[mine], taken_at[mine]])
        order = np.argsort(when, kind="stable")  # at one instant, giving back comes first
        level = np.cumsum(np.concatenate([-amount, amount])[order])
        # zero-length tasks take and give back within an instant: look at the end of each
        last = np.flatnonzero(np.diff(when[order], append=np.iinfo(np.int64).max))
        if level.size and int(level[last].max()) > room.capacity:
            worst = int(last[level[last].argmax()])
            raise CheckError(
                f"{room.name} holds {level[worst]} {room.unit} at {when[order][worst]} ps, more "
                f"than its {room.capacity}"
            )


def _check_memory(program: Program, schedule: Schedule, dram: CheckedDram) -> None:
    moved, burst = schedule.dram_bytes, dram.burst_bytes
    runs = program.runs
    asked = _bursts(runs.ptr, runs.address, runs.size, burst) * burst
    for task in np.flatnonzero(moved != asked)[:1].tolist():
        raise CheckError(
            f"{_task(program, task)} moved {moved[task]} bytes, but its runs are {asked[task]} "
            "bytes of whole bursts"
        )
    counts = schedule.dram_counts
    total = int(moved.sum())
    counted = (counts["read_bursts"] + counts["write_bursts"]) * burst
    if counted != total:
        raise CheckError(f"the DRAM counted {counted} bytes, but its tasks moved {total}")
    peak = dram.peak_bytes_per_s
    took = schedule.finish_ps - schedule.start_ps
    for task in np.flatnonzero(moved * float(PS_PER_S) > took * peak)[:1].tolist():
        raise CheckError(
            f"{_task(program, task)} moved {moved[task]} bytes in {took[task]} ps, faster than "
            f"the DRAM's peak of {peak / 1e9:.6g} GB/s"
        )
    if total * PS_PER_S > schedule.makespan_ps * peak:
        raise CheckError(
            f"the run moved {total} bytes in {schedule.makespan_ps} ps, faster than the DRAM's "
            f"peak of {peak / 1e9:.6g} GB/s"
        )
    for name, busy in counts.items():
        if name.startswith("busy_ps/") and busy > schedule.makespan_ps:
            raise CheckError(
                f"DRAM channel {name.partition('/')[2]} moved data for {busy} ps of a run of "
                f"{schedule.makespan_ps} ps"
            )


@njit()
def _bursts(ptr: I64, address: I64, size: I64, burst: int) -> I64:
    """Return the bursts of each task's runs; one that ends a run and begins the next moves once."""
    bursts = np.zeros(ptr.shape[0] - 1, np.int64)
    for task in range(bursts.shape[0]):
        moved = np.int64(-1)
        for run in range(ptr[task], ptr[task + 1]):
            first, last = address[run] // burst, (address[run] + size[run] - 1) // burst
            bursts[task] += last - first + (first != moved)
            moved = last
    return bursts
