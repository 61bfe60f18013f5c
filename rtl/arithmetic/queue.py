"""The order of a tile's voxels, as the voxel sorting unit finds it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from archsim.base.jit import njit

__all__ = ["order_samples"]

Table = npt.NDArray[np.int64]


@njit()
def order_samples(
    rename: Table, cell: Table, first: Table, miss: Table, rows: int
) -> tuple[Table, int, int, int]:
    """Return the voxels of a tile in the unit's order, and its cycles, edges and dropped samples.

    The cycles are those from its first sample to its last voxel, both counted, samples always at
    hand and the queue never full.
    """
    local = np.full(rename.max() + 1 if rename.size else 1, -1, np.int64)
    name = np.zeros(rows, np.int64)
    near = np.zeros((rows, rows), np.uint8)
    waiting = np.zeros(rows, np.int64)
    count, before, dropped, edges, cycles = 0, -1, 0, 0, 0
    for n in range(cell.size):
        cycles += 2
        if first[n]:
            before = -1
        voxel = rename[cell[n]]
        if voxel < 0 or miss[n]:
            continue
        cycles += 3
        if local[voxel] < 0:
            if count == rows:
                dropped += 1
                continue
            local[voxel] = count
            name[count] = voxel
            count += 1
        cycles += 1
        here = local[voxel]
        if before >= 0 and not near[before, here]:
            near[before, here] = 1
            waiting[here] += 1
            edges += 1
        before = here
    queue = np.zeros(count, np.int64)
    done = np.zeros(count, np.uint8)
    size = 0
    while size < count:
        begin = size
        for n in range(count):
            if not done[n] and waiting[n] == 0:
                done[n] = 2
        for n in range(count):
            if done[n] == 2:
                done[n] = 1
                queue[size] = n
                size += 1
        if size == begin:
            break  # a circle: no pinhole makes one
        cycles += 2
        for k in range(begin, size):
            cycles += 2
            for n in range(count):
                if near[queue[k], n]:
                    waiting[n] -= 1
                    cycles += 1
    # the first round's pick has only the one cycle, the last voxel no edges to look for
    return name[queue[:size]], cycles + (2 if count == 0 else -2), edges, dropped
