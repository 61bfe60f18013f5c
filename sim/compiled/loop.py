"""The compiled loop: retire and dispatch, as :mod:`archsim.sim.kernel` defines them.

All its state lies in arrays, so that it can come back to Python in the middle of anything that
may take long - an instant with a million tasks, a task with a million successors, a stream with a
million runs - and go on at the next call.

An any-order unit's line is a heap of (ready time, task id). Tasks become ready in the order of
time, so the number of the instant stands for the ready time, and both fit one integer.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from archsim.base.jit import njit
from archsim.sim.compiled.heaps import pop_event, pop_key, push_event, push_key
from archsim.sim.compiled.tables import Tables
from archsim.sim.dram.channel import serve

__all__ = [
    "DONE", "PAUSED", "S_CLAIM", "S_COUNT", "S_FINISHED", "S_RETIRED", "S_STREAM", "TOO_EARLY",
    "Memory", "State", "advance",
]  # fmt: skip

I64 = npt.NDArray[np.int64]

#: What a call ends with: nothing is left to happen, there is more to do, or a claim (S_CLAIM) is
#: given back by a task (S_RETIRED) that finished before the claim was taken.
DONE, PAUSED, TOO_EARLY = range(3)

# Scalars of the state. Phases: tasks without predecessors become ready, dispatch, retire.
(
    S_PHASE, S_NOW, S_INSTANT, S_FINISHED, S_STARTED, S_EVENTS, S_STIRRED, S_SEED, S_EDGE,
    S_EDGE_END, S_STREAM, S_RUN, S_RUN_END, S_CLOCK, S_CLOCK_END, S_MOVED, S_RETIRED, S_CLAIM,
    S_COUNT,
) = range(19)  # fmt: skip
_SEED, _DISPATCH, _RETIRE = range(3)

_RUNS_PER_CALL = 1 << 17
_BURSTS_PER_STEP = 32  # bursts of a long run that take as long as a task


class State(NamedTuple):
    """What changes while a program of n tasks executes; all int64.

    ``scalars`` by the S_ names; per task its unfinished predecessors, start, finish and bursts
    moved (-1 or 0 until then); per unit its free servers, its place in the queue, and whether it
    is stirred; the stirred units as a heap; per room what is left; the running tasks as a heap of
    (finish, order of start, task); the heaps of the lines in one array and their sizes.
    """

    scalars: I64
    waits_for: I64
    start: I64
    finish: I64
    bursts: I64
    free: I64
    position: I64
    is_stirred: I64
    stirred: I64
    room_left: I64
    running: I64
    ready: I64
    line_size: I64


class Memory(NamedTuple):
    """The DRAM model: its arrays as ``serve`` takes them, its burst counter and its clock.

    ``clock`` is (m, k): m clocks take k picoseconds.
    """

    arrays: Any
    moved: I64
    clock: I64


@njit()
def _scaled_up(value: int, by: int, over: int) -> int:
    """Return ceil(value * by / over) without the product, which need not fit 64 bits."""
    whole, rest = value // over, value % over
    return int(whole * by + (rest * by + over - 1) // over)


@njit()
def _fits(t: Tables, s: State, task: int) -> bool:
    """Say whether all the room that a task claims is left."""
    for i in range(t.claim_ptr[task], t.claim_ptr[task + 1]):
        if t.claim_amount[i] > s.room_left[t.claim_room[i]]:
            return False
    return True


@njit()
def _stir(s: State, unit: int) -> None:
    """Note that something may have become startable in a unit."""
    if s.is_stirred[unit] == 0:
        s.is_stirred[unit] = 1
        push_key(s.stirred, 0, s.scalars[S_STIRRED], unit)
        s.scalars[S_STIRRED] += 1


@njit()
def _make_ready(t: Tables, s: State, task: int) -> None:
    unit = t.unit[task]
    if not t.in_order[unit]:
        line = t.line_of[task]
        key = s.scalars[S_INSTANT] * t.unit.size + task
        push_key(s.ready, t.line_ptr[line], s.line_size[line], key)
        s.line_size[line] += 1
        _stir(s, unit)
    elif t.queue[s.position[unit]] == task:
        _stir(s, unit)


@njit()
def _choose(t: Tables, s: State, unit: int) -> int:
    """Take the task that a unit starts next out of its queue or line; -1: none may start."""
    if t.in_order[unit]:
        at = s.position[unit]
        if at == t.queue_ptr[unit + 1]:
            return -1
        task = t.queue[at]
        if s.waits_for[task] > 0 or not _fits(t, s, task):
            return -1
        s.position[unit] = at + 1
        return int(task)
    n = t.unit.size
    chosen = np.int64(-1)
    least = np.int64(0)
    for i in range(t.unit_line_ptr[unit], t.unit_line_ptr[unit + 1]):
        line = t.unit_line[i]
        if s.line_size[line] > 0:
            key = s.ready[t.line_ptr[line]]
            if (chosen < 0 or key < least) and _fits(t, s, key % n):
                chosen, least = line, key
    if chosen < 0:
        return -1
    pop_key(s.ready, t.line_ptr[chosen], s.line_size[chosen])
    s.line_size[chosen] -= 1
    return int(least % n)


@njit()
def _run(s: State, task: int, end: int) -> None:
    """Let a task run until ``end``."""
    c = s.scalars
    push_event(s.running, c[S_EVENTS], end, c[S_STARTED], task)
    c[S_EVENTS] += 1
    c[S_STARTED] += 1


@njit()
def _serve_runs(t: Tables, s: State, m: Memory) -> int:
    """Serve some runs of the stream in service; return how much work that was."""
    c = s.scalars
    task, first = c[S_STREAM], c[S_RUN]
    begin = t.run_ptr[task]
    last = min(first + _RUNS_PER_CALL, c[S_RUN_END])
    before = m.moved[0]
    if last > first:
        end = serve(
            *m.arrays, c[S_CLOCK], t.address[begin : c[S_RUN_END]], t.size[begin : c[S_RUN_END]],
            first - begin, last - begin, t.write[task],
        )  # fmt: skip
        c[S_CLOCK_END] = max(c[S_CLOCK_END], end)
    s.bursts[task] += m.moved[0] - before
    c[S_RUN] = last
    if last == c[S_RUN_END]:
        end_ps = c[S_NOW]
        if c[S_CLOCK_END] > c[S_CLOCK]:
            end_ps = _scaled_up(c[S_CLOCK_END], m.clock[1], m.clock[0])
        _run(s, task, end_ps)
        c[S_STREAM] = -1
    return int(last - first + (m.moved[0] - before) // _BURSTS_PER_STEP)


@njit()
def _dispatch(t: Tables, s: State, m: Memory, work: int, budget: int) -> int:
    """Let stirred units start tasks, in their order; return the work done so far."""
    c = s.scalars
    while c[S_STIRRED] > 0:
        unit = s.stirred[0]
        while True:
            if c[S_STREAM] >= 0:
                work += _serve_runs(t, s, m)
            if work >= budget:
                return work
            if c[S_STREAM] >= 0:
                continue
            if s.free[unit] == 0:
                break
            task = _choose(t, s, unit)
            if task < 0:
                break
            work += 1
            s.free[unit] -= 1
            s.start[task] = c[S_NOW]
            for i in range(t.claim_ptr[task], t.claim_ptr[task + 1]):
                s.room_left[t.claim_room[i]] -= t.claim_amount[i]
            if t.is_dram[unit]:
                c[S_STREAM] = task
                c[S_RUN], c[S_RUN_END] = t.run_ptr[task], t.run_ptr[task + 1]
                c[S_CLOCK] = c[S_CLOCK_END] = _scaled_up(c[S_NOW], m.clock[0], m.clock[1])
            else:
                _run(s, task, c[S_NOW] + t.duration[task])
        pop_key(s.stirred, 0, c[S_STIRRED])
        c[S_STIRRED] -= 1
        s.is_stirred[unit] = 0
    return work


@njit()
def _retire(t: Tables, s: State, work: int, budget: int) -> int:
    """Retire the tasks that end now; return the work done so far, or -1 for a claim's error."""
    c = s.scalars
    while True:
        edge, end = c[S_EDGE], min(c[S_EDGE_END], c[S_EDGE] + budget - work)
        work += end - edge
        while edge < end:
            task = t.next_task[edge]
            edge += 1
            s.waits_for[task] -= 1
            if s.waits_for[task] == 0:
                _make_ready(t, s, task)
        c[S_EDGE] = edge
        if work >= budget or c[S_EVENTS] == 0 or s.running[0, 0] > c[S_NOW]:
            return work
        task = s.running[0, 2]
        pop_event(s.running, c[S_EVENTS])
        c[S_EVENTS] -= 1
        c[S_FINISHED] += 1
        work += 1
        s.finish[task] = c[S_NOW]
        unit = t.unit[task]
        s.free[unit] += 1
        _stir(s, unit)
        first, last = t.give_ptr[task], t.give_ptr[task + 1]
        for i in range(first, last):
            if s.start[t.give_task[i]] < 0:
                c[S_RETIRED], c[S_CLAIM] = task, i
                return -1
            s.room_left[t.give_room[i]] += t.give_amount[i]
        if last > first:
            for user in t.room_users:
                _stir(s, user)
        c[S_EDGE], c[S_EDGE_END] = t.next_ptr[task], t.next_ptr[task + 1]


@njit()
def advance(t: Tables, s: State, m: Memory, budget: int) -> int:
    """Execute until about ``budget`` tasks, edges and runs are done, or nothing is left to do."""
    c = s.scalars
    n = t.unit.size
    work = 0
    while work < budget:
        if c[S_PHASE] == _SEED:
            last = min(n, c[S_SEED] + budget)
            for task in range(c[S_SEED], last):
                if s.waits_for[task] == 0:
                    _make_ready(t, s, task)
            work += last - c[S_SEED]
            c[S_SEED] = last
            if last < n:
                return PAUSED
            c[S_PHASE] = _DISPATCH
        elif c[S_PHASE] == _DISPATCH:
            work = _dispatch(t, s, m, work, budget)
            if work >= budget:
                return PAUSED
            if c[S_EVENTS] == 0:
                return DONE
            if s.running[0, 0] > c[S_NOW]:
                c[S_NOW] = s.running[0, 0]
                c[S_INSTANT] += 1
            c[S_PHASE] = _RETIRE
        else:
            work = _retire(t, s, work, budget)
            if work < 0:
                return TOO_EARLY
            if work < budget:
                c[S_PHASE] = _DISPATCH
    return PAUSED
