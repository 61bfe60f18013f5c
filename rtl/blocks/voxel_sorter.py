"""Voxel sorting unit: the cells that a tile's rays cross become its voxels in rendering order.

Every cell is renamed (an empty one is dropped), the voxel gets a row of the tile's tables, and an
edge from the voxel before it on the same ray, once. Then all voxels of in-degree 0 are emitted,
lowest row first, their edges resolved, and so on in rounds until none is left: a topological order.

No word of a table decides or addresses another table in the cycle in which it is read: a voxel's
row takes two cycles to look up and to hold. The lowest row and the lowest edge are found in the
cycle before they are used, the former while edges are resolved: a round's first row has a cycle of
its own for that, every other none. After a reset the rows are cleared first, one a cycle.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from amaranth.hdl import Cat, Const, Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from archsim.rtl.arithmetic.queue import order_samples

__all__ = ["VoxelSorter"]

Table = npt.NDArray[np.int64]


class VoxelSorter(wiring.Component):
    """Renaming table, adjacency and in-degree tables, and the queue's order.

    Parameters
    ----------
    cells
        Words of the renaming table, a power of two.
    voxels
        Occupied voxels, a power of two.
    rows
        Rows of the adjacency and in-degree tables: voxels of one tile.

    Members
    -------
    load : stream
        Writes the renaming table: ``cell`` holds ``voxel`` if ``occupied``.
    i : stream
        ``cell`` entered by a ray; ``first`` of its ray; ``miss``: no cell at all; ``last`` of the
        tile.
    o : stream
        ``voxel``, in order; ``none``: the tile has no voxel; ``last`` of the tile.
    dropped : Out
        Counter of samples of voxels that no row was left for.
    """

    def __init__(self, *, cells: int, voxels: int, rows: int):
        for name, value in (("cells", cells), ("voxels", voxels), ("rows", rows)):
            if not isinstance(value, int) or value < 2 or value & (value - 1):
                raise ValueError(f"{name} must be a power of two, not {value!r}")
        self.cells, self.voxels, self.rows = cells, voxels, rows
        cell, voxel = range(cells), range(voxels)
        sample = data.StructLayout({"cell": cell, "first": 1, "miss": 1, "last": 1})
        super().__init__(
            {
                "load": In(stream.Signature(
                    data.StructLayout({"cell": cell, "voxel": voxel, "occupied": 1}))),
                "i": In(stream.Signature(sample)),
                "o": Out(stream.Signature(
                    data.StructLayout({"voxel": voxel, "none": 1, "last": 1}))),
                "dropped": Out(32),
            }
        )  # fmt: skip

    @property
    def latency(self) -> int:
        """Cycles from a tile's only sample to its only voxel."""
        return 7

    def model(self, load: Mapping[str, Table], i: Mapping[str, Table]) -> dict[str, Any]:
        """Return the queue of all tiles in ``i``."""
        rename = np.full(self.cells, -1, np.int64)
        rename[load["cell"]] = np.where(load["occupied"] == 1, load["voxel"], -1)
        ends = np.flatnonzero(i["last"]) + 1
        parts = [
            order_samples(rename, part["cell"], part["first"], part["miss"], self.rows)
            for part in ({k: v[a:b] for k, v in i.items()} for a, b in zip([0, *ends], ends))
        ]
        voxel = np.concatenate([p[0] if p[0].size else np.zeros(1, np.int64) for p in parts])
        none = np.concatenate([np.full(max(p[0].size, 1), int(p[0].size == 0)) for p in parts])
        last = np.zeros(voxel.size, np.int64)
        last[np.cumsum([max(p[0].size, 1) for p in parts]) - 1] = 1
        return {"o": {"voxel": voxel, "none": none, "last": last}}

    def elaborate(self, platform: Any) -> Module:
        """Build tables and the machine that walks them."""
        m = Module()
        rows, row_bits = self.rows, (self.rows - 1).bit_length()
        voxel_bits = (self.voxels - 1).bit_length()
        rename = Memory(shape=unsigned(voxel_bits + 1), depth=self.cells, init=[])
        local = Memory(shape=unsigned(row_bits + 1), depth=self.voxels, init=[])
        adjacency = Memory(shape=unsigned(rows), depth=rows, init=[])
        waiting = Memory(shape=unsigned(row_bits), depth=rows, init=[])
        voxel_of = Memory(shape=unsigned(voxel_bits), depth=rows, init=[])
        m.submodules.rename, m.submodules.local = rename, local
        m.submodules.adjacency, m.submodules.waiting = adjacency, waiting
        m.submodules.voxel_of = voxel_of
        rename_read, rename_write = rename.read_port(), rename.write_port()
        local_read, local_write = local.read_port(), local.write_port()
        near_read, near_write = adjacency.read_port(domain="comb"), adjacency.write_port()
        wait_read, wait_write = waiting.read_port(domain="comb"), waiting.write_port()
        name_read, name_write = voxel_of.read_port(domain="comb"), voxel_of.write_port()

        # renaming table, from outside, between tiles
        m.d.comb += [
            rename_write.addr.eq(self.load.payload.cell),
            rename_write.data.eq(Cat(self.load.payload.occupied, self.load.payload.voxel)),
            rename_write.en.eq(self.load.valid),
            self.load.ready.eq(1),
        ]

        sample = Signal(self.i.payload.shape(), reset_less=True)
        voxel = Signal(voxel_bits, reset_less=True)
        cleared = Signal(voxel_bits)
        count = Signal(row_bits + 1)
        before, has_before = Signal(row_bits, reset_less=True), Signal()
        ready, following = Signal(rows), Signal(rows)
        near = Signal(rows, reset_less=True)  # edges of the voxel before
        targets = Signal(rows, reset_less=True)
        target, has_target = Signal(row_bits, reset_less=True), Signal()
        pick, has_pick = Signal(row_bits, reset_less=True), Signal()
        emitted = Signal(row_bits + 1)
        final, empty = Signal(reset_less=True), Signal(reset_less=True)
        row, has_row = Signal(row_bits, reset_less=True), Signal()
        here = Signal(row_bits)
        known = Signal(reset_less=True)
        m.d.comb += [
            rename_read.addr.eq(self.i.payload.cell),
            local_read.addr.eq(voxel),
        ]
        one = Const(1, rows)

        # an in-degree is read in one cycle and written in the next
        degree, degree_row = Signal(row_bits, reset_less=True), Signal(row_bits, reset_less=True)
        more, less = Signal(), Signal()
        resolved = Signal(rows)  # the row whose last edge this is
        m.d.sync += [degree.eq(wait_read.data), degree_row.eq(wait_read.addr), more.eq(0),
                     less.eq(has_target)]  # fmt: skip
        m.d.comb += [
            wait_write.addr.eq(degree_row), wait_write.en.eq(more | less),
            wait_write.data.eq(Mux(more, degree + 1, degree - 1)), wait_read.addr.eq(target),
            resolved.eq(Mux(less & (degree == 1), one << degree_row, 0)),
        ]  # fmt: skip

        # adjacency is written a cycle late, and read four cycles after the decision at the earliest
        edge_row, edge_bits = Signal(row_bits, reset_less=True), Signal(rows, reset_less=True)
        edge_en = Signal()
        m.d.comb += [
            near_write.addr.eq(edge_row), near_write.data.eq(edge_bits), near_write.en.eq(edge_en),
        ]  # fmt: skip
        m.d.sync += edge_en.eq(0)
        some_ready, lowest_ready = _lowest(ready)
        some_targets, lowest_target = _lowest(targets)
        m.d.sync += [
            has_pick.eq(some_ready), pick.eq(lowest_ready), target.eq(lowest_target),
            has_target.eq(0), final.eq(emitted + 1 >= count), empty.eq(count == 0),
        ]  # fmt: skip

        m.d.sync += following.eq(following | resolved)
        with m.FSM():
            with m.State("CLEAR"):  # after a reset, which may have come in mid-tile
                m.d.comb += [local_write.addr.eq(cleared), local_write.en.eq(1)]
                m.d.sync += cleared.eq(cleared + 1)
                with m.If(cleared == self.voxels - 1):
                    m.next = "SAMPLE"
            with m.State("SAMPLE"):
                m.d.comb += self.i.ready.eq(1)
                with m.If(self.i.valid):
                    m.d.sync += sample.eq(self.i.payload)
                    m.next = "RENAME"
            with m.State("RENAME"):
                m.d.sync += voxel.eq(rename_read.data[1:])
                with m.If(sample.first):
                    m.d.sync += has_before.eq(0)
                with m.If(rename_read.data[0] & ~sample.miss):
                    m.next = "LOOK"
                with m.Else():
                    m.next = "SAMPLE"
                    with m.If(sample.last):
                        m.next = "PICK"
            with m.State("LOOK"):
                m.next = "HOLD"
            with m.State("HOLD"):
                m.d.comb += near_read.addr.eq(before)
                m.d.sync += [Cat(has_row, row).eq(local_read.data), near.eq(near_read.data)]
                m.next = "ROW"
            with m.State("ROW"):
                m.next = "EDGE"
                with m.If(~has_row):
                    with m.If(count == rows):
                        m.d.sync += self.dropped.eq(self.dropped + 1)
                        m.next = "SAMPLE"
                        with m.If(sample.last):
                            m.next = "PICK"
                    with m.Else():
                        m.d.comb += [
                            local_write.addr.eq(voxel), local_write.en.eq(1),
                            local_write.data.eq(Cat(Const(1, 1), count[:row_bits])),
                            name_write.addr.eq(count), name_write.data.eq(voxel),
                            name_write.en.eq(1),
                            wait_write.addr.eq(count), wait_write.data.eq(0), wait_write.en.eq(1),
                        ]  # fmt: skip
                        m.d.sync += [
                            count.eq(count + 1), ready.eq(ready | (one << count[:row_bits])),
                            edge_row.eq(count), edge_bits.eq(0), edge_en.eq(1),
                        ]  # fmt: skip
                m.d.sync += [
                    here.eq(Mux(has_row, row, count[:row_bits])),
                    known.eq(has_row & near.bit_select(row, 1)),
                ]
            with m.State("EDGE"):
                m.d.comb += wait_read.addr.eq(here)
                with m.If(has_before & ~known):
                    m.d.sync += [
                        more.eq(1), ready.eq(ready & ~(one << here)),
                        edge_row.eq(before), edge_bits.eq(near | (one << here)), edge_en.eq(1),
                    ]  # fmt: skip
                m.d.sync += [before.eq(here), has_before.eq(1)]
                m.next = "SAMPLE"
                with m.If(sample.last):
                    m.next = "PICK"
            with m.State("PICK"):
                m.next = "EMIT"
            with m.State("EMIT"):
                m.d.comb += [
                    name_read.addr.eq(pick), near_read.addr.eq(pick),
                    self.o.payload.voxel.eq(Mux(empty, 0, name_read.data)),
                    self.o.payload.none.eq(empty), self.o.payload.last.eq(final),
                ]  # fmt: skip
                with m.If(~has_pick & ~empty):
                    m.d.sync += [ready.eq(following | resolved), following.eq(0)]
                    m.next = "PICK"
                with m.Else():
                    m.d.comb += self.o.valid.eq(1)
                    with m.If(self.o.ready):
                        m.d.comb += [
                            local_write.addr.eq(name_read.data), local_write.data.eq(0),
                            local_write.en.eq(~empty),
                        ]  # fmt: skip
                        m.d.sync += [
                            ready.eq(ready & ~(one << pick)), targets.eq(near_read.data),
                            emitted.eq(emitted + 1),
                        ]  # fmt: skip
                        m.next = "RESOLVE"
                        with m.If(self.o.payload.last):
                            m.d.sync += [emitted.eq(0), count.eq(0), ready.eq(0), has_before.eq(0)]
                            m.next = "SAMPLE"
            with m.State("RESOLVE"):
                with m.If(some_targets):
                    m.d.sync += [targets.eq(targets & (targets - 1)), has_target.eq(1)]
                with m.Else():
                    m.next = "EMIT"
        return m


def _lowest(bits: Any) -> tuple[Any, Any]:
    """Return whether a bit is set, and the number of the lowest, found in halves of halves."""
    if len(bits) == 1:
        return bits[0], Const(0, 0)
    half = len(bits) // 2
    (some_low, low), (some_high, high) = _lowest(bits[:half]), _lowest(bits[half:])
    return some_low | some_high, Cat(Mux(some_low, low, high), ~some_low)
