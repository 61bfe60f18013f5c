"""Collects single items into blocks of the network's width."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["BlockCollector"]


class BlockCollector(wiring.Component):
    """Shifts items in; a full block, or a list's last one, leaves in the cycle after.

    Places that stay empty hold an item whose top bit is set: it sorts behind all others.

    Members
    -------
    i
        Items of a list, ``last`` on its end. Always taken: who joins it holds ``ready``.
    o
        Blocks of ``width`` items of ``bits`` + 1 bits.
    """

    def __init__(self, *, width: int, bits: int):
        self.width = width
        self.bits = bits
        item = data.StructLayout({"item": bits, "last": 1})
        block = data.ArrayLayout(unsigned(bits + 1), width)
        super().__init__(
            {
                "i": In(stream.Signature(item, always_ready=True)),
                "o": Out(stream.Signature(block, always_ready=True)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Describe the hardware."""
        m = Module()
        items = [Signal(self.bits, name=f"item_{n}", reset_less=True) for n in range(self.width)]
        empty = [Signal(init=1, name=f"empty_{n}") for n in range(self.width)]
        taken = Signal(range(self.width))
        m.d.comb += [self.o.payload[n].eq(Cat(items[n], empty[n])) for n in range(self.width)]
        ends = self.i.payload.last | (taken == self.width - 1)
        m.d.sync += self.o.valid.eq(self.i.valid & ends)
        with m.If(self.o.valid):
            m.d.sync += [one.eq(1) for one in empty]
        with m.If(self.i.valid):
            m.d.sync += [
                taken.eq(Mux(ends, 0, taken + 1)),
                items[0].eq(self.i.payload.item),
                empty[0].eq(0),
            ]
            for n in range(1, self.width):
                m.d.sync += [
                    items[n].eq(items[n - 1]),
                    empty[n].eq(empty[n - 1] | self.o.valid),
                ]
        return m
