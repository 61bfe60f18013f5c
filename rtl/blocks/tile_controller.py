"""Tile controller: the voxels of each tile, looked up in the directory and sent on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from amaranth.hdl import Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from archsim.rtl.blocks.tokens import TILE_BITS

__all__ = [
    "ADDRESS_BITS",
    "COUNT_BITS",
    "PIXEL_BITS",
    "TileController",
    "directory_layout",
    "visit_layout",
]

#: Beats of a memory, Gaussians of a voxel, coordinates of a pixel.
ADDRESS_BITS, COUNT_BITS, PIXEL_BITS = 24, 16, 12


def directory_layout() -> data.StructLayout:
    """Return a word of the directory: a voxel's place in memory and in the grid."""
    return data.StructLayout(
        {"start": ADDRESS_BITS, "count": COUNT_BITS, "ix": 8, "iy": 8, "iz": 8}
    )


def visit_layout() -> data.StructLayout:
    """Return a visit: the voxel, and the tile that asks for it; ``count`` 0 only ends a tile."""
    return data.StructLayout(
        {
            "voxel": directory_layout(),
            "x": PIXEL_BITS,
            "y": PIXEL_BITS,
            "tile": TILE_BITS,
            "last": 1,
        }
    )


class TileController(wiring.Component):
    """Turns the voxel queue into visits, and drops those of a tile whose pixels are all done.

    Parameters
    ----------
    voxels
        Words of the directory, a power of two.

    Members
    -------
    load : stream
        Writes word ``voxel`` of the directory.
    tiles : stream
        First pixel ``x, y`` of each tile, in the order of the queue.
    i : stream
        The voxel queue.
    o : stream
        Visits.
    stopped, stopped_tile : In
        Whether the tile of that number needs nothing more.
    visits, skipped : Out
        Counters of visits sent with a voxel, and of voxels dropped for a stopped tile.
    """

    def __init__(self, *, voxels: int):
        if not isinstance(voxels, int) or voxels < 2 or voxels & (voxels - 1):
            raise ValueError(f"voxels must be a power of two, not {voxels!r}")
        self.voxels = voxels
        number = range(voxels)
        super().__init__(
            {
                "load": In(stream.Signature(
                    data.StructLayout({"voxel": number, "word": directory_layout()}))),
                "tiles": In(stream.Signature(
                    data.StructLayout({"x": PIXEL_BITS, "y": PIXEL_BITS}))),
                "i": In(stream.Signature(
                    data.StructLayout({"voxel": number, "none": 1, "last": 1}))),
                "o": Out(stream.Signature(visit_layout())),
                "stopped": In(1),
                "stopped_tile": In(TILE_BITS),
                "visits": Out(32),
                "skipped": Out(32),
            }
        )  # fmt: skip

    @property
    def latency(self) -> int:
        """Cycles from a voxel to its visit."""
        return 1

    def model(self, load: Mapping[str, Any], tiles: Mapping[str, Any],
              i: Mapping[str, Any]) -> dict[str, Any]:  # fmt: skip
        """Return the visits when no tile stops early."""
        words = {}
        for name in ("start", "count", "ix", "iy", "iz"):
            word = np.zeros(self.voxels, np.int64)
            word[load["voxel"]] = load["word"][name]
            words[name] = np.where(i["none"] == 1, 0, word[i["voxel"]])
        tile = np.cumsum(i["last"]) - i["last"]
        return {"o": {"voxel": words, "x": tiles["x"][tile], "y": tiles["y"][tile],
                      "tile": tile % (1 << TILE_BITS), "last": i["last"]}}  # fmt: skip

    def elaborate(self, platform: Any) -> Module:
        """Build directory and hand-over."""
        m = Module()
        layout = directory_layout()
        m.submodules.directory = directory = Memory(shape=layout, depth=self.voxels, init=[])
        write, read = directory.write_port(), directory.read_port()
        tile = Signal(TILE_BITS)
        entry = Signal(self.i.payload.shape(), reset_less=True)
        held = Signal()
        m.d.comb += [
            write.addr.eq(self.load.payload.voxel),
            write.data.eq(self.load.payload.word),
            write.en.eq(self.load.valid),
            self.load.ready.eq(1),
            read.addr.eq(self.i.payload.voxel),
            read.en.eq(self.i.valid & self.i.ready),
        ]
        stop = Signal()
        drop, sent, done = Signal(), Signal(), Signal()
        # decided when the voxel is taken: what is offered must not change any more
        m.d.comb += [
            drop.eq(held & stop & ~entry.last),
            self.o.valid.eq(held & self.tiles.valid & ~drop),
            sent.eq(self.o.valid & self.o.ready),
            done.eq(sent | drop),
            self.i.ready.eq(~held | done),
            self.tiles.ready.eq(sent & entry.last),
            self.o.payload.voxel.eq(read.data),
            self.o.payload.x.eq(self.tiles.payload.x),
            self.o.payload.y.eq(self.tiles.payload.y),
            self.o.payload.tile.eq(tile),
            self.o.payload.last.eq(entry.last),
        ]
        with m.If(entry.none | stop):
            m.d.comb += self.o.payload.voxel.eq(0)
        with m.If(done):
            m.d.sync += held.eq(0)
        with m.If(sent & entry.last):
            m.d.sync += tile.eq(tile + 1)
        following = Signal(TILE_BITS)
        m.d.comb += following.eq(tile + (sent & entry.last))
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [
                entry.eq(self.i.payload),
                held.eq(1),
                stop.eq(self.stopped & (self.stopped_tile == following)),
            ]
        with m.If(sent & ~entry.none & ~stop):
            m.d.sync += self.visits.eq(self.visits + 1)
        with m.If(done & ~entry.none & stop):
            m.d.sync += self.skipped.eq(self.skipped + 1)
        return m
