"""One stream on DRAM channels, piece by piece: the compiled half of the row-level model.

A *piece* is what a run of bytes touches of one *stripe* of a channel: a row of one bank or, where
the mapping spreads neighbouring bursts over banks, the same row of several banks. Times are
command clocks, counted without those spent refreshing. :mod:`archsim.sim.dram.row` explains the
model.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from archsim.base.jit import njit

__all__ = ["serve"]

I64 = npt.NDArray[np.int64]

# Columns of the parameters, the same for all channels.
(
    P_CHANNELS, P_INTERLEAVE, P_BURST_BYTES, P_LOW, P_SPREAD, P_COLUMN, P_BANK, P_GROUPS,
    P_RCD, P_RP, P_RAS, P_RC, P_ACT, P_RTP, P_WR_PRE, P_CCD, P_CCD_L, P_CL, P_CWL, P_BURST,
    P_READ_TO_WRITE, P_WRITE_TO_READ, P_AVAILABLE, P_INTERVAL, P_WINDOW, P_BATCH,
    P_COLUMN_COMMAND, P_ROW_COMMANDS, P_LATE, P_CCD_L_WRITE, P_RCD_WRITE, P_WAKE,
    P_COUNT,
) = range(33)  # fmt: skip

# Columns of a channel's state.
(
    S_EPOCH,
    S_WRITING,
    S_POSTED,
    S_TURN_DUE,
    S_QUEUED,
    S_ENTRIES,
    S_LAST_BURST,
    S_ACTIVE_UNTIL,
    S_PINS,
    S_COUNT,
) = range(10)

# Resources of a channel: activates, command bus, data bus, then the bank groups' column commands.
# Of each: the clock up to which its time is given away, how much of the time since R_SINCE is not.
R_ACTIVATE, R_COMMAND, R_BUS, R_GROUP = range(4)
R_UNTIL, R_IDLE, R_SINCE, R_COUNT = range(4)  # fmt: skip

# Columns of a bank: the open row (-1: none), the clocks of its last activate, of its earliest next
# precharge (of its last precharge's earliest start when closed) and column command.
B_ROW, B_POSTED, B_ACT, B_PRECHARGE, B_COLUMN, B_COUNT = range(6)

# Columns of a channel's counters.
C_ACTIVATES, C_HITS, C_READS, C_WRITES, C_ACTIVE, C_ASLEEP, C_COUNT = range(7)


@njit()
def _admit(p: I64, s: I64, queue: I64, now: int) -> int:
    """Return when a burst enters the window: at ``now`` or when enough bursts have left it."""
    entry = now
    while s[S_QUEUED] >= p[P_WINDOW]:
        first, count, spacing = queue[0, 0], queue[0, 1], queue[0, 2]
        entries = s[S_ENTRIES]
        leave = min(s[S_QUEUED] - p[P_WINDOW] + 1, count)
        if entries > 1 and spacing > 0:  # no more than leave before another piece's next burst
            leave = min(leave, (queue[1, 0] - first) // spacing + 1)
        entry = max(entry, first + (leave - 1) * spacing)
        s[S_QUEUED] -= leave
        if leave == count:
            for i in range(1, entries):
                queue[i - 1, 0], queue[i - 1, 1], queue[i - 1, 2] = (
                    queue[i, 0],
                    queue[i, 1],
                    queue[i, 2],
                )
            s[S_ENTRIES] -= 1
        else:
            first += leave * spacing
            i = 1
            while i < entries and queue[i, 0] < first:
                queue[i - 1, 0], queue[i - 1, 1], queue[i - 1, 2] = (
                    queue[i, 0],
                    queue[i, 1],
                    queue[i, 2],
                )
                i += 1
            queue[i - 1, 0], queue[i - 1, 1], queue[i - 1, 2] = first, count - leave, spacing
    return entry


@njit()
def _enqueue(s: I64, queue: I64, first: int, count: int, spacing: int) -> None:
    """Add a piece whose bursts leave the window from ``first`` on, every ``spacing`` clocks."""
    i = s[S_ENTRIES]
    while i > 0 and queue[i - 1, 0] > first:
        queue[i, 0], queue[i, 1], queue[i, 2] = queue[i - 1, 0], queue[i - 1, 1], queue[i - 1, 2]
        i -= 1
    queue[i, 0], queue[i, 1], queue[i, 2] = first, count, spacing
    s[S_ENTRIES] += 1
    s[S_QUEUED] += count


@njit()
def _work(r: I64, entry: int, ready: int, clocks: int) -> int:
    """Give ``clocks`` of a resource to work that may start at ``ready``; return when it is done.

    What is idle between ``entry`` and ``ready`` is left to later pieces; nothing before ``entry``
    will be wanted again. When it is passed, idle time counts as spread evenly since R_SINCE.
    """
    until, idle, since = r[R_UNTIL], r[R_IDLE], r[R_SINCE]
    if entry >= until:
        until, idle, since = entry, 0, entry
    elif entry > since:
        idle, since = idle * (until - entry) // (until - since), entry
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
    r[R_UNTIL], r[R_IDLE], r[R_SINCE] = until, idle, since
    return int(done)


@njit()
def _before(x: int, bank: int, low: int, spread: int) -> int:
    """Return how many of bursts 0..x-1 of a stripe fall to a bank of the spread."""
    block = x & ((1 << (low + spread)) - 1)
    inside = min(max(block - (bank << low), 0), 1 << low)
    return ((x >> (low + spread)) << low) + inside


@njit()
def _piece(p: I64, s: I64, c: I64, banks: I64, resources: I64, queue: I64,
           now: int, stripe: int, first: int, last: int, write: bool) -> int:  # fmt: skip
    """Serve bursts first..last-1 of a stripe; return when the last column command is issued."""
    entry = _admit(p, s, queue, now)
    available = p[P_AVAILABLE]
    count = last - first
    bus = resources[R_BUS]
    turn = s[S_TURN_DUE]
    if turn > 0 and write:  # what was posted is drained first
        for bank in range(banks.shape[0]):
            if banks[bank, B_POSTED] >= 0:
                banks[bank, B_ROW] = banks[bank, B_POSTED]
                banks[bank, B_POSTED] = -1
    if turn > 0:
        s[S_TURN_DUE] = 0
        # nothing of the new direction is prepared before the old one's work is done
        entry = max(entry, bus[R_UNTIL] - bus[R_IDLE])
    epoch = entry // available
    if epoch > s[S_EPOCH]:
        asleep = entry - max(s[S_ACTIVE_UNTIL], (s[S_EPOCH] + 1) * available)
        if p[P_WAKE] > 0 and asleep > 0:  # a refresh found the channel idle: power-down since then
            c[C_ASLEEP] += asleep
            entry += p[P_WAKE]
        s[S_EPOCH] = epoch
        _close(p, banks, epoch * available)
    banks_low = stripe & ((1 << p[P_BANK]) - 1)
    row = stripe >> p[P_BANK]
    spread, low = p[P_SPREAD], p[P_LOW]
    parts = 1 << spread
    spacing = p[P_CCD_L_WRITE] if write else p[P_CCD_L]
    posted = write and s[S_WRITING] == 0
    first_ready = np.int64(1) << 62
    end = np.int64(0)
    activates = 0
    for part in range(parts):
        mine = _before(last, part, low, spread) - _before(first, part, low, spread)
        if mine == 0:
            continue
        bank = (banks_low << spread) + part
        if posted:  # drained later, row by row: reading goes on as if it were not there
            hit = banks[bank, B_POSTED] == row
            c[C_HITS] += mine - (not hit)
            if not hit:
                banks[bank, B_POSTED] = row
                _work(resources[R_ACTIVATE], entry, entry, p[P_ACT])
                activates += 1
            if p[P_GROUPS] > 1:
                group = resources[R_GROUP + bank % p[P_GROUPS]]
                end = max(end, _work(group, entry, entry, mine * spacing) - spacing)
            first_ready = np.int64(entry)
            continue
        if banks[bank, B_ROW] == row:
            c[C_HITS] += mine
        else:
            free = max(entry, banks[bank, B_ACT] + p[P_RC])
            if banks[bank, B_ROW] >= 0:
                free = max(free, max(banks[bank, B_PRECHARGE], entry) + p[P_RP])
            else:
                free = max(free, banks[bank, B_PRECHARGE] + p[P_RP])
            act = max(free, _work(resources[R_ACTIVATE], entry, entry, p[P_ACT]) - p[P_ACT])
            banks[bank, B_ROW] = row
            banks[bank, B_ACT] = act
            banks[bank, B_PRECHARGE] = act + p[P_RAS]
            banks[bank, B_COLUMN] = act + (p[P_RCD_WRITE] if write else p[P_RCD])
            activates += 1
            c[C_HITS] += mine - 1
        ready = max(banks[bank, B_COLUMN], entry)
        banks[bank, B_COLUMN] = ready + mine * spacing
        first_ready = min(first_ready, ready)
        end = max(end, banks[bank, B_COLUMN] - spacing)
        if p[P_GROUPS] > 1:  # one group's time is the data bus's
            group = resources[R_GROUP + bank % p[P_GROUPS]]
            late = entry + (ready - entry) * p[P_LATE] // 8
            end = max(end, _work(group, entry, late, mine * spacing) - spacing)
    c[C_ACTIVATES] += activates
    bus_ready = entry + (first_ready - entry) * p[P_LATE] // 8
    if turn > 0:
        bus_ready = max(entry + turn, first_ready)
        bus[R_UNTIL], bus[R_IDLE], bus[R_SINCE] = bus_ready, 0, bus_ready
    if p[P_ROW_COMMANDS] > 0:
        commands = count * p[P_COLUMN_COMMAND] + activates * p[P_ROW_COMMANDS]
        issued = _work(resources[R_COMMAND], entry, entry, commands)
        end = max(end, issued - p[P_COLUMN_COMMAND])
    moved = _work(bus, entry, bus_ready, count * p[P_CCD])
    # idle time is not located, so pieces may be given the same of it: on the pins they follow
    # each other all the same
    s[S_PINS] = max(s[S_PINS], entry) + count * p[P_CCD]
    end = max(end, max(moved, s[S_PINS]) - p[P_CCD])  # the last column command
    # a refresh that falls into the piece closes the rows: activate again and wait for them
    crossed = end // available - s[S_EPOCH]
    if crossed > 0:
        s[S_EPOCH] += crossed
        end += crossed * p[P_RCD]
        bus[R_UNTIL] += crossed * p[P_RCD]
        _close(p, banks, s[S_EPOCH] * available)
    release = end + (p[P_WR_PRE] if write else p[P_RTP])
    for part in range(parts):
        mine = _before(last, part, low, spread) - _before(first, part, low, spread)
        if mine > 0 and not posted:
            bank = (banks_low << spread) + part
            banks[bank, B_PRECHARGE] = max(banks[bank, B_PRECHARGE], release)
            if crossed > 0:
                banks[bank, B_ROW] = row
                banks[bank, B_ACT] = s[S_EPOCH] * available
                c[C_ACTIVATES] += crossed
    begin = min(max(first_ready, moved - count * p[P_CCD]), end)
    _enqueue(s, queue, begin, count, (end - begin) // max(count - 1, 1))
    c[C_WRITES if write else C_READS] += count
    c[C_ACTIVE] += max(end + p[P_CCD] - max(s[S_ACTIVE_UNTIL], entry), 0)
    s[S_ACTIVE_UNTIL] = max(s[S_ACTIVE_UNTIL], end + p[P_CCD])
    return int(end)


@njit()
def _close(p: I64, banks: I64, now: int) -> None:
    """Close all rows at a refresh that ends at ``now``."""
    for bank in range(banks.shape[0]):
        banks[bank, B_ROW] = -1
        banks[bank, B_POSTED] = -1
        banks[bank, B_PRECHARGE] = min(banks[bank, B_PRECHARGE], now - p[P_RP])
        banks[bank, B_ACT] = min(banks[bank, B_ACT], now - p[P_RC])


@njit()
def _turn(p: I64, s: I64, bursts: int, write: bool) -> None:
    """Decide whether a stream of about ``bursts`` on a channel makes its data bus turn round.

    Writes are posted, and drained when a batch has gathered; reading goes on until then.
    """
    if write:
        s[S_POSTED] += bursts
        if s[S_WRITING] == 0 and s[S_POSTED] >= p[P_BATCH]:
            s[S_WRITING] = 1
            s[S_TURN_DUE] = p[P_READ_TO_WRITE]
    elif s[S_WRITING] == 1:
        s[S_WRITING] = 0
        s[S_POSTED] = 0
        s[S_TURN_DUE] = p[P_WRITE_TO_READ]


@njit()
def serve(p: I64, states: I64, counts: I64, banks: I64, resources: I64, queues: I64, moved: I64,
           now: int, address: I64, size: I64, first: int, last: int, write: bool
           ) -> int:  # fmt: skip
    """Serve a stream from clock ``now`` on; return the clock at which its last data has moved.

    ``address`` and ``size`` are all its runs in bytes, of which this call serves ``first`` to
    ``last - 1``; the calls of one stream follow each other. ``p`` are the parameters; the arrays
    after it are the state, by channel; ``moved[0]`` counts bursts.
    """
    channels, interleave, burst_bytes = p[P_CHANNELS], p[P_INTERLEAVE], p[P_BURST_BYTES]
    available, interval = p[P_AVAILABLE], p[P_INTERVAL]
    # clocks outside refreshes; a refresh ends every interval
    start = now // interval * available + min(now % interval, available)
    stripe_bits = p[P_LOW] + p[P_SPREAD] + p[P_COLUMN]
    data_delay = p[P_BURST] + (p[P_CWL] if write else p[P_CL])
    share = size.sum() // (channels * burst_bytes)
    if first == 0:
        for channel in range(channels):
            states[channel, S_LAST_BURST] = -1
    finish = now
    for run in range(first, last):
        begin, end = address[run], address[run] + size[run]
        block_first, block_last = begin // interleave, (end - 1) // interleave
        for k in range(min(block_last - block_first + 1, channels)):
            # the run's bytes on a channel are contiguous in the channel's own addresses
            block = block_first + k
            channel = block % channels
            final = block_last - (block_last - channel) % channels
            local_first = block // channels * interleave + (begin % interleave if k == 0 else 0)
            local_last = final // channels * interleave + (
                (end - 1) % interleave if final == block_last else interleave - 1
            )
            s = states[channel]
            burst = local_first // burst_bytes
            if burst == s[S_LAST_BURST]:
                burst += 1  # moved already, by the run before
            stop = local_last // burst_bytes + 1
            if s[S_LAST_BURST] < 0:
                _turn(p, s, max(stop - burst, share), write)
            s[S_LAST_BURST] = stop - 1
            moved[0] += max(stop - burst, 0)
            while burst < stop:
                stripe = burst >> stripe_bits
                origin = stripe << stripe_bits
                upto = min(stop - origin, 1 << stripe_bits)
                column = _piece(
                    p, s, counts[channel], banks[channel], resources[channel], queues[channel],
                    start, stripe, burst - origin, upto, write,
                )  # fmt: skip
                data = column // available * interval + column % available + data_delay
                finish = max(finish, data)
                burst = origin + upto
    return finish
