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
        left = Signal(self.width)  # items held, a bit for each: what moves them needs no count
        remaining = Signal.like(self.items)  # items not yet taken
        active, final = Signal(), Signal()  # some remain; one does
        read = Signal()  # the block on the port is that of the row
        taken, ends, moves, load = Signal(), Signal(), Signal(), Signal()
        m.d.comb += [
            self.idle.eq(~active),
            self.o.valid.eq(left[0]),
            self.o.payload.item.eq(held[0]),
            self.o.payload.last.eq(final),
            taken.eq(self.o.valid & self.o.ready),
            ends.eq(taken & final),
            # what enables the items and what chooses between them are apart: each drives them all
            moves.eq(Mux(left[0], self.o.ready, read)),
            load.eq(read & ~left[1]),
        ]
        with m.If(taken):
            m.d.sync += [remaining.eq(remaining - 1), final.eq(remaining == 2)]
        m.d.sync += read.eq(active & ~(moves & load) & ~ends)
        with m.If(moves):
            m.d.sync += [
                left.eq(Mux(load, (1 << self.width) - 1, left >> 1)),
                self.row.eq(self.row + load),
                *(held[n].eq(Mux(load, self.block[n], following))
                  for n, following in enumerate([*held[1:], held[-1]])),
            ]  # fmt: skip
        with m.If(ends):
            m.d.sync += [active.eq(0), left.eq(0)]
        with m.If(self.start):
            m.d.sync += [
                active.eq(1), final.eq(self.items == 1), remaining.eq(self.items),
                self.row.eq(0), read.eq(0),
            ]  # fmt: skip
        return m
