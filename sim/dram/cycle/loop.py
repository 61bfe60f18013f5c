"""The controller's clock loop, compiled.

Clock ``m`` = cycle + 1: a request accepted in cycle ``c`` can have its first command at
``m = c + 1``, in the same cycle. A cycle offers one request, then ticks. Where a tick issues
nothing, nothing changes until a candidate's command becomes legal, a refresh falls due or a
request arrives, and the loop goes there directly.

``t`` is the record of :mod:`~archsim.sim.dram.cycle.tables`, ``s`` that of
:mod:`~archsim.sim.dram.cycle.state`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from archsim.base.jit import njit
from archsim.sim.dram.cycle.issue import (
    ACT,
    ACT2,
    ACTIVATING,
    CAS_RD,
    CLOSED,
    PRE,
    PREAB,
    RD,
    RDA,
    REFAB,
    REFPB,
    WR,
    issue,
)

__all__ = ["BUSY", "DONE", "EMIT", "OVERDUE", "advance"]

I64 = npt.NDArray[np.int64]

# what advance returns: finished; out of budget; the command stream's room is full; refreshes
# fall due faster than they are done
DONE, BUSY, EMIT, OVERDUE = 0, 1, 2, 3

READS, WRITES, ACTIVE = range(3)  # numbers of the buffers
HIT, MISS, CONFLICT = range(3)
NONE = -1
FAR = 1 << 62
REFUSED, QUEUED, ANSWERED = range(3)


@njit()
def _scan(which: int, m: int, rows: bool, columns: bool, t: Any, s: Any) -> tuple[int, int, int]:
    """Return place and command of the first request that can go on now, and else when one can."""
    soonest = FAR
    half = s.half != NONE
    for place in range(s.length[which]):
        slot = s.buffer[which, place]
        bank = s.bank[slot]
        open_row = s.open_row[bank]
        if open_row == s.row[slot]:
            if not columns:
                continue
            command = s.column[slot]
        elif not rows or open_row == ACTIVATING:
            continue
        elif open_row == CLOSED:
            if half:
                continue
            command = ACT
        else:
            if s.in_active[bank]:
                continue
            command = PRE
        legal = s.ready[command, bank]
        if legal <= m:
            return place, command, m
        soonest = min(soonest, legal)
    return NONE, NONE, soonest


@njit()
def _scan_active(m: int, s: Any) -> tuple[int, int]:
    """Return the place of the earliest active request whose column command is legal, or when."""
    best, soonest, first = NONE, FAR, FAR
    for place in range(s.length[ACTIVE]):
        slot = s.buffer[ACTIVE, place]
        legal = s.ready[s.column[slot], s.bank[slot]]
        if legal > m:
            soonest = min(soonest, legal)
        elif s.request[slot] < first:
            best, first = place, s.request[slot]
    return best, soonest


@njit()
def _take(which: int, place: int, s: Any) -> None:
    """Take one request out of a buffer and keep the others' order."""
    buffer = s.buffer[which]
    if which == WRITES:
        s.line_filter[s.line[buffer[place]] % s.line_filter.size] -= 1
    length = s.length[which] - 1
    for k in range(place, length):
        buffer[k] = buffer[k + 1]
    s.length[which] = length


@njit()
def _put(which: int, slot: int, s: Any) -> None:
    s.buffer[which, s.length[which]] = slot
    s.length[which] += 1
    if which == WRITES:
        s.line_filter[s.line[slot] % s.line_filter.size] += 1


@njit()
def _note_row(slot: int, kind: int, s: Any) -> None:
    """Count a request's row hit, miss or conflict at its first command."""
    if not s.seen[slot]:
        s.seen[slot] = 1
        s.rows[s.column[slot] - RD, kind] += 1


@njit()
def _wanted(which: int, slot: int, s: Any) -> bool:
    """Whether another request waits for the same row."""
    if which != ACTIVE and s.in_active[s.bank[slot]]:
        return True
    for buffer in (READS, WRITES):
        for place in range(s.length[buffer]):
            other = s.buffer[buffer, place]
            if other != slot and s.bank[other] == s.bank[slot] and s.row[other] == s.row[slot]:
                return True
    return False


