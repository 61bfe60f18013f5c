"""The controller's clock loop, compiled.

Clock ``m`` = cycle + 1: a request accepted in cycle ``c`` can have its first command at
``m = c + 1``, in the same cycle. A cycle offers one request, then ticks. Where a tick issues
nothing, nothing changes until a candidate's command becomes legal, a refresh falls due or a
request arrives, and the loop goes there directly.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from archsim.base.jit import njit
from archsim.sim.dram.cycle.tables import Tables

__all__ = ["BUSY", "DONE", "EMIT", "OVERDUE", "Parameters", "Requests", "State", "advance"]

I64 = npt.NDArray[np.int64]
U8 = npt.NDArray[np.uint8]

# what advance returns: finished; out of budget; the command stream's room is full; refreshes
# fall due faster than they are done
DONE, BUSY, EMIT, OVERDUE = 0, 1, 2, 3

# numbers of the commands, as in tables.COMMANDS
ACT, ACT2, PRE, PREAB, CAS_RD, CAS_WR, RD, WR, RDA, WRA, REFAB, REFPB = range(12)
COMMAND_COUNT = 12
CLOSED, ACTIVATING = -1, -2  # in place of the open row
NONE = -1
FAR = 1 << 62
LINE_FILTER = 1024  # counters of buffered write lines, by their low bits

# State.scalars by number: the cycle, the next request, requests in the read buffer, the write
# buffer and the active set, write mode, next refresh, head and length of the maintenance queue,
# bank refreshed next, request between ACT1 and ACT2 with its deadline, request between CAS and its
# column command with where it is, when the data clock stops, requests done, the last cycle in
# which anything completes, commands in the stream, reads forwarded, writes absorbed
(
    CYCLE, NEXT, READS, WRITES, ACTIVE, WRITE_MODE, REFRESH, QUEUE_HEAD, QUEUE, REFRESH_BANK,
    HALF, DEADLINE, SYNC, SYNC_BUFFER, SYNC_AT, WCK_STOP, FINISHED, LAST, STREAMED, FORWARDED,
    ABSORBED,
) = range(21)  # fmt: skip
SCALARS = 21
FROM_ACTIVE, FROM_READS, FROM_WRITES = 0, 1, 2
HIT, MISS, CONFLICT = 0, 1, 2


class Requests(NamedTuple):
    """Requests in order of arrival, and what becomes of them (cycles; -1: not yet)."""

    arrival: I64
    line: I64
    bank: I64
    row: I64
    write: U8
    accepted: I64
    returned: I64
    """When a read's data are complete; when a write's command issues."""


class Parameters(NamedTuple):
    """Clocks and policy of one controller."""

    ranks: int
    banks_per_rank: int
    read_latency: int
    split_within: int
    """Clocks at most from ACT1 to ACT2; 0 where one command activates."""
    wck_read: int
    """Clocks from a read that the data clock runs; 0 where it needs no synchronisation."""
    wck_write: int
    two_buses: bool
    """Row and column commands issue side by side."""
    closed_page: bool
    refresh_clocks: int
    """Clocks between refreshes; 0: none."""
    refresh_one_bank: bool
    read_buffer: int
    write_buffer: int
    drain_from: int
    """Buffered writes from which on they are drained."""
    drain_until: int
    """Buffered writes at which reads take over again."""
    emit: bool


class State(NamedTuple):
    """Everything that changes, so that a run can stop and go on."""

    scalars: I64
    ready: I64
    """(nodes, commands): the earliest clock of a command."""
    history: I64
    """(nodes, commands, 4): clocks of the last commands, the latest first; -1: none."""
    open_row: I64
    in_active: I64
    """By bank: 1 while the active set holds a request for it."""
    open_banks: I64
    """By rank."""
    active_banks: I64
    reads: I64
    writes: I64
    active: I64
    line_filter: I64
    queue: I64
    """Refreshes due: ranks, or banks where one bank is refreshed at a time."""
    seen: U8
    """By request: 1 once its first command has issued."""
    commands: I64
    rows: I64
    """Row hits, misses, conflicts of reads, then of writes."""
    stream: I64
    """(room, 4): cycle, command, bank (or rank), request of the commands since the last stop."""


@njit()
def _raise(
    command: int, m: int, scope: int, node: int, tables: Tables, ready: I64, history: I64
) -> None:
    """Apply the constraints that start from ``command`` at one node."""
    at = scope * COMMAND_COUNT + command
    begin, end = tables.start[at], tables.start[at + 1]
    remembered = False
    for k in range(begin, end):
        if tables.window[k] == 1:
            legal = m + tables.clocks[k]
        else:
            if not remembered:
                remembered = True
                for j in range(3, 0, -1):
                    history[node, command, j] = history[node, command, j - 1]
                history[node, command, 0] = m
            past = history[node, command, tables.window[k] - 1]
            if past < 0:
                continue
            legal = past + tables.clocks[k]
        if ready[node, tables.before[k]] < legal:
            ready[node, tables.before[k]] = legal


@njit()
def _issue(
    command: int, m: int, bank: int, request: int, tables: Tables, state: State, p: Parameters
) -> None:
    """Issue a command: constraints of its nodes, row state, counts, the stream.

    ``bank`` is any bank of the rank for commands of all banks.
    """
    s, ready, history = state.scalars, state.ready, state.history
    rank_node = tables.rank_node[bank]
    if p.ranks > 1:
        _raise(command, m, 0, 0, tables, ready, history)
        for k in range(tables.sibling_start[COMMAND_COUNT + command],
                       tables.sibling_start[COMMAND_COUNT + command + 1]):  # fmt: skip
            for node in range(1, 1 + p.ranks):
                if node != rank_node:
                    legal = m + tables.sibling_clocks[k]
                    before = tables.sibling_before[k]
                    ready[node, before] = max(ready[node, before], legal)
    _raise(command, m, 1, rank_node, tables, ready, history)
    all_banks = command == PREAB or command == REFAB
    if not all_banks:
        _raise(command, m, 2, tables.group_node[bank], tables, ready, history)
        _raise(command, m, 3, tables.bank_node[bank], tables, ready, history)
    rank = rank_node - 1
    state.commands[command] += 1
    if command == ACT:
        state.open_row[bank] = ACTIVATING
        state.open_banks[rank] += 1
    elif command == PRE or command == RDA or command == WRA:
        state.open_row[bank] = CLOSED
        state.open_banks[rank] -= 1
    elif command == PREAB:
        state.open_banks[rank] = 0
        for b in range(rank * p.banks_per_rank, (rank + 1) * p.banks_per_rank):
            state.open_row[b] = CLOSED
    if p.emit:
        at = s[STREAMED]
        state.stream[at, 0] = m - 1
        state.stream[at, 1] = command
        state.stream[at, 2] = rank if all_banks else bank
        state.stream[at, 3] = request
        s[STREAMED] = at + 1


@njit()
def _legal_from(command: int, bank: int, tables: Tables, ready: I64, channel: bool) -> int:
    """Return the earliest clock of a command for one bank."""
    t = max(ready[tables.bank_node[bank], command], ready[tables.group_node[bank], command])
    t = max(t, ready[tables.rank_node[bank], command])
    if channel:
        t = max(t, ready[0, command])
    return t


@njit()
def _scan(
    buffer: I64, length: int, column_command: int, m: int, rows: bool, columns: bool,
    requests: Requests, tables: Tables, state: State, p: Parameters,
) -> tuple[int, int, int]:  # fmt: skip
    """Return place and command of the first request that can go on now, and else when one can."""
    soonest = FAR
    half = state.scalars[HALF] != NONE
    for place in range(length):
        request = buffer[place]
        bank = requests.bank[request]
        open_row = state.open_row[bank]
        if open_row == requests.row[request]:
            if not columns:
                continue
            command = column_command
        elif not rows or open_row == ACTIVATING:
            continue
        elif open_row == CLOSED:
            if half:
                continue
            command = ACT
        else:
            if state.in_active[bank] > 0:
                continue
            command = PRE
        t = _legal_from(command, bank, tables, state.ready, p.ranks > 1)
        if t <= m:
            return place, command, m
        soonest = min(soonest, t)
    return NONE, NONE, soonest


@njit()
def _scan_active(
    m: int, requests: Requests, tables: Tables, state: State, p: Parameters
) -> tuple[int, int]:
    """Return the place of the earliest active request whose column command is legal, or when."""
    best, soonest, first = NONE, FAR, FAR
    for place in range(state.scalars[ACTIVE]):
        request = state.active[place]
        command = WR if requests.write[request] else RD
        t = _legal_from(command, requests.bank[request], tables, state.ready, p.ranks > 1)
        if t > m:
            soonest = min(soonest, t)
        elif request < first:
            best, first = place, request
    return best, soonest


@njit()
def _take(buffer: I64, place: int, length: int) -> None:
    """Take one request out of a buffer and keep the others' order."""
    for k in range(place, length - 1):
        buffer[k] = buffer[k + 1]


