"""Filter bank: equal pipelines that share items, and what travels beside them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from amaranth.hdl import Assert, Cat, Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from archsim.rtl.blocks.fifo import StreamFifo
from archsim.rtl.flow.pipeline import Pipeline

__all__ = ["FilterBank"]


class FilterBank(wiring.Component):
    """Deals items to ``copies`` pipelines and collects the results in order.

    An item goes to the first pipeline that can take it, and what travels beside it says to which.
    A fixed turn would not do: a pipeline takes an item in one cycle of its interval only, and items
    that come slowly at first, from a memory that is busy, would leave the pipelines in an order of
    these cycles in which each waits for the one before, until all are empty. For the same reason
    all stand still while one waits with a result: else those that have none would go ahead of their
    turn, and results come in another order than that in which they must leave.

    Parameters
    ----------
    make
        Returns a new pipeline.
    copies
        Pipelines side by side.
    side
        Layout of what an item carries past its pipeline, in a FIFO.

    Members
    -------
    i, o : stream
        ``item`` and ``side``; ``result`` and ``side``.
    """

    def __init__(self, *, make: Callable[[], Pipeline], copies: int, side: Any):
        if not isinstance(copies, int) or copies < 1:
            raise ValueError(f"copies must be a positive integer, not {copies!r}")
        self.pipelines = [make() for _ in range(copies)]
        first = self.pipelines[0]
        self.side = side
        self.interval = first.interval
        item, result = first.i.payload.shape(), first.o.payload.shape()
        super().__init__(
            {
                "i": In(stream.Signature(data.StructLayout({"item": item, "side": side}))),
                "o": Out(stream.Signature(data.StructLayout({"result": result, "side": side}))),
                **{n: In(node.shape.shape()) for n, node in first.graph.ports.items()},
            }
        )

    @property
    def latency(self) -> int:
        """Cycles from an item to its result, without stalls."""
        return self.pipelines[0].latency

    def model(self, i: Mapping[str, Any], ports: Mapping[str, int]) -> dict[str, Any]:
        """Return the results, with what went beside them."""
        return {"result": self.pipelines[0].model(i["item"], ports), "side": i["side"]}

    def elaborate(self, platform: Any) -> Module:
        """Build the deal, the pipelines and the collection."""
        m = Module()
        copies = len(self.pipelines)
        depth = copies * (self.latency // self.interval + 2)
        shape = data.StructLayout({"side": self.side, "by": range(copies)})
        m.submodules.side = side = StreamFifo(shape=shape, depth=depth)
        free, chosen, waits = Signal(), Signal(range(copies)), Signal()
        m.d.comb += [
            waits.eq(Cat(p.o.valid & ~p.o.ready for p in self.pipelines).any()),
            Assert(self.o.valid | ~Cat(p.o.valid for p in self.pipelines).any(),
                   "a result comes before its turn"),
        ]  # fmt: skip
        m.d.comb += [
            # offered only when both take it, so that no offer is withdrawn
            self.i.ready.eq(free & side.i.ready),
            side.i.valid.eq(self.i.valid & free),
            side.i.payload.side.eq(self.i.payload.side),
            side.i.payload.by.eq(chosen),
            self.o.payload.side.eq(side.o.payload.side),
        ]
        for number, pipeline in reversed(list(enumerate(self.pipelines))):
            m.submodules[f"pipeline_{number}"] = pipeline
            for name in pipeline.graph.ports:
                m.d.comb += getattr(pipeline, name).eq(getattr(self, name))
            with m.If(pipeline.i.ready):  # the first of those that can
                m.d.comb += [free.eq(1), chosen.eq(number)]
            m.d.comb += [
                pipeline.i.payload.eq(self.i.payload.item),
                pipeline.i.valid.eq(self.i.valid & self.i.ready & (chosen == number)),
                pipeline.halted.eq(waits),
            ]
            with m.If(side.o.payload.by == number):
                m.d.comb += [
                    self.o.valid.eq(pipeline.o.valid & side.o.valid),
                    self.o.payload.result.eq(pipeline.o.payload),
                    pipeline.o.ready.eq(self.o.ready & side.o.valid),
                    side.o.ready.eq(self.o.ready & pipeline.o.valid),
                ]
        return m
