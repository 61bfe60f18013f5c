"""Sorting inside a voxel on bitonic units: passes, cycles and comparators."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from archsim.arch.machine import FunctionalUnit
from archsim.sim.gs3d.streaminggs_constants import constant

__all__ = ["SortPasses", "sort_passes", "spill_bytes"]

I64 = npt.NDArray[np.int64]


@dataclass(frozen=True)
class SortPasses:
    """Network passes that sort lists.

    Attributes
    ----------
    blocks : (n,) int64
        Blocks of the network's width; each is sorted in one pass.
    levels : (n,) int64
        Levels of merging pairs of sorted runs; every level sends each block through once more.
    """

    blocks: I64
    levels: I64

    @property
    def total(self) -> int:
        """Passes of all lists together."""
        return int((self.blocks * (1 + self.levels)).sum())

    @property
    def moved_entries(self) -> I64:
        """Entries that the passes of each list read, and as many written, (n,) int64."""
        return self.blocks * (1 + self.levels) * constant("bitonic_width_entries")

    @property
    def comparators(self) -> int:
        """Compare-exchanges: s (s + 1) / 2 stages to sort a block of 2^s, s stages to merge one."""
        width = constant("bitonic_width_entries")
        stages = width.bit_length() - 1
        sorting = int(self.blocks.sum()) * stages * (stages + 1) // 2
        merging = int((self.blocks * self.levels).sum()) * stages
        return width // 2 * (sorting + merging)

    def cycles(self, unit: FunctionalUnit) -> I64:
        """Return the cycles of each list on all ``unit.count`` units.

        A level's blocks are dealt to the units; a level starts when the one before has left them.
        """
        rate = unit.initiation_interval_cycles.value / unit.count.value
        level = np.ceil(self.blocks * rate).astype(np.int64) + int(unit.latency_cycles.value)
        return np.where(self.blocks > 0, level * (1 + self.levels), 0)


def sort_passes(entries: I64) -> SortPasses:
    """Return the passes of lists of so many entries: blocks first, then pairwise merges."""
    blocks = -(-entries // constant("bitonic_width_entries"))
    levels = np.frexp(np.maximum(blocks - 1, 0).astype(np.float64))[1].astype(np.int64)
    return SortPasses(blocks.astype(np.int64), levels)


def spill_bytes(entries: I64, list_fits: int, records_fit: int) -> tuple[I64, I64]:
    """Return the bytes that lists and their features write to DRAM and read back, (n,) int64 each.

    A list of more than ``list_fits`` entries is sorted in parts of that size, and merged pairwise
    through DRAM: its entries once per level. Features of more than ``records_fit`` survivors are
    written as they come and read back in order, once.
    """
    parts = -(-entries // list_fits)
    levels = np.frexp(np.maximum(parts - 1, 0).astype(np.float64))[1].astype(np.int64)
    features = np.where(entries > records_fit, entries, 0)
    return entries * levels * constant("entry_bytes"), features * constant("feature_bytes")