@njit()
def _leave_writes(place: int, requests: Requests, state: State) -> None:
    s = state.scalars
    line = requests.line[state.writes[place]]
    state.line_filter[line & (LINE_FILTER - 1)] -= 1
    _take(state.writes, place, s[WRITES])
    s[WRITES] -= 1


@njit()
def _note_row(request: int, kind: int, requests: Requests, state: State) -> None:
    """Count a request's row hit, miss or conflict at its first command."""
    if not state.seen[request]:
        state.seen[request] = 1
        state.rows[3 * requests.write[request] + kind] += 1


@njit()
def _wanted(request: int, requests: Requests, state: State) -> bool:
    """Whether another request waits for the same row."""
    bank, row, s = requests.bank[request], requests.row[request], state.scalars
    for k in range(s[ACTIVE]):
        other = state.active[k]
        if other != request and requests.bank[other] == bank:
            return True
    for k in range(s[READS]):
        other = state.reads[k]
        if other != request and requests.bank[other] == bank and requests.row[other] == row:
            return True
    for k in range(s[WRITES]):
        other = state.writes[k]
        if other != request and requests.bank[other] == bank and requests.row[other] == row:
            return True
    return False


@njit()
def _column(
    source: int, place: int, m: int, requests: Requests, tables: Tables, state: State, p: Parameters
) -> None:
    """Issue the column command of a request and retire it."""
    s = state.scalars
    if source == FROM_ACTIVE:
        request = state.active[place]
    elif source == FROM_READS:
        request = state.reads[place]
    else:
        request = state.writes[place]
    bank, write = requests.bank[request], requests.write[request]
    if p.wck_read > 0:
        s[WCK_STOP] = max(s[WCK_STOP], m + (p.wck_write if write else p.wck_read))
    _note_row(request, HIT, requests, state)
    command = WR if write else RD
    if p.closed_page and not _wanted(request, requests, state):
        command = WRA if write else RDA
    _issue(command, m, bank, request, tables, state, p)
    if source == FROM_ACTIVE:
        state.in_active[bank] -= 1
        state.active_banks[tables.rank_node[bank] - 1] -= 1
        _take(state.active, place, s[ACTIVE])
        s[ACTIVE] -= 1
    elif source == FROM_READS:
        _take(state.reads, place, s[READS])
        s[READS] -= 1
    else:
        _leave_writes(place, requests, state)
    requests.returned[request] = m - 1 if write else m - 1 + p.read_latency
    s[LAST] = max(s[LAST], requests.returned[request])
    s[FINISHED] += 1


