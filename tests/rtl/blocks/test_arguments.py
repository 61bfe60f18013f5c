"""Blocks refuse impossible parameters, and say which.

Their behaviour is held to their models by tests/rtl/test_blocks_library.py.
"""

from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("amaranth")
from archsim.base.errors import ConfigError
from archsim.rtl.blocks.codebook_decoder import CodebookDecoder
from archsim.rtl.blocks.filter_bank import FilterBank
from archsim.rtl.blocks.list_buffer import ListBuffer
from archsim.rtl.blocks.memory_reader import MemoryReader
from archsim.rtl.blocks.placement import Placement
from archsim.rtl.blocks.render_unit import RenderUnit
from archsim.rtl.blocks.tile_controller import TileController
from archsim.rtl.blocks.voxel_sorter import VoxelSorter
from archsim.rtl.parameters import load_parameters


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RenderUnit(lanes=12), "lanes must be 8 or 16, not 12"),
        (lambda: VoxelSorter(cells=8, voxels=8, rows=12), "rows must be a power of two, not 12"),
        (lambda: TileController(voxels=100), "voxels must be a power of two, not 100"),
        (lambda: ListBuffer(entries=100), "entries must be a power of two, not 100"),
        (lambda: FilterBank(make=Placement, copies=0, side=1), "copies must be a positive integer"),
        (lambda: MemoryReader(width=64, address_bits=8, count_bits=4, burst=9, depth=8),
         r"burst must be 1 to depth \(8\), not 9"),
        (lambda: CodebookDecoder(entries={"scale": 1, "rotation": 2, "base": 2, "harmonics": 2},
                                 degree=0), r"2 to 4096 words, not 1 \(scale\)"),
    ],
)  # fmt: skip
def test_impossible_arguments_are_named(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_sizes_come_from_the_machine() -> None:
    small, piece, full = (
        load_parameters("streaminggs", s) for s in ("rtl-small", "rtl-slice", "full")
    )
    assert (small.coarse_filters, small.lanes, small.fine_interval) == (1, 8, 8)
    assert (piece.slices, piece.coarse_filters, piece.lanes) == (1, 4, 16)
    assert full.slices == 4
    with pytest.raises(ConfigError, match="unknown size 'tiny'"):
        load_parameters("streaminggs", "tiny")
    with pytest.raises(ConfigError, match="is a GPU"):
        load_parameters("orin-nx-16gb", "full")
