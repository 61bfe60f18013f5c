"""Streams of byte ranges, cut into pieces by channel and row: the row-level model's outer loop.

Channels take turns every *block* of bytes, so that all of them come to the end of a row at the same
address. Between two such addresses, a *unit*, a stream has at most one piece on every channel,
however many runs it has there: a run only adds to the bursts pending by channel.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from archsim.base.jit import njit
from archsim.sim.dram import channel as ch
from archsim.sim.dram.channel import serve_piece, turn_round

__all__ = ["H_BURSTS", "Memory", "idle_memory", "serve"]

I64 = npt.NDArray[np.int64]

# What all channels share: bursts moved so far; the number of the stream in service, its bursts per
# channel, the unit that its pending bursts lie in (-1: none), its last column command; the channels
# on which anything is pending: the first, and the one past the last.
(
    H_BURSTS, H_STREAM, H_SHARE, H_UNIT, H_TURNS, H_NEXT, H_LAST, H_FIRST, H_END, H_COUNT,
) = range(10)  # fmt: skip


class Memory(NamedTuple):
    """The parameters and the state of a memory system of so many channels; all int64.

    Attributes
    ----------
    parameters
        The P_ columns of :mod:`archsim.sim.dram.channel`, the same for all channels.
    channels : (channels, columns)
        Its state by channel, as that module has it.
    shared
        The H_ columns.
    pending : (channels,)
        Bursts pending by channel, as :func:`serve` counts them.
    parts, newest
        The same by channel and bank of the spread, and the last burst by channel; of mappings
        with a spread.
    """

    parameters: I64
    channels: I64
    shared: I64
    pending: I64
    parts: I64
    newest: I64


def idle_memory(parameters: I64) -> Memory:
    """Return a memory system that has served nothing yet."""
    channels = int(parameters[ch.P_CHANNELS])
    return Memory(
        parameters=parameters,
        channels=ch.initial_channels(parameters),
        shared=np.zeros(H_COUNT, np.int64),
        pending=np.zeros(channels, np.int64),
        parts=np.zeros(channels << int(parameters[ch.P_SPREAD]), np.int64),
        newest=np.zeros(channels, np.int64),
    )


@njit(borrows=True)
def _over(value: int, by: int, bits: int) -> int:
    """Return value // by, where by is 2 ** bits unless bits is negative."""
    return value >> bits if bits >= 0 else value // by


@njit(borrows=True)
def _before(x: int, part: int, low: int, spread: int) -> int:
    """Return how many of bursts 0..x-1 of a channel fall to a bank of the spread."""
    block = x & ((1 << (low + spread)) - 1)
    inside = min(max(block - (part << low), 0), 1 << low)
    return ((x >> (low + spread)) << low) + inside


@njit(borrows=True)
def _serve_pending(memory: Memory, unit: int, turns: int, now: int, write: bool) -> None:
    """Serve what is pending of a unit, a piece on each channel that has any."""
    p, m, h, pending, parts, newest = memory
    channels, block, spread = p[ch.P_CHANNELS], p[ch.P_BLOCK], p[ch.P_SPREAD]
    stripe_bits = p[ch.P_LOW] + spread + p[ch.P_COLUMN]
    stripe = unit
    last = h[H_LAST]
    whole = turns  # blocks that every channel from c on has; over all channels, others sum to none
    for c in range(h[H_FIRST], h[H_END]):
        rest = np.int64(np.int32(pending[c]))
        whole -= (pending[c] - rest) >> 32
        count = whole * block + rest
        pending[c] = 0
        if count == 0:
            continue
        if m[c, ch.S_STREAM] != h[H_STREAM]:
            m[c, ch.S_STREAM] = h[H_STREAM]
            turn_round(p, m, c, max(count, h[H_SHARE]), write)
        if p[ch.P_UNIT] != p[ch.P_CHANNELS] << stripe_bits:
            stripe = _local(p, unit * p[ch.P_UNIT], c) >> stripe_bits
        if spread == 0:
            parts[c] = count
        done = serve_piece(p, m, c, now, stripe, parts, c << spread, count, newest[c], write)
        last = max(last, done)
        h[H_BURSTS] += count
        if spread > 0:
            for part in range(c << spread, (c + 1) << spread):
                parts[part] = 0
    h[H_LAST], h[H_FIRST], h[H_END] = last, channels, 0


@njit(borrows=True)
def _local(p: I64, x: int, c: int) -> int:
    """Return how many of bursts 0..x-1 lie on a channel."""
    block = p[ch.P_BLOCK]
    turns = _over(x, p[ch.P_PERIOD], p[ch.P_PERIOD_BITS])
    return int(turns * block + min(max(x - turns * p[ch.P_PERIOD] - c * block, 0), block))


