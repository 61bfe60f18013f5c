"""Filter bank: equal pipelines that take items in turn, and what travels beside them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from archsim.rtl.blocks.fifo import StreamFifo
from archsim.rtl.flow.pipeline import Pipeline

__all__ = ["FilterBank"]


class FilterBank(wiring.Component):
    """Deals items to ``copies`` pipelines and collects the results in order.

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
        m.submodules.side = side = StreamFifo(shape=self.side, depth=depth)
        dealt, collected = Signal(range(copies)), Signal(range(copies))
        m.d.comb += [side.i.payload.eq(self.i.payload.side),
                     self.o.payload.side.eq(side.o.payload)]  # fmt: skip
        for number, pipeline in enumerate(self.pipelines):
            m.submodules[f"pipeline_{number}"] = pipeline
            for name in pipeline.graph.ports:
                m.d.comb += getattr(pipeline, name).eq(getattr(self, name))
            m.d.comb += pipeline.i.payload.eq(self.i.payload.item)
            with m.If(dealt == number):
                m.d.comb += [
                    # offered only when both take it, so that no offer is withdrawn
                    self.i.ready.eq(pipeline.i.ready & side.i.ready),
                    pipeline.i.valid.eq(self.i.valid & self.i.ready),
                    side.i.valid.eq(self.i.valid & self.i.ready),
                ]
            with m.If(collected == number):
                m.d.comb += [
                    self.o.valid.eq(pipeline.o.valid & side.o.valid),
                    self.o.payload.result.eq(pipeline.o.payload),
                    pipeline.o.ready.eq(self.o.ready & side.o.valid),
                    side.o.ready.eq(self.o.ready & pipeline.o.valid),
                ]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += dealt.eq(_next(dealt, copies))
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += collected.eq(_next(collected, copies))
        return m


def _next(number: Signal, copies: int) -> Any:
    return Mux(number == copies - 1, 0, number + 1)
