"""The compiled loop: retire and dispatch, as :mod:`archsim.sim.kernel` defines them.

All its state lies in arrays, so that it can come back to Python in the middle of anything that
may take long - an instant with a million tasks, a task with a million successors, a stream with a
million runs - and go on at the next call. It is one function: where arrays are handed to others
that are not inlined, counting the references to them takes longer than the work.

An any-order unit's line is a heap of (ready time, task id). Tasks become ready in the order of
time, so the number of the instant stands for the ready time, and both fit one integer.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from archsim.base.jit import njit
from archsim.sim.compiled.heaps import pop_event, pop_key, push_event, push_key
from archsim.sim.compiled.tables import Tables
from archsim.sim.dram.split import H_BURSTS, Memory, serve

__all__ = [
    "DONE", "PAUSED", "S_CLAIM", "S_COUNT", "S_EDGE", "S_EDGE_END", "S_FINISHED", "S_RETIRED",
    "S_STREAM", "TOO_EARLY", "Dram", "State", "advance",
]  # fmt: skip

I64 = npt.NDArray[np.int64]

#: What a call ends with: nothing is left to happen, there is more to do, or a claim (S_CLAIM) is
#: given back by a task (S_RETIRED) that finished before the claim was taken.
DONE, PAUSED, TOO_EARLY = range(3)

# Scalars of the state: where the execution is, and the counts of what the heaps hold.
(
    S_DISPATCHES, S_NOW, S_INSTANT, S_FINISHED, S_STARTED, S_RUNNING, S_STIRRED, S_EDGE, S_EDGE_END,
    S_STREAM, S_RUN, S_CLOCK, S_CLOCK_END, S_RETIRED, S_CLAIM, S_COUNT,
) = range(16)  # fmt: skip

_RUNS_PER_CALL = 1 << 17
_BURSTS_PER_STEP = 32  # bursts of a long run that take as long as a task


class State(NamedTuple):
    """What changes while a program of n tasks executes; all int64.

    ``scalars`` by the S_ names; per task its unfinished predecessors, start, finish and bursts
    moved (-1 or 0 until then); per unit its free servers, its place in the queue, and whether it
    is stirred (something may have become startable); the stirred units as a heap; per room what
    is left; the running tasks as a heap of (finish, order of start, task); the heaps of the lines
    in one array, and their sizes.
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


class Dram(NamedTuple):
    """The DRAM model: as ``serve`` takes it, and its clock.

    ``clock`` is (m, k): m clocks take k picoseconds.
    """

    memory: Memory
    clock: I64


