"""Row-level DRAM model: what a stream of byte ranges costs, per piece of a row.

A stream's runs are split over the channels, and on a channel into *pieces*: what a run touches of
one row (of one row in several banks, where the mapping spreads neighbouring bursts). A piece costs
constant time to model, however many bursts it has. Per channel the model keeps, in command clocks:

- the *window* of a controller's queue, 32 bursts: the first burst of a piece enters when fewer
  than 32 of the bursts before it still wait. Activates of later pieces overlap the data of
  earlier ones this far, and no further.
- per bank the open row (rows stay open until another is wanted or a refresh), and the earliest
  next precharge and activate (tRAS, tRTP, tWR, tRP, tRC);
- three resources that a first-ready controller fills out of order, each a counter of work done:
  activates (one per max(tRRD, tFAW / 4)), column commands of a bank group (tCCD within the
  group), and the data bus (one burst per tCCD). A resource is never busy before the piece has
  entered the window, and work never exceeds elapsed time: the bus never runs above its peak.
- the last direction. Writes are posted to a buffer and drained in batches: a change of direction
  and back costs its dead time (read-to-write gap; CWL + tWTR + CL) once per batch, or once per
  change where more is written.
- refresh: every tREFI all banks close and nothing moves for tRP(all) + tRFC. The model counts
  clocks in which the channel is not refreshing and converts at the border, so a refresh due while
  the channel idles costs nothing but the open rows.

Streams queue behind each other in the order they are served: a stream served later cannot overtake
one served earlier on the same channel, only fill its gaps within the window.

Left out: command-bus conflicts, the split activate and data-clock synchronisation of LPDDR5 (one
clock each), per-bank refresh, power-down exits, several ranks.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from archsim.arch.dram import DramDevice, load_device
from archsim.base.errors import ConfigError
from archsim.base.jit import njit
from archsim.sim.dram.mapping import map_device

__all__ = ["RowDram"]

I64 = npt.NDArray[np.int64]

WINDOW_BURSTS = 32  # read (and write) queue of both reference controllers
WRITE_BATCH_BURSTS = 20  # from 80 % to 20 % full of a 32-entry write buffer

# Columns of the parameters, the same for all channels.
(
    P_CHANNELS, P_INTERLEAVE, P_BURST_BYTES, P_LOW, P_SPREAD, P_COLUMN, P_BANK, P_GROUPS,
    P_RCD, P_RP, P_RAS, P_RC, P_ACT, P_RTP, P_WR_PRE, P_CCD, P_CCD_L, P_CL, P_CWL, P_BURST,
    P_TURN, P_AVAILABLE, P_INTERVAL, P_WINDOW, P_BATCH, P_COUNT,
) = range(26)  # fmt: skip

# Columns of a channel's state.
(
    S_BUS, S_ACT, S_EPOCH, S_DIRECTION, S_WRITTEN, S_QUEUED, S_ENTRIES, S_LAST_BURST, S_ACTIVE_UNTIL,
    S_ENTRY, S_COUNT,
) = range(11)  # fmt: skip

# Columns of a channel's counters.
C_ACTIVATES, C_HITS, C_READS, C_WRITES, C_TURNS, C_ACTIVE, C_COUNT = range(7)


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
def _before(x: int, bank: int, low: int, spread: int) -> int:
    """Return how many of bursts 0..x-1 of a stripe fall to a bank of the spread."""
    block = x & ((1 << (low + spread)) - 1)
    inside = min(max(block - (bank << low), 0), 1 << low)
    return ((x >> (low + spread)) << low) + inside


@njit()
def _piece(p: I64, s: I64, c: I64, rows: I64, act_at: I64, pre_ok: I64, groups: I64, queue: I64,
           now: int, stripe: int, first: int, last: int, write: bool) -> int:  # fmt: skip
    """Serve bursts first..last-1 of a stripe; return when the last column command is issued."""
    entry = _admit(p, s, queue, now)
    available = p[P_AVAILABLE]
    epoch = entry // available
    if epoch > s[S_EPOCH]:
        s[S_EPOCH] = epoch
        for bank in range(rows.size):
            rows[bank] = -1
            pre_ok[bank] = min(pre_ok[bank], epoch * available - p[P_RP])
            act_at[bank] = min(act_at[bank], epoch * available - p[P_RC])
    count = last - first
    bus = max(s[S_BUS], entry)
    if write:
        s[S_WRITTEN] += count
    if s[S_DIRECTION] != write:
        s[S_DIRECTION] = write
        if not write and s[S_WRITTEN] >= p[P_BATCH]:
            s[S_WRITTEN] = 0
            c[C_TURNS] += 1
            bus += p[P_TURN]
    bus_end = bus + count * p[P_CCD]
    banks_low = stripe & ((1 << p[P_BANK]) - 1)
    row = stripe >> p[P_BANK]
    spread, low = p[P_SPREAD], p[P_LOW]
    first_ready = np.int64(1) << 62
    end = bus_end
    for part in range(1 << spread):
        mine = _before(last, part, low, spread) - _before(first, part, low, spread)
        if mine == 0:
            continue
        bank = (banks_low << spread) + part
        group = bank % p[P_GROUPS]
        if rows[bank] == row:
            c[C_HITS] += mine
            ready = max(entry, act_at[bank] + p[P_RCD])
        else:
            act = max(entry, s[S_ACT], act_at[bank] + p[P_RC])
            if rows[bank] >= 0:
                act = max(act, max(entry, pre_ok[bank]) + p[P_RP])
            else:
                act = max(act, pre_ok[bank] + p[P_RP])
            s[S_ACT] = max(s[S_ACT], entry) + p[P_ACT]
            rows[bank] = row
            act_at[bank] = act
            pre_ok[bank] = act + p[P_RAS]
            ready = act + p[P_RCD]
            c[C_ACTIVATES] += 1
            c[C_HITS] += mine - 1
        groups[group] = max(groups[group], entry) + mine * p[P_CCD_L]
        first_ready = min(first_ready, ready)
        end = max(end, ready + mine * p[P_CCD_L], groups[group])
    # a refresh that falls into the piece closes the rows: activate again and wait for them
    crossed = (end - 1) // available - s[S_EPOCH]
    if crossed > 0:
        s[S_EPOCH] += crossed
        c[C_ACTIVATES] += crossed * min(count, 1 << spread)
        bus_end += crossed * p[P_RCD]
        end += crossed * p[P_RCD]
    s[S_BUS] = bus_end
    last_column = end - p[P_CCD]
    release = last_column + (p[P_WR_PRE] if write else p[P_RTP])
    for part in range(1 << spread):
        if _before(last, part, low, spread) > _before(first, part, low, spread):
            bank = (banks_low << spread) + part
            pre_ok[bank] = max(pre_ok[bank], release)
    begin = min(max(first_ready, bus), last_column)
    spacing = (last_column - begin) // (count - 1) if count > 1 else np.int64(0)
    _enqueue(s, queue, begin, count, spacing)
    if write:
        c[C_WRITES] += count
    else:
        c[C_READS] += count
    c[C_ACTIVE] += max(end - max(s[S_ACTIVE_UNTIL], entry), 0)
    s[S_ACTIVE_UNTIL] = max(s[S_ACTIVE_UNTIL], end)
    return last_column


@njit()
def _serve(p: I64, s: I64, c: I64, rows: I64, act_at: I64, pre_ok: I64, groups: I64, queue: I64,
           now: int, address: I64, size: I64, write: bool) -> int:  # fmt: skip
    """Serve a stream from clock ``now`` on; return the clock at which its last data has moved."""
    channels, interleave, burst_bytes = p[P_CHANNELS], p[P_INTERLEAVE], p[P_BURST_BYTES]
    turn = channels * interleave
    available, interval = p[P_AVAILABLE], p[P_INTERVAL]
    # clocks outside refreshes; a refresh ends every interval
    start = now // interval * available + min(now % interval, available)
    stripe_bits = p[P_LOW] + p[P_SPREAD] + p[P_COLUMN]
    for channel in range(channels):
        s[channel, S_LAST_BURST] = -1
    finish = now
    for run in range(address.size):
        begin, end = address[run], address[run] + size[run]
        block_first, block_last = begin // interleave, (end - 1) // interleave
        touched = min(block_last - block_first + 1, channels)
        for k in range(touched):
            channel = (block_first + k) % channels
            # the run's bytes on this channel are contiguous in the channel's own addresses
            block = block_first + k
            local_first = block // channels * interleave + (begin % interleave if k == 0 else 0)
            block = block_last - (block_last - channel) % channels
            local_last = block // channels * interleave + (
                (end - 1) % interleave if block == block_last else interleave - 1
            )
            burst = max(local_first // burst_bytes, np.int64(0))
            if burst == s[channel, S_LAST_BURST]:
                burst += 1  # moved already, by the run before
            stop = local_last // burst_bytes + 1
            s[channel, S_LAST_BURST] = stop - 1
            while burst < stop:
                stripe = burst >> stripe_bits
                last = min(stop, (stripe + 1) << stripe_bits)
                column = _piece(
                    p, s[channel], c[channel], rows[channel], act_at[channel], pre_ok[channel],
                    groups[channel], queue[channel], start, stripe,
                    burst - (stripe << stripe_bits), last - (stripe << stripe_bits), write,
                )  # fmt: skip
                data = (
                    column // available * interval
                    + column % available
                    + p[P_BURST]
                    + (p[P_CWL] if write else p[P_CL])
                )
                finish = max(finish, data)
                burst = last
    return finish


class RowDram:
    """DRAM behind a machine, at row level: serves streams in the order of the calls.

    Parameters
    ----------
    device
        A device table, or its name.
    channels
        Independent channels of the device's width.
    interleave_bytes
        Consecutive bytes kept on one channel; a multiple of the burst.
    mapping
        A name of :data:`archsim.sim.dram.mapping.MAPPINGS`.
    data_rate_mt_s
        Run the device at another data rate: the clock changes, times given in nanoseconds stay
        (their clocks are counted anew, rounded up), and counts of clocks stay.
    refresh
        ``False`` switches refresh off; only for comparisons with other models.
    """

    def __init__(self, device: DramDevice | str, *, channels: int, interleave_bytes: int,
                 mapping: str, data_rate_mt_s: float | None = None,
                 refresh: bool = True) -> None:  # fmt: skip
        self.device = load_device(device) if isinstance(device, str) else device
        rate = self.device.data_rate_mt_s.value if data_rate_mt_s is None else data_rate_mt_s
        self.data_rate_mt_s = round(rate)
        self.channels = int(channels)
        self._parameters = _parameters(
            self.device, self.data_rate_mt_s, self.channels, int(interleave_bytes), mapping, refresh
        )
        self._beats = int(self.device.organisation.beats_per_clock.value)
        self._state = self._fresh_state()

    def _fresh_state(self) -> tuple[I64, ...]:
        n, banks = self.channels, self.device.banks
        groups = int(self.device.organisation.bank_groups.value)
        state = np.zeros((n, S_COUNT), np.int64)
        long_ago = -(1 << 40)
        return (
            self._parameters,
            state,
            np.zeros((n, C_COUNT), np.int64),
            np.full((n, banks), -1, np.int64),
            np.full((n, banks), long_ago, np.int64),
            np.full((n, banks), long_ago, np.int64),
            np.zeros((n, groups), np.int64),
            np.zeros((n, WINDOW_BURSTS + 1, 3), np.int64),
        )

    def serve(self, now_ps: int, address: I64, size: I64, write: bool) -> int:
        """Return when a stream that starts at ``now_ps`` has moved its last byte (picoseconds).

        ``address`` and ``size`` (bytes, > 0) are the stream's runs, in the order they are asked
        for. Partial bursts at the ends of a run move whole; a burst that two successive runs of
        the stream share on a channel moves once.
        """
        rate, scale = self.data_rate_mt_s, self._beats * 10**6
        now = -(-now_ps * rate // scale)
        finish = _serve(*self._state, now, address, size, write)
        return -(-int(finish) * scale // rate) if finish > now else now_ps

    @property
    def served_bytes(self) -> int:
        """Bytes moved over the pins so far, in whole bursts, all channels together."""
        counts = self._state[2]
        bursts = int(counts[:, C_READS].sum()) + int(counts[:, C_WRITES].sum())
        return bursts * self.device.burst_bytes

    def counts(self) -> dict[str, int]:
        """Return the counters, all channels together and ``busy_ps/N``, ``active_ps/N`` apart.

        ``activates`` (each with its precharge), ``row_hits``, ``read_bursts``, ``write_bursts``,
        ``turnarounds`` (changes from writes to reads that were paid for); ``busy_ps/N`` is the
        time channel N's data pins moved data; ``active_ps/N`` the time it had a stream in service
        and so, for its energy, an open row. ``bytes`` is what moved over the pins.
        """
        c = self._state[2]
        total = c.sum(axis=0)
        counts = {
            "activates": int(total[C_ACTIVATES]),
            "row_hits": int(total[C_HITS]),
            "read_bursts": int(total[C_READS]),
            "write_bursts": int(total[C_WRITES]),
            "turnarounds": int(total[C_TURNS]),
            "bytes": self.served_bytes,
        }
        for channel in range(self.channels):
            bursts = int(c[channel, C_READS] + c[channel, C_WRITES])
            for name, clocks in (
                ("busy_ps", bursts * self.device.burst_clocks),
                ("active_ps", int(c[channel, C_ACTIVE])),
            ):
                counts[f"{name}/{channel}"] = self.device.clocks_to_ps(clocks, self.data_rate_mt_s)
        return counts


def _parameters(device: DramDevice, rate: int, channels: int, interleave_bytes: int, mapping: str,
                refresh: bool) -> I64:  # fmt: skip
    """Return the compiled code's constants: organisation in bits, timing in clocks of ``rate``."""
    o, t = device.organisation, device.timing
    if channels < 1:
        raise ConfigError(f"a memory system has {channels} DRAM channels, fewer than one")
    if interleave_bytes < 1 or interleave_bytes % device.burst_bytes:
        raise ConfigError(
            f"DRAM channels take turns every {interleave_bytes} bytes, which is not a multiple of "
            f"the {device.burst_bytes}-byte burst of {device.name}"
        )
    bits = map_device(mapping, device)

    def clocks(value: float) -> int:
        return device.clocks(value, rate)

    burst, ccd = device.burst_clocks, int(t.tccd_clocks.value)
    cl, cwl = clocks(t.cl_ns.value), clocks(t.cwl_ns.value)
    trcd, trp, tras = clocks(t.trcd_ns.value), clocks(t.trp_ns.value), clocks(t.tras_ns.value)
    interval = clocks(t.trefi_ns.value)
    closed = clocks(t.trp_all_ns.value) + clocks(t.trfc_ns.value)
    if not refresh:
        interval, closed = 1 << 40, 0
    values = {
        P_CHANNELS: channels, P_INTERLEAVE: interleave_bytes, P_BURST_BYTES: device.burst_bytes,
        P_LOW: bits.low_column_bits, P_SPREAD: bits.spread_bits, P_COLUMN: bits.column_bits,
        P_BANK: bits.bank_bits, P_GROUPS: int(o.bank_groups.value),
        P_RCD: trcd, P_RP: trp, P_RAS: tras, P_RC: tras + trp,
        P_ACT: max(clocks(t.trrd_ns.value), -(-clocks(t.tfaw_ns.value) // 4)),
        P_RTP: clocks(t.trtp_ns.value), P_WR_PRE: cwl + burst + clocks(t.twr_ns.value),
        P_CCD: ccd, P_CCD_L: int(t.tccd_same_group_clocks.value),
        P_CL: cl, P_CWL: cwl, P_BURST: burst,
        P_TURN: (cl + int(t.read_to_write_gap_clocks.value) - cwl) + (cwl + clocks(t.twtr_ns.value)),
        P_AVAILABLE: interval - closed, P_INTERVAL: interval,
        P_WINDOW: WINDOW_BURSTS, P_BATCH: WRITE_BATCH_BURSTS,
    }  # fmt: skip
    parameters = np.zeros(P_COUNT, np.int64)
    for index, value in values.items():
        parameters[index] = value
    return parameters
