"""Coarse feeder: a visit's context joins each of its Gaussians' records from memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from amaranth.hdl import Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from archsim.rtl.blocks.tile_controller import ADDRESS_BITS, COUNT_BITS
from archsim.rtl.blocks.tokens import TILE_BITS, flags_layout
from archsim.rtl.format import FLOAT

__all__ = ["CONTEXT", "CoarseFeeder", "context_layout", "side_layout"]

#: Floats that all Gaussians of a visit share.
CONTEXT = ("corner_x", "corner_y", "corner_z", "centre_x", "centre_y")
_PLACE = 16


def context_layout() -> data.StructLayout:
    """Return the layout of a visit's context."""
    return data.StructLayout(
        {**dict.fromkeys(CONTEXT, FLOAT.width), "start": ADDRESS_BITS, "count": COUNT_BITS,
         "tile": TILE_BITS, "last": 1}
    )  # fmt: skip


def side_layout() -> data.StructLayout:
    """Return what passes the coarse filter beside the item: its fine record and flags."""
    return data.StructLayout({"record": ADDRESS_BITS, "flags": flags_layout()})


class CoarseFeeder(wiring.Component):
    """Makes the coarse filters' items.

    Records of a tile that needs nothing more are taken from memory, but only the last of a visit
    goes on, as a mere end.

    Members
    -------
    contexts, beats : stream
        Visits' contexts; records (x, y, z, size, 16 bits each), as many as the context counts.
    o : stream
        ``item`` and ``side`` for a :class:`archsim.rtl.blocks.filter_bank.FilterBank`.
    stopped, stopped_tile : In
        Whether the tile of that number needs nothing more.
    loaded, dropped : Out
        Counters of records taken, and of records dropped for a stopped tile.
    """

    def __init__(self) -> None:
        item = data.StructLayout(
            {"x": _PLACE, "y": _PLACE, "z": _PLACE, "size": _PLACE,
             **dict.fromkeys(CONTEXT, FLOAT.width)}
        )  # fmt: skip
        super().__init__(
            {
                "contexts": In(stream.Signature(context_layout())),
                "beats": In(stream.Signature(64)),
                "o": Out(
                    stream.Signature(data.StructLayout({"item": item, "side": side_layout()}))
                ),
                "stopped": In(1),
                "stopped_tile": In(TILE_BITS),
                "loaded": Out(32),
                "dropped": Out(32),
            }
        )

    @property
    def latency(self) -> int:
        """Cycles from a record to its item."""
        return 1

    def model(
        self, contexts: Mapping[str, Any], beats: Any, ports: Mapping[str, int]
    ) -> dict[str, Any]:
        """Return the items while ``stopped`` and ``stopped_tile`` stay as they are.

        What an end without a record carries of one is masked.
        """
        items = np.maximum(contexts["count"], 1)
        visit = np.repeat(np.arange(items.size), items)
        rank = np.arange(visit.size) - np.repeat(np.cumsum(items) - items, items)
        own = {name: np.asarray(column, np.int64)[visit] for name, column in contexts.items()}
        empty, last = own["count"] == 0, rank + 1 == items[visit]
        stop = (own["tile"] == ports["stopped_tile"]) & bool(ports["stopped"])
        goes = ~stop | last
        record = np.asarray(beats, np.uint64)[np.maximum(np.cumsum(~empty) - 1, 0)]
        words = {
            name: np.ma.array((record >> np.uint64(k * _PLACE) & 0xFFFF).astype(np.int64),
                              mask=empty)[goes]
            for k, name in enumerate(("x", "y", "z", "size"))
        }  # fmt: skip
        flags = {
            "real": ~empty & ~stop, "end_list": last, "end_tile": last & (own["last"] == 1),
            "tile": own["tile"],
        }  # fmt: skip
        return {"o": {
            "item": {**words, **{name: own[name][goes] for name in CONTEXT}},
            "side": {"record": (own["start"] + rank)[goes],
                     "flags": {name: flag.astype(np.int64)[goes] for name, flag in flags.items()}},
        }}  # fmt: skip

    def elaborate(self, platform: Any) -> Module:
        """Build the join, with a register behind it."""
        m = Module()
        context, out = self.contexts.payload, self.o.payload
        index = Signal(COUNT_BITS)
        empty, last, stop, ready = Signal(), Signal(), Signal(), Signal()
        take, send = Signal(), Signal()
        m.d.comb += [
            empty.eq(context.count == 0),
            last.eq(empty | (index + 1 == context.count)),
            stop.eq(self.stopped & (self.stopped_tile == context.tile)),
            ready.eq(~self.o.valid | self.o.ready),
            # a dropped record needs no room behind
            take.eq(self.contexts.valid & (self.beats.valid | empty) & (ready | (stop & ~last))),
            send.eq(take & (~stop | last)),
            self.beats.ready.eq(take & ~empty),
            self.contexts.ready.eq(take & last),
        ]
        with m.If(ready):
            m.d.sync += self.o.valid.eq(send)
        with m.If(send):
            words = [self.beats.payload[k * _PLACE : (k + 1) * _PLACE] for k in range(4)]
            m.d.sync += [out["item"][n].eq(word) for n, word in zip(("x", "y", "z", "size"), words)]
            m.d.sync += [out["item"][name].eq(context[name]) for name in CONTEXT]
            m.d.sync += [
                out.side.record.eq(context.start + index),
                out.side.flags.real.eq(~empty & ~stop),
                out.side.flags.end_list.eq(last),
                out.side.flags.end_tile.eq(last & context.last),
                out.side.flags.tile.eq(context.tile),
            ]
        with m.If(take & ~empty):
            m.d.sync += [index.eq(index + 1), self.loaded.eq(self.loaded + 1)]
            with m.If(last):
                m.d.sync += index.eq(0)
            with m.If(stop):
                m.d.sync += self.dropped.eq(self.dropped + 1)
        return m
