"""A skid buffer: cuts every combinational path through a stream, at full rate."""

from __future__ import annotations

from typing import Any

import numpy as np
from amaranth.hdl import Module, Shape, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from archsim.rtl.blocks.contract import assert_stable
from archsim.rtl.tools.columns import Columns

__all__ = ["SkidBuffer"]


class SkidBuffer(wiring.Component):
    """Two registers: ``valid``, ``payload`` and ``ready`` all leave from flip-flops.

    A payload that arrives in the cycle in which the output stalls lands in the second register.

    Members
    -------
    i, o
        In and out; a payload is offered in the cycle after its entry.
    """

    latency = 1

    def __init__(self, *, shape: Any):
        self.shape = shape
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))})

    def elaborate(self, platform: object) -> Module:
        """Describe the hardware."""
        m = Module()
        width = Shape.cast(self.shape).width
        full = Signal()  # the output register offers
        spare_full = Signal()  # and the second one waits behind it
        held = Signal(width, reset_less=True)
        spare = Signal(width, reset_less=True)
        m.d.comb += [
            self.i.ready.eq(~spare_full),
            self.o.valid.eq(full),
            Value.cast(self.o.payload).eq(held),
        ]
        moves = Signal()
        m.d.comb += moves.eq(~full | self.o.ready)
        with m.If(moves):
            m.d.sync += [
                full.eq(spare_full | self.i.valid),
                spare_full.eq(0),
                held.eq(Value.cast(self.i.payload)),
            ]
            with m.If(spare_full):
                m.d.sync += held.eq(spare)
        with m.Elif(self.i.valid & self.i.ready):
            m.d.sync += spare_full.eq(1)
        with m.If(self.i.ready):
            m.d.sync += spare.eq(Value.cast(self.i.payload))
        assert_stable(m, self.o, "skid_o")
        return m

    def model(self, i: Columns) -> Columns:
        """Return what leaves: all that entered, in order."""
        return i if isinstance(i, dict) else np.asarray(i)
