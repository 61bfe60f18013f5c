"""How often rays of a group repeat what other rays have just met: pairs of voxels and their reuse.

Neighbouring rays meet mostly the same voxels in the same order, so a small memory of the last pairs
in front of the adjacency table spares it most look-ups. Rays go through the grid in waves of
neighbours, row by row, one cell a cycle each; the memory sees what the rays of a wave meet in a
cycle one after the other. It keeps the pairs last met, the least recently met leaves (LRU), so what
passes through a larger one passes through a smaller one, and one walk serves all sizes (Mattson et
al. 1970).

A pair is a voxel and the one before it on the ray; a ray's first voxel has none before it.
"""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from archsim.base.jit import njit

__all__ = ["FILTER_ENTRIES", "count_passed"]

Array = npt.NDArray[Any]

#: Sizes of the memory whose misses are recorded, in pairs; 0 lets everything pass.
FILTER_ENTRIES = (0, 1, 2, 4, 8, 16, 32, 64, 128, 256)


@njit()
def count_passed(
    trail: Array, rays: int, longest: int, recent: Array, kept: int, passed: Array
) -> int:
    """Send a wave's pairs through the memory; return how many pairs it then keeps.

    Parameters
    ----------
    trail : (rays, cells) int32
        Pair that each ray of the wave meets at each of its steps, -1 for an empty cell; the first
        ``rays`` and ``longest`` count.
    recent : (largest size,) int32
        Pairs kept, the last met first; the first ``kept`` count.
    passed : (sizes,) int64
        Pairs that each size of :data:`FILTER_ENTRIES` lets through, added to.
    """
    for step in range(longest):
        for ray in range(rays):
            pair = trail[ray, step]
            if pair == -1:
                continue
            place = 0
            while place < kept and recent[place] != pair:
                place += 1
            if place == kept:
                fewest = passed.size  # no size has it
                if kept < recent.size:
                    kept += 1
                else:
                    place -= 1
            else:
                fewest = 1  # index of the smallest size that has it
                while (1 << (fewest - 1)) <= place:
                    fewest += 1
            for i in range(place, 0, -1):
                recent[i] = recent[i - 1]
            recent[0] = pair
            for size in range(fewest):
                passed[size] += 1
    return kept
