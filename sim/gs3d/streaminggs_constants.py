"""Sizes and operation counts of StreamingGS that are the method's, not the machine's, with sources.

Sorting and rendering follow GSCore's design, so what concerns them is GSCore's
(:mod:`archsim.sim.gs3d.gscore_constants`).
"""

from __future__ import annotations

from archsim.arch.sourced import Sourced
from archsim.sim.gs3d.gscore_constants import CONSTANTS as GSCORE_CONSTANTS

__all__ = ["CONSTANTS", "SHARED", "constant"]


def _exact(value: int, source: str) -> Sourced:
    return Sourced(value=value, low=value, high=value, source=source)


def _assumed(value: int, low: int, high: int, source: str) -> Sourced:
    return Sourced(value=value, low=low, high=high, source=source, assumed=True)


#: name -> constant; the unit is the name's last word
CONSTANTS: dict[str, Sourced] = {
    "coarse_parameters": _exact(
        4, "x, y, z and the largest scale, in FP32 (StreamingGS, DAC 2025; second-hand)"
    ),
    "directory_bytes": _assumed(
        8, 6, 16, "assumed: where a voxel begins and how many Gaussians it holds, 4 bytes each"
    ),
    "node_bytes": _assumed(
        6, 4, 12, "assumed: a voxel of the adjacency and in-degree tables: renamed number, place "
        "of its targets, in-degree, 16 bits each",
    ),
    "edge_bytes": _assumed(2, 2, 4, "assumed: a target in the adjacency table, 16 bits"),
    "rename_bits": _assumed(
        48, 32, 64, "assumed: renaming table of 32 cells: one bit a cell and the rank of the first"
    ),
    "rename_cells": _assumed(32, 32, 64, "assumed: cells that share one rank"),
}  # fmt: skip

#: GSCore's constants that StreamingGS shares
SHARED = (
    "parameter_bytes", "feature_bytes", "entry_bytes", "pixel_bytes", "pixel_state_bytes",
    "bitonic_width_entries", "alpha_multiplies", "alpha_adds", "blend_multiplies", "blend_adds",
)  # fmt: skip


def constant(name: str) -> int:
    """Return the value of a constant of :data:`CONSTANTS`, or of GSCore's."""
    return int((CONSTANTS if name in CONSTANTS else GSCORE_CONSTANTS)[name].value)
