"""A piece of a stream on one DRAM channel: the compiled half of the row-level model.

A *stripe* is a row of one bank of a channel or, where the mapping spreads neighbouring bursts over
banks, the same row of several banks. A *piece* is what a stream asks of one stripe before it asks
for another; :mod:`archsim.sim.dram.split` cuts streams into pieces. Times are command clocks,
counted without those spent refreshing. :mod:`archsim.sim.dram.row` explains the model.

A channel's whole state is a row of one array, and every function is inlined into its caller:
handing arrays on, and counting the references to them, would take longer than a piece.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from archsim.base.jit import njit

__all__ = ["initial_channels", "serve_piece", "turn_round"]

I64 = npt.NDArray[np.int64]

# Columns of the parameters, the same for all channels: the addresses' organisation, a block being
# the bursts that a channel has at a time, a period those that all have, a unit those between row
# changes (with its logarithm, -1 if it has none); then timing.
(
    P_CHANNELS, P_CHANNEL_BITS, P_BURST_BYTES, P_BURST_BITS, P_BLOCK, P_BLOCK_BITS, P_PERIOD,
    P_PERIOD_BITS, P_UNIT, P_UNIT_BITS, P_LOW, P_SPREAD, P_COLUMN, P_BANK, P_GROUPS, P_BANKS,
    P_RCD, P_RP, P_RAS, P_RC, P_ACT, P_RTP, P_WR_PRE, P_CCD, P_CCD_L, P_CL, P_CWL, P_BURST,
    P_READ_TO_WRITE, P_WRITE_TO_READ, P_AVAILABLE, P_INTERVAL, P_WINDOW, P_BATCH,
    P_COLUMN_COMMAND, P_ROW_COMMANDS, P_LATE, P_CCD_L_WRITE, P_RCD_WRITE, P_WAKE, P_COUNT,
) = range(41)  # fmt: skip

# A channel's state, by column. Scalars: the refresh interval it is in and the clock of the next
# refresh; whether it drains writes, how many are posted, the dead time of the turn that is due;
# bursts in the window; its entries, the first and the one past the last; until when a piece is in
# service, and until when the pins are taken; the last stream that came; then counters.
(
    S_EPOCH, S_REFRESH, S_WRITING, S_POSTED, S_TURN_DUE, S_QUEUED, S_HEAD, S_TAIL, S_ACTIVE_UNTIL,
    S_PINS, S_STREAM,
    C_ACTIVATES, C_HITS, C_READS, C_WRITES, C_ACTIVE, C_ASLEEP,
) = range(17)  # fmt: skip
# Resources: activates, command bus, data bus, then the bank groups' column commands. Of each: the
# clock up to which its time is given away, how much of the time since R_SINCE is not.
R_ACTIVATE, R_COMMAND, R_BUS, R_GROUP = range(17, 29, 3)
R_UNTIL, R_IDLE, R_SINCE, R_COUNT = range(4)
# Banks, after the groups: the open row (-1: none) and the row of posted writes, the clocks of the
# last activate, of the earliest next precharge (of the last precharge's earliest start when closed)
# and column command.
B_ROW, B_POSTED, B_ACT, B_PRECHARGE, B_COLUMN, B_COUNT = range(6)
# The window's entries, after the banks, in the order in which they leave it: when the first burst
# leaves, how many leave, how many clocks apart. There is room for several windows, so that entries
# move only now and then.
Q_FIRST, Q_BURSTS, Q_SPACING, Q_COUNT = range(4)
_WINDOWS = 3
#: Tells the compiler that an index is not negative, so that it need not count from the end.
INDEX = (1 << 31) - 1


def initial_channels(p: I64) -> I64:
    """Return the state of idle channels with closed rows, (channels, columns) int64."""
    banks_at = R_GROUP + R_COUNT * p[P_GROUPS]
    queue_at = banks_at + B_COUNT * p[P_BANKS]
    m = np.zeros((p[P_CHANNELS], queue_at + Q_COUNT * _WINDOWS * (p[P_WINDOW] + 1)), np.int64)
    m[:, S_REFRESH] = p[P_AVAILABLE]
    m[:, S_STREAM] = -1
    banks = m[:, banks_at:queue_at].reshape(p[P_CHANNELS], p[P_BANKS], B_COUNT)
    banks[:, :, :B_ACT] = -1
    banks[:, :, B_ACT:] = -(1 << 40)  # long ago
    return m


@njit(borrows=True)
def _bank_at(p: I64, bank: int) -> int:
    return int((R_GROUP + R_COUNT * p[P_GROUPS] + B_COUNT * bank) & INDEX)


@njit(borrows=True)
def _queue_at(p: I64) -> int:
    return int((R_GROUP + R_COUNT * p[P_GROUPS] + B_COUNT * p[P_BANKS]) & INDEX)


@njit(borrows=True)
def _admit(p: I64, m: I64, c: int, now: int) -> int:
    """Return when a burst enters the window: at ``now`` or when enough bursts have left it."""
    entry = now
    too_many = m[c, S_QUEUED] - p[P_WINDOW] + 1
    if too_many <= 0:
        return entry
    m[c, S_QUEUED] -= too_many
    q = _queue_at(p) + (m[c, S_HEAD] & INDEX)
    tail = _queue_at(p) + m[c, S_TAIL]
    while too_many > 0:
        first, count, spacing = m[c, q + Q_FIRST], m[c, q + Q_BURSTS], m[c, q + Q_SPACING]
        leave = min(too_many, count)
        after = q + Q_COUNT
        if after < tail and m[c, after + Q_FIRST] < first + (leave - 1) * spacing:
            # bursts of the next piece leave between those of this one
            other, others = m[c, after + Q_FIRST], m[c, after + Q_SPACING]
            when = ((too_many - 2) * spacing * others + first * others + other * spacing) // (
                spacing + others
            )
            leave = min(max((when - first) // spacing + 1, 1), leave)
            passed = min(too_many - leave, m[c, after + Q_BURSTS] - 1)
            m[c, after + Q_BURSTS] -= passed
            m[c, after + Q_FIRST] += passed * others
            too_many -= passed
            if passed > 0:
                entry = max(entry, m[c, after + Q_FIRST] - others)
        too_many -= leave
        entry = max(entry, first + (leave - 1) * spacing)
        m[c, q + Q_BURSTS] = count - leave
        m[c, q + Q_FIRST] = first + leave * spacing
        if leave == count:
            q = after
    m[c, S_HEAD] = q - _queue_at(p)
    return int(entry)


@njit(borrows=True)
def _enqueue(p: I64, m: I64, c: int, first: int, count: int, spacing: int) -> None:
    """Add a piece whose bursts leave the window from ``first`` on, every ``spacing`` clocks."""
    at = _queue_at(p)
    head, tail = m[c, S_HEAD], m[c, S_TAIL]
    if head == tail or tail == Q_COUNT * _WINDOWS * (p[P_WINDOW] + 1):
        for i in range(tail - head):
            m[c, at + i] = m[c, at + head + i]
        head, tail = 0, tail - head
        m[c, S_HEAD] = head
    m[c, S_TAIL] = tail + Q_COUNT
    m[c, S_QUEUED] += count
    q = at + (tail & INDEX)
    first_entry = at + (head & INDEX)
    while q > first_entry and m[c, q - Q_COUNT + Q_FIRST] > first:
        m[c, q + Q_FIRST] = m[c, q - Q_COUNT + Q_FIRST]
        m[c, q + Q_BURSTS] = m[c, q - Q_COUNT + Q_BURSTS]
        m[c, q + Q_SPACING] = m[c, q - Q_COUNT + Q_SPACING]
        q -= Q_COUNT
    m[c, q + Q_FIRST], m[c, q + Q_BURSTS], m[c, q + Q_SPACING] = first, count, spacing


@njit(borrows=True)
def _work(m: I64, c: int, r: int, entry: int, ready: int, clocks: int) -> int:
    """Give ``clocks`` of a resource to work that may start at ``ready``; return when it is done.

    What is idle between ``entry`` and ``ready`` is left to later pieces; nothing before ``entry``
    will be wanted again. When it is passed, idle time counts as spread evenly since R_SINCE.
    """
    until, idle, since = m[c, r + R_UNTIL], m[c, r + R_IDLE], m[c, r + R_SINCE]
    if entry >= until:
        until, idle, since = entry, 0, entry
    elif entry > since:
        if idle > 0:
            idle = idle * (until - entry) // (until - since)
        since = entry
    if ready >= until:
        idle += ready - until
        until = ready + clocks
        done = until
    else:
        usable = min(idle, until - ready)
        if clocks <= usable:
            done = ready + clocks
            idle -= clocks
        else:
            until += clocks - usable
            idle -= usable
            done = until
    m[c, r + R_UNTIL], m[c, r + R_IDLE], m[c, r + R_SINCE] = until, idle, since
    return int(done)


@njit(borrows=True)
def serve_piece(p: I64, m: I64, c: int, now: int, stripe: int, bursts: I64, at: int, count: int,
                last: int, write: bool) -> int:  # fmt: skip
    """Serve a piece on channel ``c``; return the clock of its last column command.

    The piece has ``bursts[at + i]`` bursts in the i-th bank of the stripe, ``count`` in all;
    ``last`` is the number of its last burst on the channel.
    """
    entry = _admit(p, m, c, now)
    available = p[P_AVAILABLE]
    turn = m[c, S_TURN_DUE]
    if turn > 0:
        m[c, S_TURN_DUE] = 0
        if write:
            _drain_posted(p, m, c)
        # nothing of the new direction is prepared before the old one's work is done
        entry = max(entry, m[c, R_BUS + R_UNTIL] - m[c, R_BUS + R_IDLE])
    if entry >= m[c, S_REFRESH]:
        asleep = entry - max(m[c, S_ACTIVE_UNTIL], m[c, S_REFRESH])
        _refresh(p, m, c, entry)
        if p[P_WAKE] > 0 and asleep > 0:  # a refresh found the channel idle: power-down since then
            m[c, C_ASLEEP] += asleep
            entry += p[P_WAKE]
    parts = 1 << p[P_SPREAD]
    first_bank = (stripe & ((1 << p[P_BANK]) - 1)) << p[P_SPREAD]
    row = stripe >> p[P_BANK]
    spacing = p[P_CCD_L_WRITE] if write else p[P_CCD_L]
    posted = write and m[c, S_WRITING] == 0
    first_ready = np.int64(1) << 62
    end = np.int64(0)
    activates = 0
    for part in range(parts):
        mine = bursts[at + part]
        if mine == 0:
            continue
        b = _bank_at(p, first_bank + part)
        group = R_GROUP + R_COUNT * ((first_bank + part) & (p[P_GROUPS] - 1) & INDEX)
        if posted:  # drained later, row by row: reading goes on as if it were not there
            if m[c, b + B_POSTED] != row:
                m[c, b + B_POSTED] = row
                _work(m, c, R_ACTIVATE, entry, entry, p[P_ACT])
                activates += 1
            if p[P_GROUPS] > 1:
                end = max(end, _work(m, c, group, entry, entry, mine * spacing) - spacing)
            first_ready = np.int64(entry)
            continue
        if m[c, b + B_ROW] == row:
            ready = max(m[c, b + B_COLUMN], entry)
        else:
            free = max(entry, m[c, b + B_ACT] + p[P_RC])
            if m[c, b + B_ROW] >= 0:
                free = max(free, max(m[c, b + B_PRECHARGE], entry) + p[P_RP])
            else:
                free = max(free, m[c, b + B_PRECHARGE] + p[P_RP])
            act = max(free, _work(m, c, R_ACTIVATE, entry, entry, p[P_ACT]) - p[P_ACT])
            m[c, b + B_ROW] = row
            m[c, b + B_ACT] = act
            m[c, b + B_PRECHARGE] = act + p[P_RAS]
            ready = max(act + (p[P_RCD_WRITE] if write else p[P_RCD]), entry)
            activates += 1
        m[c, b + B_COLUMN] = ready + mine * spacing
        first_ready = min(first_ready, ready)
        end = max(end, ready + mine * spacing - spacing)
        if p[P_GROUPS] > 1:  # one group's time is the data bus's
            late = entry + ((ready - entry) * p[P_LATE] >> 3)
            end = max(end, _work(m, c, group, entry, late, mine * spacing) - spacing)
    bus_ready = entry + ((first_ready - entry) * p[P_LATE] >> 3)
    if turn > 0:
        bus_ready = max(entry + turn, first_ready)
        m[c, R_BUS + R_UNTIL], m[c, R_BUS + R_IDLE] = bus_ready, 0
        m[c, R_BUS + R_SINCE] = bus_ready
    if p[P_ROW_COMMANDS] > 0:
        commands = count * p[P_COLUMN_COMMAND] + activates * p[P_ROW_COMMANDS]
        issued = _work(m, c, R_COMMAND, entry, entry, commands)
        end = max(end, issued - p[P_COLUMN_COMMAND])
    moved = _work(m, c, R_BUS, entry, bus_ready, count * p[P_CCD])
    # idle time is not located, so pieces may be given the same of it: on the pins they follow
    # each other all the same
    pins = max(m[c, S_PINS], entry) + count * p[P_CCD]
    m[c, S_PINS] = pins
    moved = max(moved, pins)
    end = max(end, moved - p[P_CCD])  # the last column command
    m[c, C_HITS] += count - activates
    crossed = 0
    if end >= m[c, S_REFRESH]:
        # a refresh that falls into the piece closes the rows: activate again and wait for them
        crossed = end // available - m[c, S_EPOCH]
        end += crossed * p[P_RCD]
        m[c, R_BUS + R_UNTIL] += crossed * p[P_RCD]
        _refresh(p, m, c, (m[c, S_EPOCH] + crossed) * available)
    m[c, C_ACTIVATES] += activates
    if not posted:
        release = end + (p[P_WR_PRE] if write else p[P_RTP])
        for part in range(parts):
            if bursts[at + part] == 0:
                continue
            b = _bank_at(p, first_bank + part)
            # banks of the spread take turns: at least so many bursts follow this bank's last one
            after = min(((last >> p[P_LOW]) - part) & (parts - 1), count - bursts[at + part])
            m[c, b + B_PRECHARGE] = max(m[c, b + B_PRECHARGE], release - after * p[P_CCD])
            if crossed > 0:
                m[c, b + B_ROW] = row
                m[c, b + B_ACT] = m[c, S_EPOCH] * available
                m[c, C_ACTIVATES] += crossed
    begin = min(max(first_ready, moved - count * p[P_CCD]), end)
    apart = p[P_CCD]
    if end - begin != (count - 1) * apart:
        apart = (end - begin) // max(count - 1, 1)
    _enqueue(p, m, c, begin, count, apart)
    m[c, C_WRITES if write else C_READS] += count
    until = end + p[P_CCD]
    m[c, C_ACTIVE] += max(until - max(m[c, S_ACTIVE_UNTIL], entry), 0)
    m[c, S_ACTIVE_UNTIL] = max(m[c, S_ACTIVE_UNTIL], until)
    return int(end)


@njit(borrows=True)
def _refresh(p: I64, m: I64, c: int, now: int) -> None:
    """Go on to the refresh interval of ``now``, at whose start all rows are closed."""
    epoch = now // p[P_AVAILABLE]
    begin = epoch * p[P_AVAILABLE]
    m[c, S_EPOCH], m[c, S_REFRESH] = epoch, begin + p[P_AVAILABLE]
    for bank in range(p[P_BANKS]):
        b = _bank_at(p, bank)
        m[c, b + B_ROW] = -1
        m[c, b + B_POSTED] = -1
        m[c, b + B_PRECHARGE] = min(m[c, b + B_PRECHARGE], begin - p[P_RP])
        m[c, b + B_ACT] = min(m[c, b + B_ACT], begin - p[P_RC])


@njit(borrows=True)
def _drain_posted(p: I64, m: I64, c: int) -> None:
    """Open the rows of posted writes: they are drained before writes that come now."""
    for bank in range(p[P_BANKS]):
        b = _bank_at(p, bank)
        if m[c, b + B_POSTED] >= 0:
            m[c, b + B_ROW] = m[c, b + B_POSTED]
            m[c, b + B_POSTED] = -1


@njit(borrows=True)
def turn_round(p: I64, m: I64, c: int, bursts: int, write: bool) -> None:
    """Decide whether a stream of about ``bursts`` on a channel makes its data bus turn round.

    Writes are posted, and drained when a batch has gathered; reading goes on until then.
    """
    if write:
        m[c, S_POSTED] += bursts
        if m[c, S_WRITING] == 0 and m[c, S_POSTED] >= p[P_BATCH]:
            m[c, S_WRITING] = 1
            m[c, S_TURN_DUE] = p[P_READ_TO_WRITE]
    elif m[c, S_WRITING] == 1:
        m[c, S_WRITING] = 0
        m[c, S_POSTED] = 0
        m[c, S_TURN_DUE] = p[P_WRITE_TO_READ]