@njit(borrows=True)
def serve(memory: Memory, now: int, address: I64, size: I64, begin: int, end: int,
          first: int, last: int, write: bool) -> int:  # fmt: skip
    """Serve a stream from clock ``now`` on; return the clock at which its last data has moved.

    ``address`` and ``size`` hold its runs in bytes from ``begin`` to ``end - 1``, of which this
    call serves ``first`` to ``last - 1``; the calls of one stream follow each other, and the last
    one returns what is asked for.

    Of burst x, in block B = x // block, a channel c has before it a block per turn, B // channels,
    one more if B % channels > c, and x % block more if B % channels = c. A run adds this at its
    end and takes it off at its begin: turns in one sum, the rest in ``pending`` by B % channels,
    blocks in the upper half and bursts in the lower. Bursts of one block are added to the lower
    half of its channel at once.
    """
    p, _, h, pending, parts, newest = memory
    available, interval, channels = p[ch.P_AVAILABLE], p[ch.P_INTERVAL], p[ch.P_CHANNELS]
    burst_bytes, burst_bits = p[ch.P_BURST_BYTES], p[ch.P_BURST_BITS]
    block, block_bits, channel_bits = p[ch.P_BLOCK], p[ch.P_BLOCK_BITS], p[ch.P_CHANNEL_BITS]
    unit_bursts, unit_bits, spread = p[ch.P_UNIT], p[ch.P_UNIT_BITS], p[ch.P_SPREAD]
    # clocks outside refreshes; a refresh ends every interval
    start = now // interval * available + min(now % interval, available)
    if first == begin:
        total = np.int64(0)
        for run in range(begin, end):
            total += size[run]
        h[H_STREAM] += 1
        h[H_SHARE] = total // (channels * burst_bytes)
        h[H_UNIT], h[H_LAST], h[H_TURNS], h[H_NEXT] = -1, -1, 0, -1
        h[H_FIRST], h[H_END] = channels, 0
    unit, turns, following = h[H_UNIT], h[H_TURNS], h[H_NEXT]
    run = first
    b = stop = 0  # the bursts left of the run
    while True:
        here = -1
        if b < stop:
            here = _over(b, unit_bursts, unit_bits)
        elif run < last:
            b = _over(address[run], burst_bytes, burst_bits)
            stop = _over(address[run] + size[run] - 1, burst_bytes, burst_bits) + 1
            b += b + 1 == following  # moved already, by the run before
            following = stop
            run += 1
            if b == stop:
                continue
            here = _over(b, unit_bursts, unit_bits)
        elif last < end:
            break  # what is pending waits for the next call
        if here != unit:
            if unit >= 0:
                _serve_pending(memory, unit, turns, start, write)
                turns = 0
            unit = here
        if here < 0:
            break
        upto = min(stop, (here + 1) * unit_bursts)
        at = _over(b, block, block_bits)
        if upto <= (at + 1) * block:
            turn = _over(at, channels, channel_bits)
            c = (at - turn * channels) & ch.INDEX
            pending[c] += upto - b
            h[H_FIRST], h[H_END] = min(h[H_FIRST], c), max(h[H_END], c + 1)
            if spread > 0:
                offset = (turn - at) * block  # from a burst's number to its number on the channel
                newest[c] = upto - 1 + offset
                for burst in range(b + offset, upto + offset):
                    parts[(c << spread) + ((burst >> p[ch.P_LOW]) & ((1 << spread) - 1))] += 1
            b = upto
            continue
        h[H_FIRST], h[H_END] = 0, channels
        at_stop = _over(upto, block, block_bits)
        turn, turn_stop = _over(at, channels, channel_bits), _over(at_stop, channels, channel_bits)
        turns += turn_stop - turn
        pending[(at_stop - turn_stop * channels) & ch.INDEX] += (1 << 32) + upto - at_stop * block
        pending[(at - turn * channels) & ch.INDEX] -= (1 << 32) + b - at * block
        if spread > 0:
            _count_parts(p, parts, newest, b, upto)
        b = upto
    h[H_UNIT], h[H_TURNS], h[H_NEXT] = unit, turns, following
    if last < end or h[H_LAST] < 0:
        return now
    data_delay = p[ch.P_BURST] + (p[ch.P_CWL] if write else p[ch.P_CL])
    column = h[H_LAST]
    return int(max(column // available * interval + column % available + data_delay, now))


@njit(borrows=True)
def _count_parts(p: I64, parts: I64, newest: I64, b: int, stop: int) -> None:
    """Add bursts b..stop-1 to those pending by channel and bank of the spread."""
    low, spread = p[ch.P_LOW], p[ch.P_SPREAD]
    for c in range(p[ch.P_CHANNELS]):
        at, at_stop = _local(p, b, c), _local(p, stop, c)
        if at == at_stop:
            continue
        newest[c] = at_stop - 1
        for part in range(1 << spread):
            parts[(c << spread) + part] += _before(at_stop, part, low, spread) - _before(
                at, part, low, spread
            )
