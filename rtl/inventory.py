"""The blocks that a machine's RTL is made of, one by one: for synthesis, waves and tables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from archsim.rtl.parameters import BURST, Parameters

__all__ = ["Block", "blocks_of"]


@dataclass(frozen=True)
class Block:
    """A block of a slice.

    Attributes
    ----------
    name, make
        Its name, and what returns a new component of it.
    unit
        The machine file's unit that does the same, if there is one.
    units
        How many of those units the block stands for: a render unit has one per lane.
    """

    name: str
    make: Callable[[], Any]
    unit: str | None = None
    units: int = 1


def blocks_of(p: Parameters) -> dict[str, Block]:
    """Return the blocks of a slice at these parameters, in the order of its data."""
    from archsim.rtl.blocks.coarse_feeder import CoarseFeeder
    from archsim.rtl.blocks.coarse_filter import CoarseFilter
    from archsim.rtl.blocks.codebook_decoder import TABLES, CodebookDecoder
    from archsim.rtl.blocks.fifo import StreamFifo
    from archsim.rtl.blocks.fine_fetch import FineFetch
    from archsim.rtl.blocks.fine_filter import FineFilter
    from archsim.rtl.blocks.list_buffer import KEY_BITS, ListBuffer
    from archsim.rtl.blocks.memory_reader import MemoryReader
    from archsim.rtl.blocks.placement import Placement
    from archsim.rtl.blocks.render_unit import RenderUnit
    from archsim.rtl.blocks.sorter import BitonicSorter, sorter_payload
    from archsim.rtl.blocks.sorting.network import BitonicNetwork
    from archsim.rtl.blocks.tile_controller import ADDRESS_BITS, COUNT_BITS, TileController
    from archsim.rtl.blocks.voxel_sorter import VoxelSorter

    entries = {name: getattr(p, f"{name}_entries") for name in TABLES}
    value_bits = (p.list_entries - 1).bit_length()
    item_bits = 1 + KEY_BITS + value_bits
    blocks = [
        Block("voxel-sorter",
              lambda: VoxelSorter(cells=p.cells, voxels=p.voxels, rows=p.tile_voxels),
              "voxel_sorter"),
        Block("tile-controller", lambda: TileController(voxels=p.voxels)),
        Block("memory-reader",
              lambda: MemoryReader(width=64, address_bits=ADDRESS_BITS, count_bits=COUNT_BITS,
                                   burst=BURST, depth=4 * BURST)),
        Block("placement", Placement),
        Block("coarse-feeder", CoarseFeeder),
        Block("coarse-filter", lambda: CoarseFilter(interval=p.coarse_interval), "cfu"),
        Block("codebook-decoder", lambda: CodebookDecoder(entries=entries, degree=p.sh_degree)),
        Block("fine-fetch",
              lambda: FineFetch(decoded=CodebookDecoder(entries=entries, degree=p.sh_degree)
                                .o.payload.shape(), depth=p.fine_fifo)),
        Block("fine-filter",
              lambda: FineFilter(interval=p.fine_interval, degree=p.sh_degree), "ffu"),
        Block("list-buffer", lambda: ListBuffer(entries=p.list_entries)),
        Block("sorter",
              lambda: BitonicSorter(keys=p.sorter_keys, key_bits=KEY_BITS, value_bits=value_bits,
                                    entries=p.list_entries)),
        Block("bitonic-network",
              lambda: BitonicNetwork(width=p.sorter_keys, bits=item_bits), "bsu"),
        Block("order-fifo",
              lambda: StreamFifo(shape=sorter_payload(KEY_BITS, value_bits),
                                 depth=p.list_entries)),
        Block("render-unit", lambda: RenderUnit(lanes=p.lanes), "vru", p.lanes),
    ]  # fmt: skip
    return {block.name: block for block in blocks}
