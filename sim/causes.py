"""Where a run's time went: for every unit, busy, starved, blocked or waiting for memory.

Computed once, after the run, from starts and finishes. A server that idles waits for the next task
it runs, and all of that wait belongs to what let the task start at last:

- *memory*: a memory edge (data that a memory task fetched, or a write that had to land);
- *blocked*: a credit edge or a room (there was no space for the result or the operand);
- *starved*: a data or order edge, or nothing more to do until the end of the run.

On ties memory > blocked > starved. A task of an in-order unit that was held up only by the one
before it waited for the same reason as that one. Where a unit has several servers, each task is
taken to run on the server that has been free longest.

A DRAM unit counts as one server: *busy* is the time that its data pins moved data, averaged over
the channels; *memory* the rest of the time with a stream in service (latency, activates, refresh,
turning the bus round, channels with nothing to do); *starved* and *blocked* as above while there
is no stream.
"""

from __future__ import annotations

from heapq import heapreplace

import numpy as np
import numpy.typing as npt

from archsim.sim.program import Edge, Program
from archsim.sim.schedule import Schedule

__all__ = ["CAUSES", "time_by_cause_ps"]

I64 = npt.NDArray[np.int64]

CAUSES = ("busy", "starved", "blocked", "memory")
_BUSY, _STARVED, _BLOCKED, _MEMORY = range(4)
_AS_THE_ONE_BEFORE = -1
_CAUSE_OF_EDGE = np.zeros(len(Edge), np.int64)
_CAUSE_OF_EDGE[[Edge.ORDER, Edge.DATA]] = _STARVED
_CAUSE_OF_EDGE[Edge.CREDIT] = _BLOCKED
_CAUSE_OF_EDGE[Edge.MEMORY] = _MEMORY


def time_by_cause_ps(program: Program, schedule: Schedule) -> dict[str, dict[str, int]]:
    """Return unit -> cause -> picoseconds of server time.

    The causes of a unit add up to the run's makespan x its servers (x 1 for DRAM units).
    """
    causes = _cause_of_wait(program, schedule)
    result = {}
    for index, unit in enumerate(program.units):
        tasks = np.flatnonzero(program.unit == index)
        # at one instant, zero-length tasks come first
        order = np.lexsort((tasks, schedule.finish_ps[tasks], schedule.start_ps[tasks]))
        tasks = tasks[order]
        start, finish = schedule.start_ps[tasks], schedule.finish_ps[tasks]
        servers = 1 if unit.dram else unit.servers
        free_since, idle_after = _idle(start, finish, servers, unit.dram, schedule.makespan_ps)
        total = np.zeros(len(CAUSES), np.int64)
        np.add.at(total, causes[tasks], np.maximum(start - free_since, 0))
        total[_STARVED] += idle_after
        total[_BUSY] = schedule.makespan_ps * servers - total.sum()
        if unit.dram:
            moving = _moving(program, schedule, index, int(total[_BUSY]))
            total[_MEMORY] += total[_BUSY] - moving
            total[_BUSY] = moving
        result[unit.name] = dict(zip(CAUSES, total.tolist()))
    return result


def _cause_of_wait(program: Program, schedule: Schedule) -> I64:
    """Return the cause of each task's wait, (n,) int64; meaningful where it waited at all."""
    n = program.tasks
    start = schedule.start_ps
    causes = np.full(n, _STARVED, np.int64)
    ready = np.zeros(n, np.int64)
    edges = np.diff(program.pred_ptr)
    waits = np.flatnonzero(edges)
    if waits.size:
        first = program.pred_ptr[waits]
        before_finish = schedule.finish_ps[program.pred]
        ready[waits] = np.maximum.reduceat(before_finish, first)
        last = before_finish == np.repeat(ready[waits], edges[waits])
        blamed = np.where(last, _CAUSE_OF_EDGE[program.pred_kind], _STARVED)
        causes[waits] = np.maximum.reduceat(blamed, first)
    room_came = np.zeros(n, np.bool_)
    room_came[_tasks_whose_room_came_at_their_start(program, schedule)] = True
    claims = np.zeros(n, np.bool_)
    claims[program.claim_task] = True
    late = ready < start
    causes[room_came & late] = _BLOCKED
    causes[room_came & ~late] = np.maximum(causes[room_came & ~late], _BLOCKED)
    unexplained = late & ~room_came
    for index, unit in enumerate(program.units):
        tasks = np.flatnonzero(program.unit == index)
        if not unit.in_order:
            # its room had come, but earlier tasks that claim the same rooms went first
            turn = tasks[unexplained[tasks]]
            causes[turn[claims[turn]]] = _BLOCKED
            continue
        follows = unexplained[tasks] & (np.arange(tasks.size) > 0)
        source = np.maximum.accumulate(np.where(follows, 0, np.arange(tasks.size)))
        causes[tasks] = causes[tasks[source]]
    return causes


def _tasks_whose_room_came_at_their_start(program: Program, schedule: Schedule) -> I64:
    """Return the tasks that could not have taken some room just before the instant they did."""
    found = []
    taken_at = schedule.start_ps[program.claim_task]
    given_at = schedule.finish_ps[program.claim_release]
    for index, room in enumerate(program.rooms):
        claims = np.flatnonzero(program.claim_room == index)
        taken, given = taken_at[claims], given_at[claims]
        amount = program.claim_amount[claims]
        wanted = np.zeros(program.tasks, np.int64)
        np.add.at(wanted, program.claim_task[claims], amount)
        held = _total_before(taken, amount, taken) - _total_before(given, amount, taken)
        tasks = program.claim_task[claims]
        found.append(tasks[held + wanted[tasks] > room.capacity])
    return np.concatenate(found) if found else np.zeros(0, np.int64)


def _total_before(when: I64, amount: I64, instants: I64) -> I64:
    """Return the sum of the amounts whose time lies before each instant."""
    order = np.argsort(when, kind="stable")
    total = np.concatenate([[0], np.cumsum(amount[order])])
    return np.asarray(total[np.searchsorted(when[order], instants, side="left")], np.int64)


def _idle(start: I64, finish: I64, servers: int, together: bool,
          makespan_ps: int) -> tuple[I64, int]:  # fmt: skip
    """Return since when each task's server was free, and the servers' idle time at the end.

    ``together``: the tasks overlap on one server, which is free when none of them runs.
    """
    if start.size == 0:
        return start, makespan_ps * servers
    if servers == 1:
        until = np.maximum.accumulate(finish) if together else finish
        free_since = np.zeros(start.size, np.int64)
        free_since[1:] = until[:-1]
        return free_since, makespan_ps - int(until[-1])
    free = [0] * servers
    since = np.empty(start.size, np.int64)
    for i, end in enumerate(finish.tolist()):
        since[i] = heapreplace(free, end)
    return since, sum(makespan_ps - at for at in free)


def _moving(program: Program, schedule: Schedule, unit: int, in_service_ps: int) -> int:
    """Return how long a DRAM unit's pins moved data, averaged over channels."""
    channels = [ps for name, ps in schedule.dram_counts.items() if name.startswith("busy_ps/")]
    moved = int(schedule.dram_bytes.sum())
    if not channels or not moved:
        return in_service_ps
    mine = int(schedule.dram_bytes[program.unit == unit].sum())
    return min(sum(channels) * mine // (len(channels) * moved), in_service_ps)
