"""Memory reader: ranges of beats as bursts, never more than there is room for."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from archsim.rtl.blocks.fifo import StreamFifo
from archsim.rtl.tools.columns import Columns

__all__ = ["MemoryReader", "range_layout"]


def range_layout(address_bits: int, count_bits: int) -> data.StructLayout:
    """Return the layout of a range: first beat and number of beats."""
    return data.StructLayout({"address": address_bits, "count": count_bits})


class MemoryReader(wiring.Component):
    """Reads ranges in order.

    Parameters
    ----------
    width, address_bits, count_bits
        Bits of a beat, of its address and of a range's count.
    burst
        Beats that one request asks for at most.
    depth
        Beats that are asked for or held at once.

    Members
    -------
    i : stream
        Ranges of at least one beat.
    request, response : stream
        To the memory, and its beats in order.
    o : stream
        The ranges' beats.
    """

    def __init__(self, *, width: int, address_bits: int, count_bits: int, burst: int, depth: int):
        if not 1 <= burst <= depth:
            raise ValueError(f"burst must be 1 to depth ({depth!r}), not {burst!r}")
        self.burst, self.depth, self.width = burst, depth, width
        ranges = range_layout(address_bits, count_bits)
        burst_bits = burst.bit_length()
        super().__init__(
            {
                "i": In(stream.Signature(ranges)),
                "request": Out(stream.Signature(range_layout(address_bits, burst_bits))),
                "response": In(stream.Signature(width)),
                "o": Out(stream.Signature(width)),
            }
        )

    @property
    def latency(self) -> int:
        """Cycles from a range taken to its first request offered."""
        return 1

    def model(self, i: Columns) -> Columns:
        """Return the requests for a stream of ranges."""
        import numpy as np

        assert isinstance(i, dict)
        count = np.asarray(i["count"], np.int64)
        bursts = -(-count // self.burst)
        owner = np.repeat(np.arange(count.size), bursts)
        rank = np.arange(owner.size) - np.repeat(np.cumsum(bursts) - bursts, bursts)
        address = np.asarray(i["address"], np.int64)[owner] + rank * self.burst
        return {
            "address": address,
            "count": np.minimum(count[owner] - rank * self.burst, self.burst),
        }

    def elaborate(self, platform: Any) -> Module:
        """Build the request generator and the FIFO of beats."""
        m = Module()
        m.submodules.beats = beats = StreamFifo(shape=self.width, depth=self.depth)
        wiring.connect(m, wiring.flipped(self.response), beats.i)
        wiring.connect(m, beats.o, wiring.flipped(self.o))
        active = Signal()
        left = Signal.like(self.i.payload.count, reset_less=True)
        address = Signal.like(self.i.payload.address, reset_less=True)
        room = Signal(range(self.depth + 1), init=self.depth)
        size, fire, last = Signal(range(self.burst + 1)), Signal(), Signal()
        m.d.comb += [
            size.eq(Mux(left > self.burst, self.burst, left)),
            last.eq(left <= self.burst),
            self.request.valid.eq(active & (room >= size)),
            self.request.payload.address.eq(address),
            self.request.payload.count.eq(size),
            fire.eq(self.request.valid & self.request.ready),
            self.i.ready.eq(~active | (fire & last)),
        ]
        with m.If(fire):
            m.d.sync += [left.eq(left - size), address.eq(address + size), active.eq(~last)]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [
                active.eq(1), left.eq(self.i.payload.count), address.eq(self.i.payload.address),
            ]  # fmt: skip
        freed = self.o.valid & self.o.ready
        m.d.sync += room.eq(room - Mux(fire, size, 0) + freed)
        return m
