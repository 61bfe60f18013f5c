"""Sends the items of sorted blocks one by one."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["BlockDrainer"]


class BlockDrainer(wiring.Component):
    """Reads blocks 0, 1, ... and offers ``items`` items of them, ``last`` on the final one.

    Members
    -------
    start, items
        Begins a list of so many items (at least one).
    idle
        Nothing is left to send.
    row
        Block that is read; ``block`` holds it in the next cycle.
    o
        The items.
    """

    def __init__(self, *, width: int, bits: int, rows: int):
        self.width = width
        item = data.StructLayout({"item": bits, "last": 1})
        super().__init__(
            {
                "start": In(1),
                "items": In(range(width * rows + 1)),
                "idle": Out(1),
                "row": Out(range(rows)),
                "block": In(data.ArrayLayout(unsigned(bits + 1), width)),
                "o": Out(stream.Signature(item)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Describe the hardware."""
        m = Module()
        bits = len(self.o.payload.item)
        held = [Signal(bits, name=f"held_{n}", reset_less=True) for n in range(self.width)]
        left = Signal(range(self.width + 1))  # items held
        remaining = Signal.like(self.items)  # items not yet taken
        read = Signal()  # the block on the port is that of the row
        taken, load = Signal(), Signal()
        m.d.comb += [
            self.idle.eq(remaining == 0),
            self.o.valid.eq(left != 0),
            self.o.payload.item.eq(held[0]),
            self.o.payload.last.eq(remaining == 1),
            taken.eq(self.o.valid & self.o.ready),
            load.eq(read & ((left == 0) | (taken & (left == 1)))),
        ]
        with m.If(taken):
            m.d.sync += [
                remaining.eq(remaining - 1),
                left.eq(Mux(remaining == 1, 0, left - 1)),
                *(held[n].eq(held[n + 1]) for n in range(self.width - 1)),
            ]
        m.d.sync += read.eq((remaining != 0) & ~load & ~(taken & (remaining == 1)))
        with m.If(load & ~(taken & (remaining == 1))):
            m.d.sync += [
                left.eq(self.width),
                self.row.eq(self.row + 1),
                *(held[n].eq(self.block[n]) for n in range(self.width)),
            ]
        with m.If(self.start):
            m.d.sync += [remaining.eq(self.items), self.row.eq(0), read.eq(0)]
        return m
