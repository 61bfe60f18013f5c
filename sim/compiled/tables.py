"""A program in the arrays that the compiled loop reads: successors, claims, lines, queues.

Everything is grouped by counting, in linear time; long loops work on a slice of the tasks or
edges per call, so that the caller can be interrupted.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from archsim.base.jit import njit
from archsim.sim.claims import check_capacities, claims_by_task
from archsim.sim.program import Program

__all__ = ["Tables", "build_tables"]

I64 = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

_PER_CALL = 1 << 20


class Tables(NamedTuple):
    """A program of n tasks on u units, read-only; ``x_ptr`` delimits what belongs to each entry.

    ``next_task`` are the successors by task and, at the end, the tasks that wait for none: they
    become ready at the start of the run as if their last predecessor finished then.
    ``claim_*`` are the claims by task, rooms ascending, each room once; ``give_*`` the claims by
    the task that gives them back. ``queue`` holds every unit's tasks by id. A *line* is the tasks
    of an any-order unit that claim the same set of rooms: ``line_of`` a task, the slice of the
    heaps' array that is the line's (``line_ptr``), and ``unit_line`` the lines by unit.
    ``room_users`` are the units whose tasks claim any room.
    """

    unit: I64
    duration: I64
    write: Bools
    run_ptr: I64
    address: I64
    size: I64
    next_ptr: I64
    next_task: I64
    claim_ptr: I64
    claim_room: I64
    claim_amount: I64
    give_ptr: I64
    give_task: I64
    give_room: I64
    give_amount: I64
    queue_ptr: I64
    queue: I64
    line_of: I64
    line_ptr: I64
    unit_line_ptr: I64
    unit_line: I64
    in_order: Bools
    is_dram: Bools
    room_users: I64


def build_tables(program: Program) -> Tables:
    """Return the tables of a program; :class:`ConfigError` for a claim larger than its room."""
    n, units = program.tasks, len(program.units)
    unit = _int64(program.unit)
    in_order = np.array([u.in_order for u in program.units], np.bool_)
    after = np.repeat(np.arange(n), np.diff(program.pred_ptr))
    next_ptr, next_task = _group(program.pred, after, n)
    first = np.flatnonzero(np.diff(program.pred_ptr) == 0)
    queue_ptr, queue = _group(unit, np.arange(n), units)
    give_ptr, give = _group(program.claim_release, np.arange(program.claim_task.size), n)
    claim_ptr, claim_room, claim_amount, line_of, lines = _claims_and_lines(program, unit, in_order)
    capacity = np.array([r.capacity for r in program.rooms], np.int64)
    if (claim_amount > capacity[claim_room]).any():
        check_capacities(program, claims_by_task(program))
    # only lines that have tasks, by unit
    line_of, line_unit, line_size = _used_lines(line_of, lines)
    unit_line_ptr, unit_line = _group(line_unit, np.arange(line_unit.size), units)
    return Tables(
        unit=unit,
        duration=_int64(program.duration_ps),
        write=np.require(program.write, np.bool_, ["C", "W"]),
        run_ptr=_int64(program.runs.ptr),
        address=_int64(program.runs.address),
        size=_int64(program.runs.size),
        next_ptr=next_ptr,
        next_task=np.concatenate([next_task, first]),
        claim_ptr=claim_ptr,
        claim_room=claim_room,
        claim_amount=claim_amount,
        give_ptr=give_ptr,
        give_task=_int64(program.claim_task[give]),
        give_room=_int64(program.claim_room[give]),
        give_amount=_int64(program.claim_amount[give]),
        queue_ptr=queue_ptr,
        queue=queue,
        line_of=line_of,
        line_ptr=_pointers(line_size),
        unit_line_ptr=unit_line_ptr,
        unit_line=unit_line,
        in_order=in_order,
        is_dram=np.array([u.dram for u in program.units], np.bool_),
        room_users=np.flatnonzero(np.bincount(unit[program.claim_task], minlength=units)),
    )


def _claims_and_lines(program: Program, unit: I64, in_order: Bools
                      ) -> tuple[I64, I64, I64, I64, I64]:  # fmt: skip
    """Return claims by task (pointers, rooms, amounts), each task's line and each line's unit."""
    n, claims = program.tasks, program.claim_task.size
    first, by_task = _group(program.claim_task, np.arange(claims), n)
    room, amount = _int64(program.claim_room[by_task]), _int64(program.claim_amount[by_task])
    claim_ptr = np.zeros(n + 1, np.int64)
    units = len(program.units)
    line_of = np.full(n, -1, np.int64)
    # lines are found as the nodes of a tree: from a unit, along the rooms of a set
    line_unit = np.arange(units + claims)
    slots = 1 << (2 * claims + 1).bit_length()
    tree = np.full((slots, 3), -1, np.int64)
    count = np.array([0, units], np.int64)
    for begin in range(0, n, _PER_CALL):
        end = min(begin + _PER_CALL, n)
        _merge(begin, end, first, room, amount, claim_ptr, unit, in_order, line_of, line_unit, tree,
               count)  # fmt: skip
    merged, lines = count.tolist()
    return claim_ptr, room[:merged].copy(), amount[:merged].copy(), line_of, line_unit[:lines]


@njit()
def _merge(begin: int, end: int, first: I64, room: I64, amount: I64, claim_ptr: I64, unit: I64,
           in_order: Bools, line_of: I64, line_unit: I64, tree: I64, count: I64
           ) -> None:  # fmt: skip
    """Sort and merge the claims of tasks begin..end-1 in place, and find the tasks' lines.

    ``count`` holds how many claims and how many lines there are so far; ``tree`` is a hash table
    of (line, room) -> the line with that room more.
    """
    kept, lines = count[0], count[1]
    slots = tree.shape[0]
    for task in range(begin, end):
        low, high = first[task], first[task + 1]
        for i in range(low + 1, high):  # a task claims few rooms
            r, a = room[i], amount[i]
            j = i
            while j > low and room[j - 1] > r:
                room[j], amount[j] = room[j - 1], amount[j - 1]
                j -= 1
            room[j], amount[j] = r, a
        claim_ptr[task] = kept
        for i in range(low, high):
            r, a = room[i], amount[i]
            if kept > claim_ptr[task] and room[kept - 1] == r:
                amount[kept - 1] += a
            else:
                room[kept], amount[kept] = r, a
                kept += 1
        claim_ptr[task + 1] = kept
        if in_order[unit[task]]:
            continue
        line = unit[task]
        for i in range(claim_ptr[task], kept):
            slot = (line * 2654435761 + room[i] * 40503) & (slots - 1)
            while tree[slot, 0] >= 0 and (tree[slot, 0] != line or tree[slot, 1] != room[i]):
                slot = (slot + 1) & (slots - 1)
            if tree[slot, 0] < 0:
                tree[slot, 0], tree[slot, 1], tree[slot, 2] = line, room[i], lines
                line_unit[lines] = unit[task]
                lines += 1
            line = tree[slot, 2]
        line_of[task] = line
    count[0], count[1] = kept, lines


def _used_lines(line_of: I64, line_unit: I64) -> tuple[I64, I64, I64]:
    """Number the lines that have tasks: return each task's line, and the lines' units and sizes."""
    sizes = np.bincount(line_of + 1, minlength=line_unit.size + 1)[1:]
    used = np.flatnonzero(sizes)
    number = np.full(line_unit.size + 1, -1, np.int64)  # the last entry stands for no line
    number[used] = np.arange(used.size)
    return number[line_of], line_unit[used], _int64(sizes[used])


def _group(key: npt.NDArray[np.integer], value: I64, groups: int) -> tuple[I64, I64]:
    """Return pointers and values grouped by key, in their order: group k is ``ptr[k]:ptr[k+1]``."""
    key = _int64(key)
    ptr = _pointers(np.bincount(key, minlength=groups))
    grouped = np.empty(key.size, np.int64)
    at = ptr[:-1].copy()
    for begin in range(0, key.size, _PER_CALL):
        _place(key, value, at, grouped, begin, min(begin + _PER_CALL, key.size))
    return ptr, grouped


@njit()
def _place(key: I64, value: I64, at: I64, grouped: I64, begin: int, end: int) -> None:
    for i in range(begin, end):
        grouped[at[key[i]]] = value[i]
        at[key[i]] += 1


def _pointers(sizes: npt.NDArray[np.integer]) -> I64:
    ptr = np.zeros(sizes.size + 1, np.int64)
    np.cumsum(sizes, out=ptr[1:])
    return ptr


def _int64(values: npt.NDArray[np.integer]) -> I64:
    """Return values as the one array type that the compiled functions are compiled for."""
    return np.require(values, np.int64, ["C", "W"])