@njit()
def _activated(request: int, bank: int, requests: Requests, tables: Tables, state: State) -> None:
    """Open the row that ``request`` asked for, and keep the request in the active set."""
    s = state.scalars
    state.open_row[bank] = requests.row[request]
    state.active[s[ACTIVE]] = request
    s[ACTIVE] += 1
    state.in_active[bank] += 1
    state.active_banks[tables.rank_node[bank] - 1] += 1


@njit()
def _second_activate(
    m: int, requests: Requests, tables: Tables, state: State, p: Parameters
) -> None:
    s = state.scalars
    request = s[HALF]
    _issue(ACT2, m, requests.bank[request], request, tables, state, p)
    _activated(request, requests.bank[request], requests, tables, state)
    s[HALF] = NONE


@njit()
def _go_on(
    source: int, place: int, command: int, m: int,
    requests: Requests, tables: Tables, state: State, p: Parameters,
) -> None:  # fmt: skip
    """Issue the next command of a request: with LPDDR5 perhaps a sync, or the ACT2 it waits for."""
    s = state.scalars
    if command == RD or command == WR:
        if p.wck_read > 0 and m >= s[WCK_STOP]:
            if s[HALF] != NONE and s[DEADLINE] <= m + 1:
                _second_activate(m, requests, tables, state, p)
                return
            if source == FROM_ACTIVE:
                request = state.active[place]
            elif source == FROM_READS:
                request = state.reads[place]
            else:
                request = state.writes[place]
            sync = CAS_RD if command == RD else CAS_WR
            _issue(sync, m, requests.bank[request], request, tables, state, p)
            s[SYNC], s[SYNC_BUFFER], s[SYNC_AT] = request, source, place
            return
        _column(source, place, m, requests, tables, state, p)
        return
    request = state.reads[place] if source == FROM_READS else state.writes[place]
    bank = requests.bank[request]
    _note_row(request, MISS if command == ACT else CONFLICT, requests, state)
    _issue(command, m, bank, request, tables, state, p)
    if command != ACT:
        return
    if source == FROM_READS:
        _take(state.reads, place, s[READS])
        s[READS] -= 1
    else:
        _leave_writes(place, requests, state)
    if p.split_within > 0:
        s[HALF], s[DEADLINE] = request, m + p.split_within
    else:
        _activated(request, bank, requests, tables, state)