@njit(borrows=True)
def _scaled_up(value: int, by: int, over: int) -> int:
    """Return ceil(value * by / over) without the product, which need not fit 64 bits."""
    whole, rest = value // over, value % over
    return int(whole * by + (rest * by + over - 1) // over)


@njit(borrows=True)
def _fits(claim_ptr: I64, claim_room: I64, claim_amount: I64, room_left: I64, task: int) -> bool:
    """Say whether all the room that a task claims is left."""
    for i in range(claim_ptr[task], claim_ptr[task + 1]):
        if claim_amount[i] > room_left[claim_room[i]]:
            return False
    return True


@njit(borrows=True)
def advance(t: Tables, s: State, m: Dram, budget: int) -> int:
    """Execute until about ``budget`` tasks, edges and runs are done, or nothing is left to do."""
    unit_of, duration, write, run_ptr, address, size = (
        t.unit, t.duration, t.write, t.run_ptr, t.address, t.size,
    )  # fmt: skip
    next_ptr, next_task = t.next_ptr, t.next_task
    claim_ptr, claim_room, claim_amount = t.claim_ptr, t.claim_room, t.claim_amount
    give_ptr, give_task, give_room, give_amount = (
        t.give_ptr, t.give_task, t.give_room, t.give_amount,
    )  # fmt: skip
    queue_ptr, queue, in_order, is_dram = t.queue_ptr, t.queue, t.in_order, t.is_dram
    line_of, line_ptr, unit_line_ptr, unit_line = (
        t.line_of,
        t.line_ptr,
        t.unit_line_ptr,
        t.unit_line,
    )
    room_users = t.room_users
    c, waits_for, start, finish, bursts = s.scalars, s.waits_for, s.start, s.finish, s.bursts
    free, position, is_stirred, stirred_units = s.free, s.position, s.is_stirred, s.stirred
    room_left, running, ready, line_size = s.room_left, s.running, s.ready, s.line_size
    memory, shared = m.memory, m.memory.shared
    clocks, picoseconds = m.clock[0], m.clock[1]

    n = unit_of.size
    dispatches, now, instant = c[S_DISPATCHES], c[S_NOW], c[S_INSTANT]
    finished, started = c[S_FINISHED], c[S_STARTED]
    runs, stirred = c[S_RUNNING], c[S_STIRRED]
    edge, edge_end = c[S_EDGE], c[S_EDGE_END]
    stream, run, clock, clock_end = c[S_STREAM], c[S_RUN], c[S_CLOCK], c[S_CLOCK_END]
    work = 0
    status = PAUSED
    while work < budget:
        if dispatches == 0:  # retire
            while edge < edge_end and work < budget:
                task = next_task[edge]
                edge += 1
                work += 1
                waits_for[task] -= 1
                if waits_for[task] > 0:
                    continue
                unit = unit_of[task]
                if not in_order[unit]:
                    line = line_of[task]
                    push_key(ready, line_ptr[line], line_size[line], instant * n + task)
                    line_size[line] += 1
                elif queue[position[unit]] != task:
                    continue
                if is_stirred[unit] == 0:
                    is_stirred[unit] = 1
                    push_key(stirred_units, 0, stirred, unit)
                    stirred += 1
            if edge < edge_end:
                break
            if runs == 0 or running[0, 0] > now:
                dispatches = 1
                continue
            task = running[0, 2]
            pop_event(running, runs)
            runs -= 1
            finished += 1
            work += 1
            finish[task] = now
            unit = unit_of[task]
            free[unit] += 1
            if is_stirred[unit] == 0:
                is_stirred[unit] = 1
                push_key(stirred_units, 0, stirred, unit)
                stirred += 1
            edge, edge_end = next_ptr[task], next_ptr[task + 1]
            first, last = give_ptr[task], give_ptr[task + 1]
            if first == last:
                continue
            for i in range(first, last):
                if start[give_task[i]] < 0 and status == PAUSED:
                    c[S_RETIRED], c[S_CLAIM] = task, i
                    status = TOO_EARLY
                room_left[give_room[i]] += give_amount[i]
            if status == TOO_EARLY:
                break
            for unit in room_users:
                if is_stirred[unit] == 0:
                    is_stirred[unit] = 1
                    push_key(stirred_units, 0, stirred, unit)
                    stirred += 1
        elif stream >= 0:  # the stream that starts now, in parts: it may have millions of runs
            begin, end = run_ptr[stream], run_ptr[stream + 1]
            last = min(run + _RUNS_PER_CALL, end)
            before = shared[H_BURSTS]
            clock_end = serve(memory, clock, address, size, begin, end, run, last, write[stream])
            bursts[stream] += shared[H_BURSTS] - before
            work += last - run + (shared[H_BURSTS] - before) // _BURSTS_PER_STEP
            run = last
            if run == end:
                until = now
                if clock_end > clock:
                    until = _scaled_up(clock_end, picoseconds, clocks)
                push_event(running, runs, until, started, stream)
                runs += 1
                started += 1
                stream = -1
        elif stirred > 0:  # dispatch: the first stirred unit starts a task, or is at rest
            unit = stirred_units[0]
            task = -1
            if free[unit] > 0 and in_order[unit]:
                at = position[unit]
                if at < queue_ptr[unit + 1]:
                    head = queue[at]
                    if waits_for[head] == 0 and _fits(
                        claim_ptr, claim_room, claim_amount, room_left, head
                    ):
                        task = head
                        position[unit] = at + 1
            elif free[unit] > 0:
                chosen, least = -1, 0
                for i in range(unit_line_ptr[unit], unit_line_ptr[unit + 1]):
                    line = unit_line[i]
                    if line_size[line] > 0:
                        key = ready[line_ptr[line]]
                        if (chosen < 0 or key < least) and _fits(
                            claim_ptr, claim_room, claim_amount, room_left, key % n
                        ):
                            chosen, least = line, key
                if chosen >= 0:
                    pop_key(ready, line_ptr[chosen], line_size[chosen])
                    line_size[chosen] -= 1
                    task = least % n
            if task < 0:
                pop_key(stirred_units, 0, stirred)
                stirred -= 1
                is_stirred[unit] = 0
                continue
            work += 1
            free[unit] -= 1
            start[task] = now
            for i in range(claim_ptr[task], claim_ptr[task + 1]):
                room_left[claim_room[i]] -= claim_amount[i]
            if is_dram[unit]:
                stream, run = task, run_ptr[task]
                clock = _scaled_up(now, clocks, picoseconds)
                clock_end = clock
            else:
                push_event(running, runs, now + duration[task], started, task)
                runs += 1
                started += 1
        elif runs == 0:
            status = DONE
            break
        else:  # on to the next finish; zero-length tasks finish at this very instant
            if running[0, 0] > now:
                now = running[0, 0]
                instant += 1
            dispatches = 0
    c[S_DISPATCHES], c[S_NOW], c[S_INSTANT] = dispatches, now, instant
    c[S_FINISHED], c[S_STARTED] = finished, started
    c[S_RUNNING], c[S_STIRRED] = runs, stirred
    c[S_EDGE], c[S_EDGE_END] = edge, edge_end
    c[S_STREAM], c[S_RUN], c[S_CLOCK], c[S_CLOCK_END] = stream, run, clock, clock_end
    return status
