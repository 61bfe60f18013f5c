"""What travels with every item from a tile's voxels to its pixels."""

from __future__ import annotations

from amaranth.lib import data

__all__ = ["TILE_BITS", "flags_layout"]

#: Tiles in flight are told apart by their number's last bits: more than the FIFOs can hold.
TILE_BITS = 8


def flags_layout() -> data.StructLayout:
    """Return the layout: ``real`` (a Gaussian), ends of a voxel's list and of a tile, tile number.

    An item that is not real only carries an end.
    """
    return data.StructLayout({"real": 1, "end_list": 1, "end_tile": 1, "tile": TILE_BITS})
