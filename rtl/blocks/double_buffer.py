"""A double buffer: one half is filled while the other is drained."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Array, Assert, Cat, Module, Mux, Shape, Signal, Value
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from archsim.rtl.blocks.contract import assert_stable
from archsim.rtl.tools.columns import Columns

__all__ = ["DoubleBuffer", "packet"]


def packet(shape: Any) -> data.StructLayout:
    """Return the payload of a stream of packets: ``data``, and ``last`` on each packet's end."""
    return data.StructLayout({"data": shape, "last": 1})


class DoubleBuffer(wiring.Component):
    """Takes packets into one half of a memory while the packet in the other half leaves.

    A packet is offered once its last item, or its ``depth``-th, has been taken: a longer packet is
    cut, and each piece but the final one leaves with ``last`` low, so that none is lost. Filling
    waits while both halves hold a packet.

    Parameters
    ----------
    shape
        Of an item's ``data``.
    depth
        Items of each half, at least 2.

    Members
    -------
    i, o
        In and out, with the payload of :func:`packet`.
    full
        Halves that hold a whole packet, 0 to 2.
    """

    def __init__(self, *, shape: Any, depth: int):
        if not isinstance(depth, int) or depth < 2:
            raise ValueError(f"depth must be an integer of at least 2, not {depth!r}")
        self.shape = shape
        self.depth = depth
        payload = packet(shape)
        super().__init__(
            {
                "i": In(stream.Signature(payload)),
                "o": Out(stream.Signature(payload)),
                "full": Out(range(3)),
            }
        )

    #: Cycles from a packet's last item in to its first item offered, with the other half empty.
    latency = 2

    def elaborate(self, platform: object) -> Module:
        """Describe the hardware."""
        m = Module()
        width = Shape.cast(self.shape).width + 1
        index = range(self.depth)
        rows = 1 << (self.depth - 1).bit_length()  # of each half, so that the half is one bit
        m.submodules.memory = ram = memory.Memory(shape=width, depth=2 * rows, init=[])
        write, read = ram.write_port(), ram.read_port()

        filling, draining = Signal(), Signal()  # the half that is filled, that is drained
        holds = Array([Signal(name="holds_0"), Signal(name="holds_1")])  # a whole packet
        ends = Array([Signal(index, name=f"end_{half}", reset_less=True) for half in range(2)])
        at, out = Signal(index), Signal(index)
        last_in = Signal()
        m.d.comb += [
            self.i.ready.eq(~holds[filling]),
            write.addr.eq(Cat(at, filling)),
            write.data.eq(Value.cast(self.i.payload)),
            write.en.eq(self.i.valid & self.i.ready),
            last_in.eq(self.i.payload.last | (at == self.depth - 1)),
            self.full.eq(holds[0] + holds[1]),
        ]
        with m.If(write.en):
            m.d.sync += at.eq(Mux(last_in, 0, at + 1))
            with m.If(last_in):
                m.d.sync += [holds[filling].eq(1), ends[filling].eq(at), filling.eq(~filling)]

        # the read port looks ahead: its row is the one offered in the next cycle
        offering, leaves, last_out = Signal(), Signal(), Signal()
        ahead, half = Signal(index), Signal()
        m.d.comb += [
            leaves.eq(offering & self.o.ready),
            last_out.eq(out == ends[draining]),
            ahead.eq(Mux(leaves, Mux(last_out, 0, out + 1), out)),
            half.eq(Mux(leaves & last_out, ~draining, draining)),
            read.addr.eq(Cat(ahead, half)),
            self.o.valid.eq(offering),
            Value.cast(self.o.payload).eq(read.data),
        ]
        m.d.sync += [
            Assert(~offering | holds[draining], "an empty half is drained"),
            Assert(~write.en | ~holds[filling], "a full half is filled"),
        ]
        m.d.sync += [out.eq(ahead), draining.eq(half), offering.eq(holds[half])]
        with m.If(leaves & last_out):
            m.d.sync += holds[draining].eq(0)
        assert_stable(m, self.o, "double_o")
        return m

    def model(self, i: Columns) -> Columns:
        """Return what leaves: all that entered, in order, ``last`` where it was."""
        return i
