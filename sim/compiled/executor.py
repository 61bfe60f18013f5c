"""Executes a program with compiled code: the same schedule as the kernel's, to the picosecond.

:mod:`archsim.sim.kernel` defines what happens when; this computes the same starts and finishes,
DRAM counters and errors, some fifteen times faster on a frame with its memory streams and thirty
times without (``benchmarks/executors.py``). Only the row-level DRAM model can be served
inside the compiled loop.
"""

from __future__ import annotations

import math
import time
from functools import cache
from itertools import pairwise

import numpy as np

from archsim.sim.claims import claims_by_task, given_back_too_early
from archsim.sim.compiled import loop
from archsim.sim.compiled.tables import Tables, build_tables
from archsim.sim.deadlock import State as Stopped
from archsim.sim.deadlock import deadlock
from archsim.sim.dram.row import RowDram
from archsim.sim.kernel import Dram, Progress
from archsim.sim.program import Program
from archsim.sim.schedule import Schedule

__all__ = ["can_compile", "execute_compiled"]

_WORK_PER_CALL = 400_000  # tasks, edges and runs: well under 0.2 s, so that Ctrl-C works
_PROGRESS_EVERY_S = 0.2


def can_compile(program: Program, dram: Dram | None) -> bool:
    """Say whether the compiled executor can run a program with this DRAM model.

    It can serve :class:`~archsim.sim.dram.row.RowDram`, no other model (and no class derived from
    it), and programs without memory tasks.
    """
    return type(dram) is RowDram or not _has_memory_tasks(program)


def execute_compiled(program: Program, dram: Dram | None = None, *,
                     progress: Progress | None = None) -> Schedule:  # fmt: skip
    """Execute ``program`` and return every task's start and finish.

    Parameters, result and errors are those of :func:`archsim.sim.kernel.execute`; in addition,
    ``ValueError`` for a program with memory tasks and a DRAM model other than ``RowDram``.
    """
    n = program.tasks
    if dram is None and _has_memory_tasks(program):
        raise ValueError("the program has memory tasks, but no DRAM model was given")
    if not can_compile(program, dram):
        raise ValueError(
            f"the compiled executor cannot serve memory tasks by {type(dram).__name__}, only by "
            "the row-level model RowDram: use the SimPy executor"
        )
    if (program.runs.size < 1).any() or (program.runs.address < 0).any():
        raise ValueError("a memory run is empty or lies at a negative address")
    tables = build_tables(program)
    state = _initial_state(program, tables)
    model = dram if isinstance(dram, RowDram) else _unused_dram()
    memory = _memory(model)
    reported = time.monotonic()
    status = loop.PAUSED
    while status == loop.PAUSED:
        status = loop.advance(tables, state, memory, _WORK_PER_CALL)
        clock = time.monotonic()
        if progress is not None and clock - reported >= _PROGRESS_EVERY_S:
            reported = clock
            progress(int(state.scalars[loop.S_FINISHED]), n)
    if status == loop.TOO_EARLY:
        claim = int(state.scalars[loop.S_CLAIM])
        raise given_back_too_early(
            program, int(tables.give_task[claim]), int(tables.give_room[claim]),
            int(state.scalars[loop.S_RETIRED]),
        )  # fmt: skip
    if state.scalars[loop.S_FINISHED] < n:
        raise deadlock(program, _stopped(program, tables, state))
    if progress is not None:
        progress(n, n)
    return Schedule(
        start_ps=state.start,
        finish_ps=state.finish,
        dram_bytes=state.bursts * model.burst_bytes,
        dram_counts={} if dram is None else dram.counts(int(state.finish.max(initial=0))),
    )


def _has_memory_tasks(program: Program) -> bool:
    return any(u.dram and (program.unit == i).any() for i, u in enumerate(program.units))


def _initial_state(program: Program, tables: Tables) -> loop.State:
    n, units = program.tasks, len(program.units)
    servers = np.array([u.servers for u in program.units], np.int64)
    scalars = np.zeros(loop.S_COUNT, np.int64)
    scalars[loop.S_STREAM] = -1
    scalars[loop.S_EDGE] = tables.next_ptr[-1]  # the run begins with the tasks that wait for none
    scalars[loop.S_EDGE_END] = tables.next_task.size
    return loop.State(
        scalars=scalars,
        waits_for=np.maximum(np.diff(program.pred_ptr), 1),
        start=np.full(n, -1, np.int64),
        finish=np.full(n, -1, np.int64),
        bursts=np.zeros(n, np.int64),
        free=servers,
        position=tables.queue_ptr[:-1].copy(),
        is_stirred=np.zeros(units, np.int64),
        stirred=np.zeros(units, np.int64),
        room_left=np.array([r.capacity for r in program.rooms], np.int64),
        running=np.zeros((int(np.minimum(servers, np.diff(tables.queue_ptr)).sum()), 3), np.int64),
        ready=np.zeros(int(tables.line_ptr[-1]), np.int64),
        line_size=np.zeros(tables.line_ptr.size - 1, np.int64),
    )


def _memory(dram: RowDram) -> loop.Dram:
    memory, clocks, picoseconds = dram.compiled()
    common = math.gcd(clocks, picoseconds)
    return loop.Dram(memory, np.array([clocks // common, picoseconds // common], np.int64))


@cache
def _unused_dram() -> RowDram:
    """Return a DRAM for programs without memory tasks: the loop is compiled once, for one type."""
    return RowDram("lpddr4-3200", channels=1, interleave_bytes=64, mapping="row-bank-column")


def _stopped(program: Program, tables: Tables, state: loop.State) -> Stopped:
    """Return where the execution stopped as the kernel would."""
    ends = tables.queue_ptr.tolist()
    return Stopped(
        start=state.start.tolist(),
        finish=state.finish.tolist(),
        queue=[tables.queue[a:b].tolist() for a, b in pairwise(ends)],
        position=(state.position - tables.queue_ptr[:-1]).tolist(),
        free=state.free.tolist(),
        room_left=state.room_left.tolist(),
        claims=claims_by_task(program),
    )
