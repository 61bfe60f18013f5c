"""A slice: voxel sorter, hierarchical filter unit, sorter and render unit, joined by streams."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from archsim.rtl.arithmetic.coarse import coarse_graph
from archsim.rtl.arithmetic.fine import fine_graph
from archsim.rtl.arithmetic.placement import placement_graph
from archsim.rtl.blocks.coarse_feeder import CONTEXT, CoarseFeeder, context_layout, side_layout
from archsim.rtl.blocks.coarse_filter import CoarseFilter
from archsim.rtl.blocks.codebook_decoder import TABLES, CodebookDecoder
from archsim.rtl.blocks.feature_pack import pack_feature
from archsim.rtl.blocks.fifo import StreamFifo
from archsim.rtl.blocks.filter_bank import FilterBank
from archsim.rtl.blocks.fine_fetch import FineFetch, fine_side_layout
from archsim.rtl.blocks.fine_filter import FineFilter
from archsim.rtl.blocks.fork import fork
from archsim.rtl.blocks.list_buffer import KEY_BITS, ListBuffer
from archsim.rtl.blocks.memory_reader import MemoryReader
from archsim.rtl.blocks.placement import Placement
from archsim.rtl.blocks.render_unit import RenderUnit
from archsim.rtl.blocks.sorter import BitonicSorter
from archsim.rtl.blocks.tile_controller import ADDRESS_BITS, COUNT_BITS, TileController
from archsim.rtl.blocks.tokens import TILE_BITS
from archsim.rtl.blocks.voxel_sorter import VoxelSorter
from archsim.rtl.parameters import BURST, Parameters

__all__ = ["COUNTERS", "MONITORED", "Slice", "frame_ports"]

#: Streams whose cycles are counted by state once the tables are loaded, upstream to downstream:
#: voxels in order, visits, coarse filters' items and results, fine filter's items and results,
#: depths to sort, Gaussians to render.
MONITORED = ("queue", "visit", "coarse", "survivor", "fine", "feature", "key", "render")
_STATES = ("moved", "stalled", "starved")

#: Counters of the blocks that a slice shows.
COUNTERS = {
    "sorter_dropped": "voxels", "visits": "controller", "skipped_voxels": "controller",
    "loaded": "feeder", "dropped": "feeder", "kept": "fetch", "stored": "lists", "lists": "lists",
    "cut": "lists", "passes": "sorter", "blended": "render", "skipped_subtiles": "render",
    "gaussians": "render", "busy_cycles": "render", "drain_cycles": "render",
}  # fmt: skip
_INNER = {"sorter_dropped": "dropped", "skipped_voxels": "skipped", "skipped_subtiles": "skipped"}


def frame_ports(p: Parameters) -> dict[str, Any]:
    """Return the constants of a frame: names and shapes of the plain inputs."""
    graphs = (placement_graph(), coarse_graph(), fine_graph(p.sh_degree))
    return {name: node.shape.shape() for g in graphs for name, node in g.ports.items()}


class Slice(wiring.Component):
    """Renders tiles one after another, each stage ahead of the next as far as FIFOs go.

    Members
    -------
    load_cells, load_voxels, load_codebooks : stream
        Tables of the scene.
    tiles, samples : stream
        The tiles, and the cells that their rays cross.
    coarse_request, coarse_response, fine_request, fine_response : stream
        Memory, 64 bits a beat.
    pixels : stream
        The tiles' pixels.
    load_words : In
        Beats of all three load streams together that come before the first tile.
    the constants of a frame : In
    counters : Out
        ``{stream}_moved, _stalled, _starved`` for each of :data:`MONITORED`, and
        :data:`COUNTERS`.
    """

    #: Blocks that have nothing to do in most cycles: a simulator may stop their clocks.
    resting = ("sorter",)

    def __init__(self, parameters: Parameters):
        p = self.parameters = parameters
        entries = {name: getattr(p, f"{name}_entries") for name in TABLES}
        self.voxels = VoxelSorter(cells=p.cells, voxels=p.voxels, rows=p.tile_voxels)
        self.controller = TileController(voxels=p.voxels)
        self.decoder = CodebookDecoder(entries=entries, degree=p.sh_degree)
        self.render = RenderUnit(lanes=p.lanes)
        self.reader = MemoryReader(width=64, address_bits=ADDRESS_BITS, count_bits=COUNT_BITS,
                                   burst=BURST, depth=4 * BURST)  # fmt: skip
        self.gather = MemoryReader(width=64, address_bits=ADDRESS_BITS, count_bits=1, burst=1,
                                   depth=p.fine_fifo)  # fmt: skip
        self.ports = frame_ports(p)
        states = {f"{name}_{state}": Out(32) for name in MONITORED for state in _STATES}
        super().__init__(
            {
                "load_cells": In(self.voxels.load.signature.flip()),
                "load_voxels": In(self.controller.load.signature.flip()),
                "load_codebooks": In(self.decoder.load.signature.flip()),
                "tiles": In(self.controller.tiles.signature.flip()),
                "samples": In(self.voxels.i.signature.flip()),
                "coarse_request": Out(self.reader.request.signature),
                "coarse_response": In(stream.Signature(64)),
                "fine_request": Out(self.gather.request.signature),
                "fine_response": In(stream.Signature(64)),
                "pixels": Out(self.render.o.signature),
                "load_words": In(32),
                **{name: In(shape) for name, shape in self.ports.items()},
                **states,
                **{name: Out(32) for name in COUNTERS},
            }
        )

    def elaborate(self, platform: Any) -> Module:
        """Join the blocks."""
        m = Module()
        p = self.parameters
        m.submodules.voxels, m.submodules.controller = self.voxels, self.controller
        m.submodules.decoder, m.submodules.render = self.decoder, self.render
        m.submodules.reader, m.submodules.gather = self.reader, self.gather
        m.submodules.placement = placement = Placement()
        m.submodules.feeder = feeder = CoarseFeeder()
        m.submodules.coarse = coarse = FilterBank(
            make=lambda: CoarseFilter(interval=p.coarse_interval), copies=p.coarse_filters,
            side=side_layout())  # fmt: skip
        m.submodules.fetch = fetch = FineFetch(
            decoded=self.decoder.o.payload.shape(), depth=p.fine_fifo
        )
        m.submodules.fine = fine = FilterBank(
            make=lambda: FineFilter(interval=p.fine_interval, degree=p.sh_degree), copies=1,
            side=fine_side_layout())  # fmt: skip
        m.submodules.lists = lists = ListBuffer(entries=p.list_entries)
        m.submodules.sorter = sorter = BitonicSorter(
            keys=p.sorter_keys, key_bits=KEY_BITS, value_bits=lists.bits, entries=p.list_entries
        )
        m.submodules.queue = queue = StreamFifo(
            shape=self.voxels.o.payload.shape(), depth=p.tile_voxels)  # fmt: skip
        for name in self.ports:
            for block in (placement, coarse, fine):
                if name in block.signature.members:
                    m.d.comb += getattr(block, name).eq(getattr(self, name))
        tile = Signal(TILE_BITS)  # that the render unit holds
        drained = Signal()
        m.d.comb += drained.eq(self.render.o.valid & self.render.o.ready & self.render.closing_last)
        with m.If(drained):
            m.d.sync += tile.eq(tile + 1)
        for block in (self.controller, feeder, fetch):
            m.d.comb += [block.stopped.eq(self.render.stopped), block.stopped_tile.eq(tile)]

        self._load(m)
        wiring.connect(m, self.voxels.o, queue.i)
        wiring.connect(m, queue.o, self.controller.i)
        wiring.connect(m, wiring.flipped(self.tiles), self.controller.tiles)
        self._visit(m, placement, feeder)
        wiring.connect(m, self.reader.o, feeder.beats)
        wiring.connect(m, self.reader.request, wiring.flipped(self.coarse_request))
        wiring.connect(m, wiring.flipped(self.coarse_response), self.reader.response)
        m.submodules.items = items = StreamFifo(shape=feeder.o.payload.shape(), depth=p.coarse_fifo)
        wiring.connect(m, feeder.o, items.i)
        wiring.connect(m, items.o, coarse.i)
        m.submodules.survivors = survivors = StreamFifo(
            shape=coarse.o.payload.shape(), depth=p.fine_fifo)  # fmt: skip
        self._filter(m, coarse, survivors)
        wiring.connect(m, survivors.o, fetch.i)
        wiring.connect(m, fetch.ranges, self.gather.i)
        wiring.connect(m, self.gather.request, wiring.flipped(self.fine_request))
        wiring.connect(m, wiring.flipped(self.fine_response), self.gather.response)
        m.d.comb += [
            self.decoder.i.valid.eq(self.gather.o.valid),
            self.decoder.i.payload.eq(self.gather.o.payload),
            self.gather.o.ready.eq(self.decoder.i.ready),
        ]
        wiring.connect(m, self.decoder.o, fetch.decoded)
        wiring.connect(m, fetch.o, fine.i)
        m.submodules.features = features = StreamFifo(
            shape=lists.i.payload.shape(), depth=p.feature_fifo)  # fmt: skip
        m.d.comb += [
            features.i.valid.eq(fine.o.valid),
            fine.o.ready.eq(features.i.ready),
            features.i.payload.key.eq(fine.o.payload.side.depth[:KEY_BITS]),
            features.i.payload.flags.eq(fine.o.payload.side.flags),
        ]
        pack_feature(m, fine.o.payload.result, fine.o.payload.side.opacity,
                     features.i.payload.feature)  # fmt: skip
        wiring.connect(m, features.o, lists.i)
        wiring.connect(m, lists.keys, sorter.i)
        # lets the sorter go on with the next list while this one is rendered
        m.submodules.order = order = StreamFifo(
            shape=sorter.o.payload.shape(), depth=p.list_entries)  # fmt: skip
        wiring.connect(m, sorter.o, order.i)
        wiring.connect(m, order.o, lists.sorted)
        wiring.connect(m, lists.o, self.render.i)
        wiring.connect(m, self.render.o, wiring.flipped(self.pixels))

        streams = (self.voxels.o, self.controller.o, coarse.i, coarse.o, fine.i, fine.o, sorter.i,
                   self.render.i)  # fmt: skip
        blocks = {
            "voxels": self.voxels, "controller": self.controller, "feeder": feeder,
            "fetch": fetch, "lists": lists, "sorter": sorter, "render": self.render,
        }  # fmt: skip
        self._count(m, dict(zip(MONITORED, streams, strict=True)), blocks)
        return m

    def _load(self, m: Module) -> None:
        """Pass the tables on, and hold the samples back until they are complete."""
        loaded = Signal(32)
        moved = []
        for outer, inner in (
            ("load_cells", self.voxels.load),
            ("load_voxels", self.controller.load),
            ("load_codebooks", self.decoder.load),
        ):
            wiring.connect(m, wiring.flipped(getattr(self, outer)), inner)
            moved.append(inner.valid & inner.ready)
        m.d.sync += loaded.eq(loaded + moved[0] + moved[1] + moved[2])
        complete = self.complete = Signal()
        m.d.sync += complete.eq(loaded >= self.load_words)
        m.d.comb += [
            self.voxels.i.valid.eq(self.samples.valid & complete),
            self.voxels.i.payload.eq(self.samples.payload),
            self.samples.ready.eq(self.voxels.i.ready & complete),
        ]

    def _visit(self, m: Module, placement: Placement, feeder: CoarseFeeder) -> None:
        """Fork visits to the memory reader and the placement; join contexts behind it."""
        visit = self.controller.o
        layout = data.StructLayout({name: context_layout()[name].shape
                                    for name in ("start", "count", "tile", "last")})  # fmt: skip
        depth = placement.latency // placement.interval + 3
        m.submodules.beside = beside = StreamFifo(shape=layout, depth=depth)
        m.submodules.contexts = contexts = StreamFifo(shape=context_layout(), depth=4)
        empty = Signal()
        reader, voxel = self.reader.i, visit.payload.voxel
        m.d.comb += [
            empty.eq(voxel.count == 0),
            reader.payload.address.eq(voxel.start),
            reader.payload.count.eq(voxel.count),
            *(placement.i.payload[name].eq(voxel[name]) for name in ("ix", "iy", "iz")),
            placement.i.payload.x.eq(visit.payload.x),
            placement.i.payload.y.eq(visit.payload.y),
            beside.i.payload.start.eq(voxel.start),
            beside.i.payload.count.eq(voxel.count),
            beside.i.payload.tile.eq(visit.payload.tile),
            beside.i.payload.last.eq(visit.payload.last),
            contexts.i.valid.eq(placement.o.valid & beside.o.valid),
            placement.o.ready.eq(contexts.i.ready & beside.o.valid),
            beside.o.ready.eq(contexts.i.ready & placement.o.valid),
            *(contexts.i.payload[name].eq(placement.o.payload[name]) for name in CONTEXT),
            *(contexts.i.payload[name].eq(beside.o.payload[name])
              for name in ("start", "count", "tile", "last")),
        ]  # fmt: skip
        fork(m, visit, [(placement.i, 1), (beside.i, 1), (reader, ~empty)])
        wiring.connect(m, contexts.o, feeder.contexts)

    def _filter(self, m: Module, coarse: FilterBank, survivors: StreamFifo) -> None:
        """Let only survivors and ends into the FIFO."""
        flags = coarse.o.payload.side.flags
        wanted = Signal()
        m.d.comb += [
            wanted.eq((flags.real & coarse.o.payload.result.keep) | flags.end_list),
            survivors.i.valid.eq(coarse.o.valid & wanted),
            survivors.i.payload.eq(coarse.o.payload),
            coarse.o.ready.eq(survivors.i.ready | ~wanted),
        ]

    def _count(self, m: Module, streams: dict[str, Any], blocks: dict[str, Any]) -> None:
        """Count the cycles of every monitored stream by state, and show the blocks' counters."""
        for name, one in streams.items():
            for state, condition in (
                ("moved", one.valid & one.ready),
                ("stalled", one.valid & ~one.ready),
                ("starved", ~one.valid & one.ready),
            ):
                counter = getattr(self, f"{name}_{state}")
                with m.If(condition & self.complete):
                    m.d.sync += counter.eq(counter + 1)
        for name, block in COUNTERS.items():
            m.d.comb += getattr(self, name).eq(getattr(blocks[block], _INNER.get(name, name)))
