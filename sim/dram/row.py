"""Row-level DRAM model: what a stream of byte ranges costs, per piece of a row.

A stream's runs are split over the channels, and on a channel into *pieces*: what successive runs
ask of one row (of one row in several banks, where the mapping spreads neighbouring bursts). A piece
costs constant time to model, however many runs and bursts it has. Per channel the model keeps, in
command clocks:

- the *window* of a controller's queue, 32 bursts: the first burst of a piece enters when fewer
  than 32 of the bursts before it still wait. Activates of later pieces overlap the data of
  earlier ones this far, and no further. A piece's bursts leave at even distances; those of two
  pieces that overlap leave between each other.
- per bank the open row (rows stay open until another is wanted or a refresh comes), its column
  commands (one per tCCD of a bank group), and the earliest next precharge and activate (tRAS,
  tRTP, tWR, tRP, tRC).
- resources that a first-ready controller fills out of order: activates (one per max(tRRD,
  tFAW / 4)), the command bus (LPDDR5's activate takes two commands), column commands of a bank
  group, and the data bus (one burst per tCCD). Of each the model knows up to when its time is
  given away and how much of it is idle. A piece takes the groups' and the data bus's time only
  when most of the wait for its row is over; idle time before that is left to other pieces. No
  resource does more work than time passes: the bus never runs above its peak.
- the direction of the data bus. Writes are posted to a buffer, where those to one row find each
  other, and drained in batches: the bus turns when a batch of 20 bursts has gathered, and back at
  the next read. A turn costs its dead time, and nothing of the new direction is prepared before
  the old one's work is done.
- refresh: every tREFI all banks close and nothing moves for tRP(all) + tRFC. The model counts
  clocks in which the channel is not refreshing and converts at the border, so a refresh due while
  the channel idles costs nothing but the open rows.
- power-down, where asked for: a channel that a refresh finds idle sleeps until it is wanted.

Streams queue behind each other in the order they are served: a stream served later cannot overtake
one served earlier on the same channel, only fill its gaps within the window.

Left out: LPDDR5's data-clock synchronisation, rows closed while they are still wanted, per-bank
refresh, several ranks.

Measured error
--------------
Against :class:`archsim.sim.dram.cycle.CycleDram`, the command-level controller on the same tables:
total clocks with refresh of 20,000 bursts on one channel, in percent (copies alternate bursts read
and written; this model, which serves whole streams, gets them in chunks of 20):

======================================= ====== ====== ====== ====== ====== ====== ====== ======
device, mapping                         stream stream random random gather gather gather copy
                                        read   write  read   write  4      16     4 w
======================================= ====== ====== ====== ====== ====== ====== ====== ======
lpddr3-1600        row-bank-column        -0.1   -0.6   -0.8   -3.1   -1.0   -2.5   +2.5   +1.8
lpddr4-3200        row-bank-column        -0.1   -1.0   -1.0   -2.5   -1.1   -1.8   +2.9   +4.6
lpddr4-4266        row-bank-column        -0.1   -0.7   -1.0   -1.4   +1.1   -4.6   +3.3   +4.2
lpddr5-6400        row-bank-column        -2.2   -3.1   -5.0   -2.0   -3.1   -9.6   +1.0  +13.8
lpddr5-6400        row-bank-column-group  -0.2   -1.8   -5.1   -1.9   -5.0   -9.6   -2.2   -0.6
lpddr5-6400        ... -group-2           -0.2   -1.8   -4.9   -1.8   -2.5   -6.6   +1.5   +2.8
lpddr5-6400-16bank row-bank-column        -0.1   -1.5  -14.2  -12.7   -2.0   -1.4   +4.9   +3.4
lpddr5x-8533       ... -group-2           -0.2   -1.1   -1.7   -0.7   -1.5   -8.9   -0.9   +1.9
ddr4-3200          row-bank-column        -0.3   -0.5   +2.8   +5.5   -0.3   -7.1   +4.1   +8.4
ddr4-3200          row-bank-column-group  -0.1   -0.3   +2.8   +5.4   +3.9   -4.3   +2.6   +1.4
ddr5-4800          row-bank-column-group  -0.1   -1.0  +10.1  +11.9   +3.1   -0.8   +5.9   +2.2
hbm2-2000          row-bank-column-group  -0.2   -0.6   -1.1   -3.5   -2.3   -6.5   -4.6   +1.7
gddr6-14000        row-bank-column-group  -0.3   -0.8   -1.4   -7.1   -1.8   -7.0   -7.4   +1.0
======================================= ====== ====== ====== ====== ====== ====== ====== ======

The gathers of four at row-bank-column of lpddr5-6400 and ddr4-3200 are fitted (LATE_EIGHTHS); the
other figures are checks.

On the memory streams of 3DGS frames (the built-in object at 640 x 360 on each machine, ``archsim
validate dram``): the time in which any stream is in service -2.6 to +0.5 % with the frame's starts,
the last finish -1.9 to +1.0 % in closed loop, where a stream starts when the one it waited for is
done. There the service times of streams read add up to -9.3 to -3.5 %, of streams written to +7.5
to +13.6 %: the controller is done with a write when its buffer has it.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from archsim.arch.dram import DramDevice, device_clocks, load_device
from archsim.arch.dram.standards import (
    DramClocks,
    TimingConstraint,
    load_standard,
    standard_constraints,
)
from archsim.base.errors import ConfigError
from archsim.base.jit import njit
from archsim.sim.dram import channel as ch
from archsim.sim.dram import split
from archsim.sim.dram.mapping import map_device

__all__ = ["WINDOW_BURSTS", "WRITE_BATCH_BURSTS", "RowDram", "fidelity", "turn_clocks"]

I64 = npt.NDArray[np.int64]

#: Bursts that a channel's controller looks ahead: the read queue of Ramulator 2.1 and DRAMsim3.
WINDOW_BURSTS = 32
#: Writes drained at once: from 80 % to 20 % full of a 32-entry write buffer, as Ramulator 2.1.
WRITE_BATCH_BURSTS = 20

#: Eighths of the wait for its row that a piece's turn on the buses is put off by. Of what a row's
#: preparing leaves idle, other pieces in the window fill a part: between all of it (0) and nothing
#: (8). Fitted, the one number of this model that is: to gathers of four bursts on LPDDR5-6400 and
#: DDR4-3200 at row-bank-column; everything else measured is a check.
LATE_EIGHTHS = 7

_RUNS_PER_CALL = 1 << 18  # compiled code comes back in well under 0.2 s, so that Ctrl-C works


def fidelity() -> str:
    """Return what results say of this model: its kind and its measured error."""
    return (
        "row-level, per piece of a row; total time against the command-level controller errs by "
        "at most: streams 3.1 %, single random bursts 14.2 %, gathers 9.6 %, alternating copies "
        "13.8 %; on the memory streams of 3DGS frames the time in service 2.6 %, in closed loop "
        "the last finish 1.9 %, service times of streams read 9.3 %, of streams written 13.6 %"
    )


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
    power_down
        A channel that a refresh finds idle stays in power-down until it is wanted again, which
        then takes tXP longer.
    write_batch_bursts
        Writes that a channel gathers before its bus turns to them; the default is that of the
        command-level controller, against which this model's error is stated.
    """

    def __init__(self, device: DramDevice | str, *, channels: int, interleave_bytes: int,
                 mapping: str, data_rate_mt_s: float | None = None,
                 refresh: bool = True, power_down: bool = False,
                 write_batch_bursts: int = WRITE_BATCH_BURSTS) -> None:  # fmt: skip
        self.device = load_device(device) if isinstance(device, str) else device
        rate = self.device.data_rate_mt_s.value if data_rate_mt_s is None else data_rate_mt_s
        self.data_rate_mt_s = round(rate)
        self.channels = int(channels)
        self._parameters = _parameters(
            self.device, self.data_rate_mt_s, self.channels, int(interleave_bytes), mapping,
            refresh, power_down,
        )  # fmt: skip
        self._parameters[ch.P_BATCH] = write_batch_bursts
        self._burst_bytes = self.device.burst_bytes
        self._beats = int(self.device.organisation.beats_per_clock.value)
        self._memory = split.idle_memory(self._parameters)

    def serve(self, now_ps: int, address: I64, size: I64, write: bool) -> int:
        """Return when a stream that starts at ``now_ps`` has moved its last byte (picoseconds).

        ``address`` and ``size`` (bytes, > 0) are the stream's runs, in the order they are asked
        for. Partial bursts at the ends of a run move whole; a burst that ends a run and begins the
        next moves once.
        """
        rate, scale = self.data_rate_mt_s, self._beats * 10**6
        now = -(-now_ps * rate // scale)
        finish = now
        for first in range(0, address.size, _RUNS_PER_CALL):
            last = min(first + _RUNS_PER_CALL, address.size)
            finish = int(_serve(self._memory, now, address, size, first, last, write))
        return -(-finish * scale // rate) if finish > now else now_ps

    def compiled(self) -> tuple[split.Memory, int, int]:
        """Return what compiled code needs to serve streams of this model itself.

        What :func:`archsim.sim.dram.split.serve` takes first, and the clock: so many clocks take so
        many picoseconds.
        """
        return self._memory, self.data_rate_mt_s, self._beats * 10**6

    @property
    def burst_bytes(self) -> int:
        """Bytes of one burst: the smallest amount that moves."""
        return self._burst_bytes

    @property
    def peak_bytes_per_s(self) -> float:
        """Bytes per second that all channels' pins move at most."""
        return self.channels * self.device.bandwidth_gb_s(self.data_rate_mt_s) * 1e9

    @property
    def served_bytes(self) -> int:
        """Bytes moved over the pins so far, in whole bursts, all channels together."""
        return int(self._memory.shared[split.H_BURSTS]) * self._burst_bytes

    def counts(self, elapsed_ps: int) -> dict[str, int]:
        """Return the counters of a run that took ``elapsed_ps``.

        All channels together: ``activates`` (each with its precharge), ``row_hits``,
        ``read_bursts``, ``write_bursts``, ``refreshes`` (of all banks; they go on while nothing
        is served) and ``bytes`` over the pins. By channel N: ``busy_ps/N``, when its data pins
        moved data, ``active_ps/N``, when it had a piece in service and so an open row, and
        ``power_down_ps/N``; a channel with nothing to do counts as precharged.
        """
        by_channel = self._memory.channels
        total = by_channel.sum(axis=0)
        elapsed = elapsed_ps * self.data_rate_mt_s // (self._beats * 10**6)
        counts = {
            "activates": int(total[ch.C_ACTIVATES]),
            "row_hits": int(total[ch.C_HITS]),
            "read_bursts": int(total[ch.C_READS]),
            "write_bursts": int(total[ch.C_WRITES]),
            "refreshes": self.channels * int(elapsed // self._parameters[ch.P_INTERVAL]),
            "bytes": self.served_bytes,
        }
        for index, row in enumerate(by_channel.tolist()):
            busy = (row[ch.C_READS] + row[ch.C_WRITES]) * self.device.burst_clocks
            counts[f"busy_ps/{index}"] = self._to_ps(busy)
            counts[f"active_ps/{index}"] = self._to_ps(row[ch.C_ACTIVE])
            counts[f"power_down_ps/{index}"] = self._to_ps(row[ch.C_ASLEEP])
        return counts

    def _to_ps(self, clocks: int) -> int:
        return self.device.clocks_to_ps(clocks, self.data_rate_mt_s)


def _parameters(device: DramDevice, rate: int, channels: int, interleave_bytes: int, mapping: str,
                refresh: bool, power_down: bool) -> I64:  # fmt: skip
    """Return the compiled code's constants: organisation in bits, timing in clocks of ``rate``."""
    if channels < 1:
        raise ConfigError(f"a memory system has {channels} DRAM channels, fewer than one")
    if interleave_bytes < 1 or interleave_bytes % device.burst_bytes:
        raise ConfigError(
            f"DRAM channels take turns every {interleave_bytes} bytes, which is not a multiple of "
            f"the {device.burst_bytes}-byte burst of {device.name}"
        )
    bits = map_device(mapping, device)

    device_in_clocks = device_clocks(device, rate)
    t = device_in_clocks.timings
    standard = load_standard(device.standard)

    def lengths(*commands: str) -> int:
        return sum(standard.command_clocks.get(c, 1) for c in commands if c in standard.commands)

    # the command bus never binds where a lone burst's commands take no longer than its data, or
    # where rows have a bus of their own
    row_commands = lengths("ACT", "ACT1", "ACT2", "PREpb")
    if standard.buses or lengths("RD") + row_commands <= t["nBL"]:
        row_commands = 0
    read_to_write, write_to_read = _turns(device_in_clocks)
    interval, closed = t["nREFI"], t["nRPab"] + t["nRFC"]
    if not refresh:
        interval, closed = 1 << 40, 0
    block = interleave_bytes // device.burst_bytes
    stripe = 1 << (bits.low_column_bits + bits.spread_bits + bits.column_bits)
    # the most bursts at successive addresses that no channel finds in more than one stripe
    unit = channels * stripe if stripe % block == 0 else math.gcd(stripe, block)
    values = {
        ch.P_CHANNELS: channels,
        ch.P_BURST_BYTES: device.burst_bytes,
        ch.P_BURST_BITS: _bits(device.burst_bytes),
        ch.P_BLOCK: block,
        ch.P_BLOCK_BITS: _bits(block),
        ch.P_CHANNEL_BITS: _bits(channels),
        ch.P_PERIOD: block * channels,
        ch.P_PERIOD_BITS: _bits(block * channels),
        ch.P_UNIT: unit,
        ch.P_UNIT_BITS: _bits(unit),
        ch.P_LOW: bits.low_column_bits,
        ch.P_SPREAD: bits.spread_bits,
        ch.P_COLUMN: bits.column_bits,
        ch.P_BANK: bits.bank_bits,
        ch.P_GROUPS: int(device.organisation.bank_groups.value),
        ch.P_BANKS: device.banks,
        ch.P_RCD: t["nRCD"],
        ch.P_RP: t["nRP"],
        ch.P_RAS: t["nRAS"],
        ch.P_RC: t["nRC"],
        ch.P_ACT: max(t["nRRDS"], -(-t["nFAW"] // 4)),
        ch.P_RTP: t["nRTP"],
        ch.P_WR_PRE: t["nCWL"] + t["nBL"] + t["nWR"],
        ch.P_CCD: t["nCCDS"],
        ch.P_CCD_L: t["nCCDL"],
        ch.P_CL: t["nCL"],
        ch.P_CWL: t["nCWL"],
        ch.P_BURST: t["nBL"],
        ch.P_READ_TO_WRITE: read_to_write,
        ch.P_WRITE_TO_READ: write_to_read,
        ch.P_AVAILABLE: interval - closed,
        ch.P_INTERVAL: interval,
        ch.P_WINDOW: WINDOW_BURSTS,
        ch.P_COLUMN_COMMAND: lengths("RD"),
        ch.P_ROW_COMMANDS: row_commands,
        ch.P_CCD_L_WRITE: t["nCCDL_WR"],
        ch.P_RCD_WRITE: t["nRCDWR"],
        ch.P_WAKE: t["nXP"] if power_down else 0,
        ch.P_LATE: LATE_EIGHTHS,
    }
    parameters = np.zeros(ch.P_COUNT, np.int64)
    for index, value in values.items():
        parameters[index] = value
    return parameters


def turn_clocks(device: DramDevice, rate: int) -> int:
    """Return the clocks that a channel's data pins lose by turning to writes and back to reads."""
    return sum(_turns(device_clocks(device, rate)))


def _turns(device: DramClocks) -> tuple[int, int]:
    """Return the clocks without data between a read and a write, and between a write and a read."""
    constraints, data = standard_constraints(device), device.timings["nBL"]
    return _between("RD", "WR", constraints) - data, _between("WR", "RD", constraints) - data


def _bits(number: int) -> int:
    """Return the logarithm of a power of two, -1 for other numbers."""
    return number.bit_length() - 1 if number & (number - 1) == 0 else -1


@njit()
def _serve(memory: split.Memory, now: int, address: I64, size: I64, first: int, last: int,
           write: bool) -> int:  # fmt: skip
    return split.serve(memory, now, address, size, 0, address.size, first, last, write)


def _between(first: str, second: str, constraints: tuple[TimingConstraint, ...]) -> int:
    """Return the clocks from a command to another, of another bank group."""
    return max(
        int(c.clocks)
        for c in constraints
        if c.scope in ("channel", "rank") and not c.sibling
        and first in c.after and second in c.before
    )  # fmt: skip
