"""List buffer: features of a voxel's survivors while their depths are sorted; two halves.

One half is filled while the list in the other is rendered in the order that the sorter gives. A
voxel with more survivors than a half has words is cut into several lists.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from archsim.rtl.blocks.fifo import StreamFifo
from archsim.rtl.blocks.render_unit import feature_layout
from archsim.rtl.blocks.tokens import flags_layout
from archsim.rtl.format import FLOAT
from archsim.rtl.parameters import COMMANDS

__all__ = ["KEY_BITS", "ListBuffer"]

#: A depth's exponent and fraction: positive floats compare as integers.
KEY_BITS = FLOAT.width - 1


class ListBuffer(wiring.Component):
    """Stores features, feeds the sorter, and reads the features in sorted order.

    Parameters
    ----------
    entries
        Words of a half, a power of two.

    Members
    -------
    i : stream
        ``feature``, ``key`` and ``flags``; a feature with an empty mask is dropped.
    keys, sorted : stream
        To and from the sorter: ``key``, ``value`` (number in the list) and ``last``.
    o : stream
        ``feature`` and ``end`` for the render unit.
    stored, lists, cut : Out
        Counters of features stored, of lists, and of lists that a full half ended.
    """

    def __init__(self, *, entries: int):
        if not isinstance(entries, int) or entries < 2 or entries & (entries - 1):
            raise ValueError(f"entries must be a power of two, not {entries!r}")
        self.entries = entries
        self.bits = (entries - 1).bit_length()
        item = data.StructLayout({"feature": feature_layout(), "key": KEY_BITS,
                                  "flags": flags_layout()})  # fmt: skip
        key = data.StructLayout({"key": KEY_BITS, "value": self.bits, "last": 1})
        super().__init__(
            {
                "i": In(stream.Signature(item)),
                "keys": Out(stream.Signature(key)),
                "sorted": In(stream.Signature(key)),
                "o": Out(stream.Signature(
                    data.StructLayout({"feature": feature_layout(), "end": 1}))),
                "stored": Out(32),
                "lists": Out(32),
                "cut": Out(32),
            }
        )  # fmt: skip

    @property
    def latency(self) -> int:
        """Cycles from a sorted number to its features."""
        return 1

    def model(self, i: Mapping[str, Any], sorted: Mapping[str, Any]) -> dict[str, Any]:
        """Return the keys of all lists and, for the order that ``sorted`` gives, the features.

        The features beside the end of a tile are masked.
        """
        kept = (i["flags"]["real"] == 1) & (i["feature"]["mask"] != 0)
        keys, list_of = self.lists_of(i)
        bounds = np.searchsorted(list_of, np.arange(list_of.max(initial=-1) + 2))
        place = bounds[list_of] + sorted["value"]
        # ends of tiles stand behind all that was kept before them
        ends = np.cumsum(kept)[i["flags"]["end_tile"] == 1]
        at = np.insert(place, ends, 0)
        end = np.insert(np.zeros(place.size, np.int64), ends, 1)
        feature = {name: np.ma.array(np.append(column[kept], 0)[at], mask=end == 1)
                   for name, column in i["feature"].items()}  # fmt: skip
        return {"keys": keys, "o": {"feature": feature, "end": end}}

    def lists_of(self, i: Mapping[str, Any]) -> tuple[dict[str, Any], Any]:
        """Return the keys of the lists that ``i`` makes, and the number of the list of each."""
        kept = (i["flags"]["real"] == 1) & (i["feature"]["mask"] != 0)
        voxel = (np.cumsum(i["flags"]["end_list"]) - i["flags"]["end_list"])[kept]
        rank = np.arange(voxel.size) - np.searchsorted(voxel, voxel)
        starts = rank % self.entries == 0
        last = np.append(starts[1:], True)[: starts.size].astype(np.int64)
        keys = {"key": i["key"][kept], "value": rank % self.entries, "last": last}
        return keys, np.cumsum(starts) - 1

    def elaborate(self, platform: Any) -> Module:
        """Build the memory between a filling and a reading side."""
        m = Module()
        memory = Memory(shape=feature_layout(), depth=2 * self.entries, init=[])
        m.submodules.features = memory
        command = data.StructLayout({"list": 1, "end_tile": 1})
        m.submodules.commands = commands = StreamFifo(shape=command, depth=COMMANDS)
        free = Signal(2, init=3)  # halves that the reading side is done with
        taken, given = Signal(2), Signal(2)
        m.d.sync += free.eq((free & ~taken) | given)
        self._fill(m, memory.write_port(), commands.i, free, taken)
        self._read(m, memory.read_port(), commands.o, given)
        return m

    def _fill(self, m: Module, write: Any, commands: Any, free: Signal, taken: Signal) -> None:
        """Store features; the last key is held back until it is known to be the list's last."""
        payload = self.i.payload
        half = Signal()
        count = Signal(self.bits + 1)
        held_key, held = Signal(KEY_BITS, reset_less=True), Signal()
        closing, end_tile, full = Signal(), Signal(), Signal()
        kept, room, accept = Signal(), Signal(), Signal()
        m.d.comb += [
            kept.eq(payload.flags.real & (Value.cast(payload.feature.mask) != 0)),
            room.eq((count != 0) | free.bit_select(half, 1)),
            # a key waits in front of the sorter while the next one comes
            accept.eq(~closing & (~kept | (room & (~held | self.keys.ready)))),
            self.i.ready.eq(accept),
            write.addr.eq(Cat(count[: self.bits], half)),
            write.data.eq(payload.feature),
            write.en.eq(self.i.valid & accept & kept),
            full.eq(count == self.entries - 1),
            self.keys.payload.key.eq(held_key),
            self.keys.payload.value.eq(count[: self.bits] - 1),
            self.keys.payload.last.eq(closing),
            self.keys.valid.eq(held & (closing | (self.i.valid & kept))),
        ]
        with m.If(self.keys.valid & self.keys.ready):
            m.d.sync += held.eq(0)
        with m.If(self.i.valid & accept):
            with m.If(kept):
                m.d.sync += [
                    held.eq(1), held_key.eq(payload.key), count.eq(count + 1),
                    self.stored.eq(self.stored + 1),
                ]  # fmt: skip
                with m.If(count == 0):
                    m.d.comb += taken.eq(1 << half)
                with m.If(full & ~payload.flags.end_list):
                    m.d.sync += [closing.eq(1), end_tile.eq(0), self.cut.eq(self.cut + 1)]
            with m.If(payload.flags.end_list):
                m.d.sync += [closing.eq(1), end_tile.eq(payload.flags.end_tile)]
        with m.If(closing & ~held):
            some = count != 0
            m.d.comb += [
                commands.valid.eq(some | end_tile),
                commands.payload.list.eq(some),
                commands.payload.end_tile.eq(end_tile),
            ]
            with m.If(commands.ready | ~(some | end_tile)):
                m.d.sync += [closing.eq(0), count.eq(0)]
                with m.If(some):
                    m.d.sync += [half.eq(~half), self.lists.eq(self.lists + 1)]

    def _read(self, m: Module, read: Any, commands: Any, given: Signal) -> None:
        """Fetch features in sorted order, one per cycle, then hand the half back."""
        half = Signal()
        have, have_last = Signal(), Signal()
        free, moved = Signal(), Signal()
        payload = self.sorted.payload
        in_list = Signal()
        m.d.comb += [
            in_list.eq(commands.valid & commands.payload.list & ~have_last),
            free.eq(~have | self.o.ready),
            self.sorted.ready.eq(in_list & free),
            moved.eq(self.sorted.valid & self.sorted.ready),
            read.addr.eq(Cat(payload.value, half)),
            read.en.eq(moved),
            self.o.payload.feature.eq(read.data),
        ]
        with m.If(free):
            m.d.sync += have.eq(moved)
        with m.If(moved):
            m.d.sync += have_last.eq(payload.last)
        # the command ends once its list has left and, where the tile ends, the marker too
        listed = ~commands.payload.list | have_last
        with m.If(have):
            m.d.comb += self.o.valid.eq(1)
        with m.Elif(commands.valid & listed):
            m.d.comb += [
                self.o.payload.end.eq(1),
                self.o.valid.eq(commands.payload.end_tile),
                commands.ready.eq(self.o.ready | ~commands.payload.end_tile),
            ]
            with m.If(commands.ready):
                m.d.sync += have_last.eq(0)
                with m.If(commands.payload.list):
                    m.d.comb += given.eq(1 << half)
                    m.d.sync += half.eq(~half)