@njit()
def _column(which: int, place: int, m: int, stream: I64, t: Any, s: Any) -> None:
    """Issue the column command of a request and retire it."""
    slot = s.buffer[which, place]
    bank, command, request = s.bank[slot], s.column[slot], s.request[slot]
    write = command == WR
    if t.wck_read > 0:
        s.wck_stop = max(s.wck_stop, m + (t.wck_write if write else t.wck_read))
    _note_row(slot, HIT, s)
    closing = t.closed_page and not _wanted(which, slot, s)
    issue(command + (RDA - RD) if closing else command, m, bank, request, stream, t, s)
    if which == ACTIVE:
        s.in_active[bank] = 0
        s.active_banks[bank // t.banks_per_rank] -= 1
    _take(which, place, s)
    s.free[s.free_count] = slot
    s.free_count += 1
    s.done_request = request
    s.done_cycle = m - 1 if write else m - 1 + t.read_latency


@njit()
def _activated(slot: int, t: Any, s: Any) -> None:
    """Open the row that a request asked for, and keep the request in the active set."""
    bank = s.bank[slot]
    s.open_row[bank] = s.row[slot]
    _put(ACTIVE, slot, s)
    s.in_active[bank] = 1
    s.active_banks[bank // t.banks_per_rank] += 1


@njit()
def _second_activate(m: int, stream: I64, t: Any, s: Any) -> None:
    slot = s.half
    issue(ACT2, m, s.bank[slot], s.request[slot], stream, t, s)
    _activated(slot, t, s)
    s.half = NONE


@njit()
def _go_on(which: int, place: int, command: int, m: int, stream: I64, t: Any, s: Any) -> None:
    """Issue the next command of a request: with LPDDR5 perhaps a sync, or the ACT2 it waits for."""
    slot = s.buffer[which, place]
    bank, request = s.bank[slot], s.request[slot]
    if command in (RD, WR):
        if t.wck_read == 0 or m < s.wck_stop:
            _column(which, place, m, stream, t, s)
        elif s.half != NONE and s.deadline <= m + 1:
            _second_activate(m, stream, t, s)
        else:
            issue(command + (CAS_RD - RD), m, bank, request, stream, t, s)
            s.sync_buffer, s.sync_place = which, place
        return
    _note_row(slot, MISS if command == ACT else CONFLICT, s)
    issue(command, m, bank, request, stream, t, s)
    if command == ACT:
        _take(which, place, s)
        if t.split_within > 0:
            s.half, s.deadline = slot, m + t.split_within
        else:
            _activated(slot, t, s)


@njit()
def _maintain(m: int, stream: I64, t: Any, s: Any) -> tuple[bool, int]:
    """Go on with the refresh that is due: whether a command issued, and else when one can."""
    if s.half != NONE:
        return False, FAR
    target = s.queue[s.queue_head]
    if t.refresh_one_bank:
        bank = target
        closing = s.open_row[bank] != CLOSED
        command = PRE if closing else REFPB
        blocked = closing and s.in_active[bank] > 0
    else:
        bank = target * t.banks_per_rank
        closing = s.open_banks[target] > 0
        command = PREAB if closing else REFAB
        blocked = closing and s.active_banks[target] > 0
    if blocked:
        return False, FAR
    legal = s.ready[command, bank]
    if legal > m:
        return False, legal
    issue(command, m, bank, NONE, stream, t, s)
    if not closing:
        s.queue_head = (s.queue_head + 1) % s.queue.size
        s.queue_length -= 1
    return True, m


@njit()
def _direction(t: Any, s: Any) -> int:
    """Switch between reads and writes, and return which go now."""
    reads, writes = s.length[READS], s.length[WRITES]
    if s.write_mode == 0:
        if writes >= t.drain_from or reads == 0:
            s.write_mode = 1
    elif writes <= t.drain_until and reads != 0:
        s.write_mode = 0
    return WRITES if s.write_mode else READS


@njit()
def _serve(m: int, rows: bool, columns: bool, stream: I64, t: Any, s: Any) -> tuple[bool, int]:
    """Go on with a buffered request: whether a command issued, and else when one can."""
    which = _direction(t, s)
    place, command, legal = _scan(which, m, rows, columns, t, s)
    if place == NONE:
        return False, legal
    _go_on(which, place, command, m, stream, t, s)
    return True, m


@njit()
def _tick(m: int, stream: I64, t: Any, s: Any) -> tuple[bool, int]:
    """Do one clock: whether a command issued, and else the next clock at which one can."""
    if s.sync_buffer != NONE:  # the clock after a CAS belongs to its column command
        which = s.sync_buffer
        s.sync_buffer = NONE
        _column(which, s.sync_place, m, stream, t, s)
        return True, m
    if s.half != NONE and s.deadline <= m:
        _second_activate(m, stream, t, s)
        return True, m
    place, soonest = _scan_active(m, s)
    issued = place != NONE
    if issued:
        _go_on(ACTIVE, place, s.column[s.buffer[ACTIVE, place]], m, stream, t, s)
        if not t.two_buses:
            return True, m
    if s.queue_length > 0:
        more, legal = _maintain(m, stream, t, s)
        issued, soonest = issued or more, min(soonest, legal)
    elif t.two_buses:
        if not issued:
            issued, legal = _serve(m, False, True, stream, t, s)
            soonest = min(soonest, legal)
        more, legal = _serve(m, True, False, stream, t, s)
        issued, soonest = issued or more, min(soonest, legal)
    else:
        issued, legal = _serve(m, True, True, stream, t, s)
        soonest = min(soonest, legal)
    if not issued and s.half != NONE:
        _second_activate(m, stream, t, s)
        issued = True
    return issued, soonest


@njit()
def _welcome(line: int, write: int, t: Any, s: Any) -> int:
    """Return whether a request would be refused, queued or answered from the write buffer."""
    if s.line_filter[line % s.line_filter.size] > 0:
        for k in range(s.length[WRITES]):
            if s.line[s.buffer[WRITES, k]] == line:
                return ANSWERED
    if write:
        return QUEUED if s.length[WRITES] < t.write_buffer else REFUSED
    return QUEUED if s.length[READS] < t.read_buffer else REFUSED


@njit()
def _queue_refresh(t: Any, s: Any) -> bool:
    """Queue the refresh that falls due; False when the queue has no room."""
    count = 1 if t.refresh_one_bank else t.ranks
    if s.queue_length + count > s.queue.size:
        return False
    for k in range(count):
        target = k
        if t.refresh_one_bank:
            target = s.refresh_bank
            s.refresh_bank = (s.refresh_bank + 1) % t.banks
        s.queue[(s.queue_head + s.queue_length) % s.queue.size] = target
        s.queue_length += 1
    s.refresh_at += t.refresh_clocks
    return True


@njit()
def advance(
    ticks: int, arrival: I64, line: I64, bank: I64, row: I64, write: npt.NDArray[np.uint8],
    accepted: I64, returned: I64, stream: I64, t: Any, s: Any,
) -> int:  # fmt: skip
    """Simulate until all requests are done or ``ticks`` clocks were visited; return which of them.

    ``accepted`` and ``returned`` receive the cycles; a write returns when its command issues.
    """
    n = arrival.size
    for _ in range(ticks):
        cycle = s.cycle
        if s.finished == n and cycle > s.last:
            return DONE
        if t.emit and s.streamed + 2 > stream.shape[0]:
            return EMIT
        welcome = REFUSED
        i = s.next
        if i < n and arrival[i] <= cycle:
            welcome = _welcome(line[i], write[i], t, s)
        if welcome != REFUSED:
            accepted[i] = cycle
            s.next += 1
            if welcome == ANSWERED:
                s.absorbed += write[i]
                s.forwarded += 1 - write[i]
                returned[i] = cycle
                s.finished += 1
                s.last = max(s.last, cycle)
            else:
                s.free_count -= 1
                slot = s.free[s.free_count]
                s.request[slot], s.bank[slot], s.row[slot] = i, bank[i], row[i]
                s.line[slot], s.column[slot], s.seen[slot] = line[i], RD + write[i], 0
                _put(WRITES if write[i] else READS, slot, s)
        m = cycle + 1
        if m == s.refresh_at and not _queue_refresh(t, s):
            return OVERDUE
        issued, soonest = _tick(m, stream, t, s)
        if s.done_request != NONE:
            returned[s.done_request] = s.done_cycle
            s.done_request = NONE
            s.finished += 1
            s.last = max(s.last, s.done_cycle)
        following = cycle + 1
        if not issued and not t.every_clock:
            following = soonest - 1
            if s.refresh_at > 0:
                following = min(following, s.refresh_at - 1)
            i = s.next
            if i < n and arrival[i] > cycle + 1:
                following = min(following, arrival[i])
            elif i < n and not (welcome == REFUSED and arrival[i] <= cycle):
                # the next request has not been offered yet
                following = cycle + 1 if _welcome(line[i], write[i], t, s) else following
            if s.finished == n:
                following = min(following, s.last + 1)
        s.cycle = max(following, cycle + 1)
    return BUSY
