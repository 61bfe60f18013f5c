"""Fine fetch: survivors of the coarse filter get their record from memory and the codebooks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from amaranth.hdl import Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from archsim.rtl.blocks.coarse_feeder import side_layout
from archsim.rtl.blocks.fifo import StreamFifo
from archsim.rtl.blocks.fork import fork
from archsim.rtl.blocks.memory_reader import range_layout
from archsim.rtl.blocks.tile_controller import ADDRESS_BITS
from archsim.rtl.blocks.tokens import TILE_BITS, flags_layout
from archsim.rtl.format import FLOAT

__all__ = ["CARRIED", "FineFetch", "fine_side_layout"]

#: What the coarse filter computed and the fine filter goes on with.
CARRIED = ("u", "v", "reach", "px", "py")


def fine_side_layout() -> data.StructLayout:
    """Return what passes the fine filter beside the item."""
    return data.StructLayout({"depth": FLOAT.width, "opacity": 8, "flags": flags_layout()})


class FineFetch(wiring.Component):
    """Asks for the fine records of survivors and joins them with what the coarse filter found.

    An item that is not kept goes on only if it ends a list.

    Parameters
    ----------
    decoded
        Layout of the decoder's output.
    depth
        Survivors that wait for their record.

    Members
    -------
    i : stream
        The coarse filter bank's results.
    ranges : stream
        To the memory reader, one beat each.
    decoded : stream
        The records' parameters, in order.
    o : stream
        ``item`` and ``side`` of the fine filter bank.
    stopped, stopped_tile : In
        Whether the tile of that number needs nothing more.
    kept : Out
        Counter of survivors.
    """

    def __init__(self, *, decoded: data.StructLayout, depth: int):
        if not isinstance(depth, int) or depth < 1:
            raise ValueError(f"depth must be a positive integer, not {depth!r}")
        self.depth = depth
        floats = dict.fromkeys((*CARRIED, "depth"), FLOAT.width)
        result = data.StructLayout({"keep": 1, **floats})
        names = [name for name, _ in decoded if name != "opacity"]
        item = data.StructLayout(dict.fromkeys((*CARRIED, *names), FLOAT.width))
        self.names = names
        self.waiting = data.StructLayout({**floats, "flags": flags_layout()})
        super().__init__(
            {
                "i": In(stream.Signature(
                    data.StructLayout({"result": result, "side": side_layout()}))),
                "ranges": Out(stream.Signature(range_layout(ADDRESS_BITS, 1))),
                "decoded": In(stream.Signature(decoded)),
                "o": Out(stream.Signature(
                    data.StructLayout({"item": item, "side": fine_side_layout()}))),
                "stopped": In(1),
                "stopped_tile": In(TILE_BITS),
                "kept": Out(32),
            }
        )  # fmt: skip

    @property
    def latency(self) -> int:
        """Cycles from an item without record to its output."""
        return 3

    def model(
        self, i: Mapping[str, Any], decoded: Mapping[str, Any], ports: Mapping[str, int]
    ) -> dict[str, Any]:
        """Return requests and items while ``stopped`` and ``stopped_tile`` stay as they are.

        What an end without a record carries of one is masked.
        """
        flags = {name: np.asarray(column) for name, column in i["side"]["flags"].items()}
        real = (flags["real"] == 1) & (i["result"]["keep"] == 1)
        ends = flags["end_list"] == 1
        stop = (flags["tile"] == ports["stopped_tile"]) & bool(ports["stopped"])
        goes = (real | ends) & (~stop | ends)
        which = np.maximum(np.cumsum(real) - 1, 0)[goes]
        lacks = ~real[goes]
        fetched = {name: np.ma.array(column[which], mask=lacks)
                   for name, column in decoded.items()}  # fmt: skip
        opacity = fetched.pop("opacity")
        shown = {**{name: flag[goes] for name, flag in flags.items()},
                 "real": (real & ~stop)[goes].astype(np.int64)}  # fmt: skip
        return {
            "ranges": {"address": i["side"]["record"][real],
                       "count": np.ones(int(real.sum()), np.int64)},
            "o": {"item": {**{n: i["result"][n][goes] for n in CARRIED}, **fetched},
                  "side": {"depth": i["result"]["depth"][goes], "opacity": opacity,
                           "flags": shown}},
        }  # fmt: skip

    def elaborate(self, platform: Any) -> Module:
        """Build fork, queue and join."""
        m = Module()
        m.submodules.queue = queue = StreamFifo(shape=self.waiting, depth=self.depth)
        flags, result = self.i.payload.side.flags, self.i.payload.result
        real, wanted = Signal(), Signal()
        m.d.comb += [
            real.eq(flags.real & result.keep),
            wanted.eq(real | flags.end_list),
            self.ranges.payload.address.eq(self.i.payload.side.record),
            self.ranges.payload.count.eq(1),
            queue.i.payload.flags.eq(flags),
            queue.i.payload.flags.real.eq(real),
        ]
        m.d.comb += [queue.i.payload[n].eq(result[n]) for n in (*CARRIED, "depth")]
        fork(m, self.i, [(self.ranges, real), (queue.i, wanted)])
        with m.If(self.ranges.valid & self.ranges.ready):
            m.d.sync += self.kept.eq(self.kept + 1)

        head, out = queue.o.payload, self.o.payload
        ready, take, stop, send = Signal(), Signal(), Signal(), Signal()
        m.d.comb += [
            stop.eq(self.stopped & (self.stopped_tile == head.flags.tile)),
            ready.eq(~self.o.valid | self.o.ready),
            take.eq(queue.o.valid & (self.decoded.valid | ~head.flags.real)
                    & (ready | (stop & ~head.flags.end_list))),
            send.eq(take & (~stop | head.flags.end_list)),
            queue.o.ready.eq(take),
            self.decoded.ready.eq(take & head.flags.real),
        ]  # fmt: skip
        with m.If(ready):
            m.d.sync += self.o.valid.eq(send)
        with m.If(send):
            m.d.sync += [out["item"][n].eq(head[n]) for n in CARRIED]
            m.d.sync += [out["item"][n].eq(self.decoded.payload[n]) for n in self.names]
            m.d.sync += [
                out.side.depth.eq(head.depth),
                out.side.opacity.eq(self.decoded.payload.opacity),
                out.side.flags.eq(head.flags),
                out.side.flags.real.eq(head.flags.real & ~stop),
            ]
        return m