@njit()
def _maintain(m: int, tables: Tables, state: State, p: Parameters) -> tuple[bool, int]:
    """Go on with the refresh that is due: whether a command issued, and else when one can."""
    s = state.scalars
    if s[HALF] != NONE:
        return False, FAR
    target = state.queue[s[QUEUE_HEAD]]
    if p.refresh_one_bank:
        bank = target
        closing = state.open_row[bank] != CLOSED
        command = PRE if closing else REFPB
        blocked = closing and state.in_active[bank] > 0
    else:
        bank = target * p.banks_per_rank
        closing = state.open_banks[target] > 0
        command = PREAB if closing else REFAB
        blocked = closing and state.active_banks[target] > 0
    if blocked:
        return False, FAR
    if p.refresh_one_bank:
        t = _legal_from(command, bank, tables, state.ready, p.ranks > 1)
    else:
        t = state.ready[tables.rank_node[bank], command]
        if p.ranks > 1:
            t = max(t, state.ready[0, command])
    if t > m:
        return False, t
    _issue(command, m, bank, NONE, tables, state, p)
    if not closing:
        s[QUEUE_HEAD] = (s[QUEUE_HEAD] + 1) % state.queue.size
        s[QUEUE] -= 1
    return True, m


@njit()
def _choose_direction(state: State, p: Parameters) -> bool:
    """Switch between reads and writes, and return whether writes go now."""
    s = state.scalars
    if s[WRITE_MODE] == 0:
        if s[WRITES] >= p.drain_from or s[READS] == 0:
            s[WRITE_MODE] = 1
    elif s[WRITES] <= p.drain_until and s[READS] != 0:
        s[WRITE_MODE] = 0
    return bool(s[WRITE_MODE])


@njit()
def _serve(
    m: int, rows: bool, columns: bool,
    requests: Requests, tables: Tables, state: State, p: Parameters,
) -> tuple[bool, int]:  # fmt: skip
    """Go on with a buffered request: whether a command issued, and else when one can."""
    if _choose_direction(state, p):
        source, buffer, length, column = FROM_WRITES, state.writes, state.scalars[WRITES], WR
    else:
        source, buffer, length, column = FROM_READS, state.reads, state.scalars[READS], RD
    place, command, t = _scan(buffer, length, column, m, rows, columns, requests, tables, state, p)
    if place == NONE:
        return False, t
    _go_on(source, place, command, m, requests, tables, state, p)
    return True, m


@njit()
def _tick(
    m: int, requests: Requests, tables: Tables, state: State, p: Parameters
) -> tuple[bool, int]:
    """Do one clock: whether a command issued, and else the next clock at which one can."""
    s = state.scalars
    if s[SYNC] != NONE:  # the clock after a CAS belongs to its column command
        s[SYNC] = NONE
        _column(s[SYNC_BUFFER], s[SYNC_AT], m, requests, tables, state, p)
        return True, m
    if s[HALF] != NONE and s[DEADLINE] <= m:
        _second_activate(m, requests, tables, state, p)
        return True, m
    place, soonest = _scan_active(m, requests, tables, state, p)
    issued = place != NONE
    if issued:
        command = WR if requests.write[state.active[place]] else RD
        _go_on(FROM_ACTIVE, place, command, m, requests, tables, state, p)
        if not p.two_buses:
            return True, m
    if s[QUEUE] > 0:
        more, t = _maintain(m, tables, state, p)
        issued, soonest = issued or more, min(soonest, t)
    elif p.two_buses:
        if not issued:
            issued, t = _serve(m, False, True, requests, tables, state, p)
            soonest = min(soonest, t)
        more, t = _serve(m, True, False, requests, tables, state, p)
        issued, soonest = issued or more, min(soonest, t)
    else:
        issued, t = _serve(m, True, True, requests, tables, state, p)
        soonest = min(soonest, t)
    if not issued and s[HALF] != NONE:
        _second_activate(m, requests, tables, state, p)
        issued = True
    return issued, soonest


