"""Bitonic sorting unit: lists of any length up to its memory, by one network in several passes.

A list is collected in blocks of the network's width, each of which the network sorts on its way
into a memory. Levels of merging follow, as many as the model counts (``sim/gs3d``): each sends
every block once more through the network. A merge keeps the larger half of what it compared; the
smaller half is final. Which run gives the next block is decided by the smaller head.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from amaranth.hdl import Assert, Cat, Module, Mux, Signal, Value, unsigned
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from archsim.rtl.blocks.contract import assert_stable
from archsim.rtl.blocks.sorting.collector import BlockCollector
from archsim.rtl.blocks.sorting.drainer import BlockDrainer
from archsim.rtl.blocks.sorting.merger import RunMerger, slot_cycles
from archsim.rtl.blocks.sorting.network import BitonicNetwork
from archsim.rtl.tools.columns import Columns

__all__ = ["BitonicSorter", "sorter_payload"]


_LIST_CYCLES, _LEVEL_CYCLES = 5, 4


def sorter_payload(key_bits: int, value_bits: int) -> data.StructLayout:
    """Return the payload of an item: a key, a value that breaks ties, and the list's end."""
    return data.StructLayout({"key": key_bits, "value": value_bits, "last": 1})


class BitonicSorter(wiring.Component):
    """Sorts lists of items ascending by key, then value; one item in and one out per cycle.

    A list enters while the one before leaves. It must not be longer than ``entries``; a list has
    at least one item.

    Parameters
    ----------
    keys
        Width of the network, a power of two of at least 8.
    key_bits, value_bits
        Of an item. Values that are arrival numbers make the sort stable.
    entries
        Longest list; a multiple of ``keys``.

    Members
    -------
    i, o
        In and out, with the payload of :func:`sorter_payload`.
    passes
        Blocks that the network has sorted or merged: for each list its blocks, once and then once
        for every level.
    """

    def __init__(self, *, keys: int = 16, key_bits: int, value_bits: int, entries: int):
        if keys < 8:
            raise ValueError(f"keys must be a power of two of at least 8, not {keys!r}")
        if entries < 2 * keys or entries % keys:
            raise ValueError(f"entries must be a multiple of {keys} above it, not {entries!r}")
        self.keys = keys
        self.key_bits = key_bits
        self.value_bits = value_bits
        self.entries = entries
        self.network = BitonicNetwork(width=keys, bits=1 + key_bits + value_bits)
        payload = sorter_payload(key_bits, value_bits)
        super().__init__(
            {
                "i": In(stream.Signature(payload)),
                "o": Out(stream.Signature(payload)),
                "passes": Out(32),
            }
        )

    @property
    def slot_cycles(self) -> int:
        """Cycles between two blocks of a merge: comparing halves, and the network's last layers."""
        return slot_cycles(self.network.merge_latency)

    def cycles(self, lengths: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """Return the cycles from a list's last item taken to its first one offered, by its length.

        Where the list before has left by then. Closed form, tested against the hardware: a level
        of ``b`` blocks takes ``b + 2`` slots (one to fetch the first, one to let the last go).
        """
        blocks = -(-np.asarray(lengths, dtype=np.int64) // self.keys)
        levels = np.frexp(np.maximum(blocks - 1, 0).astype(np.float64))[1].astype(np.int64)
        level = self.slot_cycles * (blocks + 2) + _LEVEL_CYCLES
        return self.network.latency + _LIST_CYCLES + np.where(levels > 0, levels * level, 1)

    def model(self, i: Columns) -> Columns:
        """Return the sorted lists of a stream of whole lists."""
        if not isinstance(i, dict):
            raise ValueError("the payload is a struct of key, value and last")
        key, value, last = (np.asarray(i[name]) for name in ("key", "value", "last"))
        owner = np.concatenate([[0], np.cumsum(last)[:-1]]) if len(last) else np.zeros(0, int)
        order = np.lexsort((value, key, owner))
        return {"key": key[order], "value": value[order], "last": last}

    def elaborate(self, platform: object) -> Module:
        """Describe the hardware."""
        m = Module()
        width, bits = self.keys, self.key_bits + self.value_bits
        rows = 1 << (self.entries // width - 1).bit_length()  # of each half
        m.submodules.memory = ram = memory.Memory(
            shape=unsigned((bits + 1) * width), depth=2 * rows, init=[]
        )
        write, read = ram.write_port(), ram.read_port(domain="comb")
        # a register of its own, not the port's: then a synthesiser sees by the addresses that what
        # is read is never what is written in that cycle, and adds nothing to give the old word
        block, reads = Signal(len(read.data), reset_less=True), Signal()
        m.submodules.network = network = self.network
        m.submodules.collector = collector = BlockCollector(width=width, bits=bits)
        m.submodules.merger = merger = RunMerger(width=width, bits=bits + 1, rows=rows)
        m.submodules.drainer = drainer = BlockDrainer(width=width, bits=bits, rows=rows)

        half = Signal()  # takes the list that enters, or holds the runs that are merged
        row = Signal(range(rows + 1))  # of the next block that the network gives
        items = Signal(range(self.entries + 1))  # of the list
        inside = Signal(range(network.latency + 3))  # sets in the network
        settled, merging = Signal(), Signal()
        enters = network.i.valid | network.bitonic.valid
        taken = self.i.valid & self.i.ready
        m.d.comb += [
            collector.i.valid.eq(taken),
            collector.i.payload.item.eq(Cat(self.i.payload.value, self.i.payload.key)),
            collector.i.payload.last.eq(self.i.payload.last),
            network.i.valid.eq(collector.o.valid),
            network.i.payload.eq(collector.o.payload),
            network.bitonic.valid.eq(merger.o.valid),
            network.bitonic.payload.eq(merger.o.payload),
            settled.eq((inside == 0) & ~enters),
            write.en.eq(network.o.valid & ~merger.keeps),
            write.addr.eq(Cat(row[: len(write.addr) - 1], half ^ merging)),
            write.data.eq(Value.cast(network.o.payload)),
            read.addr.eq(Mux(merging, Cat(merger.row, half), Cat(drainer.row, ~half))),
            reads.eq(merging | ~drainer.idle),
            merger.kept.eq(network.o.payload),
            Value.cast(merger.block).eq(block),
            Value.cast(drainer.block).eq(block),
            drainer.items.eq(items),
            self.o.valid.eq(drainer.o.valid),
            drainer.o.ready.eq(self.o.ready),
            Cat(self.o.payload.value, self.o.payload.key).eq(drainer.o.payload.item),
            self.o.payload.last.eq(drainer.o.payload.last),
            Assert(~taken | (items != self.entries), "a list is longer than the sorter's memory"),
        ]
        m.d.sync += [
            inside.eq(inside + enters - network.o.valid),
            self.passes.eq(self.passes + write.en),
        ]
        with m.If(reads):
            m.d.sync += block.eq(read.data)
        with m.If(write.en):
            m.d.sync += row.eq(row + 1)
        with m.If(taken):
            m.d.sync += items.eq(items + 1)
        self._control(m, half, row, items, merging, settled, merger, drainer)
        assert_stable(m, self.o, "sorter_o")
        return m

    def _control(
        self, m: Module, half: Signal, row: Signal, items: Signal, merging: Signal,
        settled: Signal, merger: RunMerger, drainer: BlockDrainer,
    ) -> None:  # fmt: skip
        """Take a list in, merge it level by level between the halves, and let it out."""
        blocks, run = Signal.like(row), Signal.like(row)
        m.d.comb += [merger.blocks.eq(blocks), merger.run.eq(run)]

        def let_out() -> None:
            m.d.comb += drainer.start.eq(1)
            m.d.sync += [items.eq(0), row.eq(0)]
            m.next = "COLLECT"

        with m.FSM(name="list"):
            with m.State("COLLECT"):
                m.d.comb += self.i.ready.eq(1)
                with m.If(self.i.valid & self.i.payload.last):
                    m.next = "SETTLE"
            with m.State("SETTLE"), m.If(settled & drainer.idle):
                m.d.sync += [blocks.eq(row), run.eq(1), row.eq(0)]
                m.next = "DECIDE"
            with m.State("DECIDE"):
                with m.If(blocks == 1):
                    m.d.sync += half.eq(~half)
                    let_out()
                with m.Else():
                    m.d.comb += merger.start.eq(1)
                    m.next = "MERGE"
            with m.State("MERGE"):
                m.d.comb += merging.eq(1)
                with m.If(~merger.busy & settled):
                    with m.If(merger.final):
                        let_out()
                    with m.Else():
                        m.d.sync += [half.eq(~half), run.eq(run << 1), row.eq(0)]
                        m.next = "DECIDE"
