"""The kernel: executes a program in simulated time, on SimPy. It defines the semantics.

Time is an integer in picoseconds. Every instant has two phases, repeated until nothing more
happens at that instant:

1. *Retire*: all tasks that end now finish. They free their server, give back the room that was to
   be held until their finish, and satisfy the edges to their successors. A task becomes *ready*
   when its last predecessor has finished; its ready time is that instant.
2. *Dispatch*, once for the whole kernel: units in the order declared, each starting tasks while
   it has a free server.

   - An in-order unit considers its unstarted task with the smallest id, and only that one.
   - An any-order unit takes the smallest (ready time, task id) that its rooms let start. Tasks
     that claim the same set of rooms do not overtake one another, so that a large claim is not
     starved by small ones; a task whose rooms are full does not hold up tasks that claim others.

A zero-length task that starts in a dispatch retires in a further round of the same instant.

Service is non-preemptive, and blocking comes before service: a task starts when it is ready, a
server is free and *all* the room it claims fits; it takes the room at its start, and each claim is
given back when the task named by the claim finishes.

On SimPy, a task is an event that exists only while the task runs, and dispatch is one kernel-wide
event with a priority after all others of its instant. Nothing left to happen and tasks undone is
a deadlock: :class:`~archsim.base.errors.DeadlockError` says who waits for whom.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import simpy
from simpy.events import EventPriority

from archsim.sim.claims import check_capacities, claims_by_task, given_back_too_early
from archsim.sim.deadlock import State, deadlock
from archsim.sim.program import Program
from archsim.sim.schedule import Schedule

__all__ = ["Dram", "Progress", "execute"]

I64 = npt.NDArray[np.int64]

#: called with (tasks finished, tasks of the program), at most about five times a second
Progress = Callable[[int, int], None]

_AFTER_ALL_OTHERS = EventPriority(2)  # SimPy's own priorities are URGENT = 0 and NORMAL = 1
_PROGRESS_EVERY_DISPATCHES = 256
_PROGRESS_EVERY_S = 0.2


class Dram(Protocol):
    """A DRAM model: serves memory streams in the order of their starts."""

    @property
    def served_bytes(self) -> int:
        """Bytes moved over the pins so far, in whole bursts."""
        ...

    def serve(self, now_ps: int, address: I64, size: I64, write: bool) -> int:
        """Return when a stream that starts now has moved its last byte, in picoseconds."""
        ...

    def counts(self, elapsed_ps: int) -> dict[str, int]:
        """Return the counters that energy and checks rest on, of a run of ``elapsed_ps``."""
        ...


class _Dispatch(simpy.Event):
    """The kernel-wide dispatch of one round: after every other event of its instant."""

    def __init__(self, env: simpy.Environment, callback: Callable[[Any], None]) -> None:
        super().__init__(env)
        self._ok = True
        self._value = None
        self.callbacks.append(callback)
        env.schedule(self, priority=_AFTER_ALL_OTHERS)


def execute(program: Program, dram: Dram | None = None, *,
            progress: Progress | None = None) -> Schedule:  # fmt: skip
    """Execute ``program`` and return every task's start and finish.

    Parameters
    ----------
    program
        Tasks, edges, claims and memory runs.
    dram
        The DRAM model that decides how long tasks on DRAM units take; it must be fresh, for its
        counters become the schedule's.
    progress
        Called now and then with (tasks finished, tasks in all).

    Raises
    ------
    ConfigError
        A task claims more of a room than the room holds.
    DeadlockError
        The program cannot finish; the text says who waits for whom.
    ValueError
        The program is malformed: it has memory tasks and no DRAM model is given, a memory run is
        empty or at a negative address, or a claim is to be given back by a task that finishes
        before the claim is taken.
    """
    n = program.tasks
    if dram is None and any(program.units[u].dram for u in np.unique(program.unit)):
        raise ValueError("the program has memory tasks, but no DRAM model was given")
    if (program.runs.size < 1).any() or (program.runs.address < 0).any():
        raise ValueError("a memory run is empty or lies at a negative address")
    claims = claims_by_task(program)
    check_capacities(program, claims)

    # Plain lists: in an interpreted inner loop they are several times faster than numpy scalars.
    unit_of = program.unit.tolist()
    duration = program.duration_ps.tolist()
    write = program.write.tolist()
    run_ptr = program.runs.ptr.tolist()
    addresses, sizes = program.runs.address, program.runs.size
    waits_for = np.diff(program.pred_ptr).tolist()
    successors_ptr, successors = _successors(program)
    gives_back = _releases(program)
    start = [-1] * n
    finish = [-1] * n
    moved = [0] * n

    units = range(len(program.units))
    is_dram = [u.dram for u in program.units]
    free = [u.servers for u in program.units]
    room_left = [r.capacity for r in program.rooms]
    in_order = [u.in_order for u in program.units]
    queue = [np.flatnonzero(program.unit == u).tolist() for u in units]  # ascending ids
    position = [0] * len(queue)  # in-order units: index into queue
    # Any-order units: one heap of (ready time, id), packed as ready * n + id, per set of rooms.
    line_of, lines = _lines(program, claims)
    uses_rooms = {unit_of[t] for t in claims}

    env = simpy.Environment(initial_time=0)
    timeout = simpy.Timeout
    stirred: set[int] = set()  # units in which something may have become startable
    dispatch_is_due = False
    dispatches = 0
    finished = 0
    reported = time.monotonic()

    def make_ready(task: int) -> None:
        unit = unit_of[task]
        stirred.add(unit)
        if not in_order[unit]:
            heappush(line_of[task], int(env.now) * n + task)

    def retire(event: Any) -> None:
        nonlocal dispatch_is_due, finished
        task = event.value
        finished += 1
        finish[task] = int(env.now)
        unit = unit_of[task]
        free[unit] += 1
        stirred.add(unit)
        if task in gives_back:
            for room, amount, claimer in gives_back[task]:
                if start[claimer] < 0:
                    raise given_back_too_early(program, claimer, room, task)
                room_left[room] += amount
            stirred.update(uses_rooms)
        for successor in successors[successors_ptr[task] : successors_ptr[task + 1]]:
            waits_for[successor] -= 1
            if not waits_for[successor]:
                make_ready(successor)
        if not dispatch_is_due:
            dispatch_is_due = True
            _Dispatch(env, dispatch)

    def fits(task: int) -> bool:
        return all(amount <= room_left[room] for room, amount in claims[task])

    def begin(task: int, unit: int) -> None:
        free[unit] -= 1
        now = int(env.now)
        start[task] = now
        if task in claims:
            for room, amount in claims[task]:
                room_left[room] -= amount
        if is_dram[unit]:
            assert dram is not None
            first, last = run_ptr[task], run_ptr[task + 1]
            before = dram.served_bytes
            end = dram.serve(now, addresses[first:last], sizes[first:last], write[task])
            moved[task] = dram.served_bytes - before
            delay = end - now
        else:
            delay = duration[task]
        timeout(env, delay, task).callbacks.append(retire)

    def dispatch(_: Any) -> None:
        nonlocal dispatch_is_due, dispatches, reported
        dispatch_is_due = False
        due = sorted(stirred)
        stirred.clear()
        for unit in due:
            if in_order[unit]:
                tasks = queue[unit]
                at = position[unit]
                while free[unit] and at < len(tasks):
                    task = tasks[at]
                    if waits_for[task] or (task in claims and not fits(task)):
                        break
                    at += 1
                    begin(task, unit)
                position[unit] = at
            else:
                while free[unit]:
                    chosen = None
                    for line in lines[unit]:
                        if (
                            line
                            and (chosen is None or line[0] < chosen[0])
                            and (line[0] % n not in claims or fits(line[0] % n))
                        ):
                            chosen = line
                    if chosen is None:
                        break
                    begin(heappop(chosen) % n, unit)
        dispatches += 1
        if progress is not None and dispatches % _PROGRESS_EVERY_DISPATCHES == 0:
            clock = time.monotonic()
            if clock - reported >= _PROGRESS_EVERY_S:
                reported = clock
                progress(finished, n)

    for task in range(n):
        if not waits_for[task]:
            make_ready(task)
    dispatch_is_due = True
    _Dispatch(env, dispatch)
    env.run()

    if finished < n:
        raise deadlock(program, State(start, finish, queue, position, free, room_left, claims))
    if progress is not None:
        progress(n, n)
    return Schedule(
        start_ps=np.array(start, np.int64),
        finish_ps=np.array(finish, np.int64),
        dram_bytes=np.array(moved, np.int64),
        dram_counts={} if dram is None else dram.counts(max(finish, default=0)),
    )


def _successors(program: Program) -> tuple[list[int], list[int]]:
    """Return the edges by predecessor: successors of i are ``second[first[i]:first[i + 1]]``."""
    after = np.repeat(np.arange(program.tasks), np.diff(program.pred_ptr))
    order = np.argsort(program.pred, kind="stable")
    counts = np.bincount(program.pred, minlength=program.tasks)
    return [0, *np.cumsum(counts).tolist()], after[order].tolist()


def _releases(program: Program) -> dict[int, list[tuple[int, int, int]]]:
    """Return what is given back at each finish: task -> [(room, amount, claiming task), ...]."""
    releases: dict[int, list[tuple[int, int, int]]] = {}
    for task, room, amount, last in zip(
        program.claim_task.tolist(), program.claim_room.tolist(),
        program.claim_amount.tolist(), program.claim_release.tolist(),
    ):  # fmt: skip
        releases.setdefault(last, []).append((room, amount, task))
    return releases


def _lines(program: Program, claims: dict[int, list[tuple[int, int]]]
           ) -> tuple[dict[int, list[int]], list[list[list[int]]]]:  # fmt: skip
    """Return the heap that each task of an any-order unit waits in, and the heaps by unit."""
    by_rooms: dict[tuple[int, ...], list[int]] = {}
    lines: list[list[list[int]]] = []
    line_of: dict[int, list[int]] = {}
    for index, unit in enumerate(program.units):
        by_rooms = {}
        if not unit.in_order:
            for task in np.flatnonzero(program.unit == index).tolist():
                rooms = tuple(room for room, _ in claims.get(task, ()))
                line_of[task] = by_rooms.setdefault(rooms, [])
        lines.append(list(by_rooms.values()))
    return line_of, lines