REFUSED, QUEUED, ANSWERED = 0, 1, 2


@njit()
def _welcome(request: int, requests: Requests, state: State, p: Parameters) -> int:
    """Return whether a request would be refused, queued or answered from the write buffer."""
    s = state.scalars
    line = requests.line[request]
    if state.line_filter[line & (LINE_FILTER - 1)] > 0:
        for k in range(s[WRITES]):
            if requests.line[state.writes[k]] == line:
                return ANSWERED
    if requests.write[request]:
        return QUEUED if s[WRITES] < p.write_buffer else REFUSED
    return QUEUED if s[READS] < p.read_buffer else REFUSED


@njit()
def _accept(request: int, how: int, cycle: int, requests: Requests, state: State) -> None:
    s = state.scalars
    write = requests.write[request]
    requests.accepted[request] = cycle
    s[NEXT] += 1
    if how == ANSWERED:
        s[ABSORBED if write else FORWARDED] += 1
        requests.returned[request] = cycle
        s[LAST] = max(s[LAST], cycle)
        s[FINISHED] += 1
    elif write:
        state.writes[s[WRITES]] = request
        s[WRITES] += 1
        state.line_filter[requests.line[request] & (LINE_FILTER - 1)] += 1
    else:
        state.reads[s[READS]] = request
        s[READS] += 1


@njit()
def _queue_refresh(state: State, p: Parameters) -> bool:
    """Queue the refresh that falls due; False when the queue has no room."""
    s = state.scalars
    count = 1 if p.refresh_one_bank else p.ranks
    if s[QUEUE] + count > state.queue.size:
        return False
    for k in range(count):
        at = (s[QUEUE_HEAD] + s[QUEUE]) % state.queue.size
        if p.refresh_one_bank:
            state.queue[at] = s[REFRESH_BANK]
            s[REFRESH_BANK] = (s[REFRESH_BANK] + 1) % (p.ranks * p.banks_per_rank)
        else:
            state.queue[at] = k
        s[QUEUE] += 1
    s[REFRESH] += p.refresh_clocks
    return True


@njit()
def advance(
    ticks: int, requests: Requests, tables: Tables, state: State, p: Parameters
) -> int:
    """Simulate until all requests are done or ``ticks`` ticks are, and return which of both."""
    s = state.scalars
    n = requests.arrival.size
    for _ in range(ticks):
        cycle = s[CYCLE]
        if s[FINISHED] == n and cycle > s[LAST]:
            return DONE
        if p.emit and s[STREAMED] + 2 > state.stream.shape[0]:
            return EMIT
        accepted = False
        if s[NEXT] < n and requests.arrival[s[NEXT]] <= cycle:
            how = _welcome(s[NEXT], requests, state, p)
            if how != REFUSED:
                _accept(s[NEXT], how, cycle, requests, state)
                accepted = True
        m = cycle + 1
        if m == s[REFRESH] and not _queue_refresh(state, p):
            return OVERDUE
        issued, soonest = _tick(m, requests, tables, state, p)
        following = cycle + 1
        if not issued:
            following = soonest - 1
            if s[REFRESH] > 0:
                following = min(following, s[REFRESH] - 1)
            if s[NEXT] < n:
                arrival = requests.arrival[s[NEXT]]
                if arrival > cycle + 1:
                    following = min(following, arrival)
                elif accepted or arrival == cycle + 1:
                    if _welcome(s[NEXT], requests, state, p) != REFUSED:
                        following = cycle + 1
            following = max(following, cycle + 1)
            if s[FINISHED] == n:
                following = min(following, s[LAST] + 1)
        s[CYCLE] = following
    return BUSY
