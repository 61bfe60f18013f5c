"""A FIFO between two streams."""

from __future__ import annotations

from typing import Any

import numpy as np
from amaranth.hdl import Assert, Module, Shape, Value
from amaranth.lib import fifo, stream, wiring
from amaranth.lib.wiring import In, Out

from archsim.rtl.blocks.contract import assert_stable
from archsim.rtl.tools.columns import Columns

__all__ = ["StreamFifo"]

_DISTRIBUTED_DEPTH = 4  # up to here registers or LUT memory, read at once; a block RAM beyond


class StreamFifo(wiring.Component):
    """Keeps up to ``depth`` payloads in order and moves one in and one out in every cycle.

    Parameters
    ----------
    shape
        Of the payload.
    depth
        Payloads that it holds, at least 1.

    Members
    -------
    i, o
        In and out; ``o`` offers a payload at the earliest a cycle after ``i`` took it (shallow
        FIFOs) or two.
    level
        Payloads held, 0 to ``depth``.
    """

    def __init__(self, *, shape: Any, depth: int):
        if not isinstance(depth, int) or depth < 1:
            raise ValueError(f"depth must be a positive integer, not {depth!r}")
        self.shape = shape
        self.depth = depth
        super().__init__(
            {
                "i": In(stream.Signature(shape)),
                "o": Out(stream.Signature(shape)),
                "level": Out(range(depth + 1)),
            }
        )

    @property
    def latency(self) -> int:
        """Cycles from a payload's entry to its offer, through an empty FIFO."""
        return 1 if self.depth <= _DISTRIBUTED_DEPTH else 2

    def elaborate(self, platform: object) -> Module:
        """Describe the hardware."""
        m = Module()
        kind = fifo.SyncFIFO if self.depth <= _DISTRIBUTED_DEPTH else fifo.SyncFIFOBuffered
        m.submodules.fifo = inner = kind(width=Shape.cast(self.shape).width, depth=self.depth)
        m.d.comb += [
            inner.w_data.eq(Value.cast(self.i.payload)),
            inner.w_en.eq(self.i.valid),
            self.i.ready.eq(inner.w_rdy),
            Value.cast(self.o.payload).eq(inner.r_data),
            self.o.valid.eq(inner.r_rdy),
            inner.r_en.eq(self.o.ready),
            self.level.eq(inner.level),
            Assert(self.level <= self.depth, "a FIFO holds more than its depth"),
        ]
        assert_stable(m, self.o, "fifo_o")
        return m

    def model(self, i: Columns) -> Columns:
        """Return what leaves: all that entered, in order."""
        return i if isinstance(i, dict) else np.asarray(i)
