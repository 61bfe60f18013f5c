"""The kernels over Gaussians: preprocess, and the prefix sum over the tiles that each touches.

A Gaussian behind the near plane reads its mean only; one in front of it also scale and rotation,
and writes its covariance; one that touches a tile reads opacity and harmonics too. The trace
counts those in front per block of 256, so they are taken as neighbours there.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from archsim.sim.gpu.pieces import Kernel, Stream
from archsim.sim.gpu.runs import join, picked, spans
from archsim.sim.gs3d.tile_raster_frame import (
    BLOCK,
    CLAMPED_BYTES,
    CONIC_BYTES,
    COV3D_BYTES,
    DEPTH_BYTES,
    MEAN2D_BYTES,
    RGB_BYTES,
    WARP,
    Frame,
    WarpWork,
    warps_of,
)  # fmt: skip
from archsim.sim.program import MemoryRuns

__all__ = ["preprocess", "scan"]

I64 = npt.NDArray[np.int64]


def preprocess(frame: Frame, coefficients: int) -> Kernel:
    """Return the kernel that projects Gaussians and computes colours from so many coefficients."""
    edges, index, sector = frame.cut(frame.gaussians), frame.index, frame.sector
    warp = index // WARP
    active = warp[np.flatnonzero(np.diff(warp, prepend=-1))]  # warps with a visible lane
    active_warps = np.diff(np.searchsorted(active, edges // WARP))
    active_warps[-1] = active.size - int(active_warps[:-1].sum())
    work = WarpWork(frame, edges.size - 1)
    work.add("preprocess/gaussian", warps_of(edges), frame.gaussians)
    front_warps = np.add.reduceat(-(-frame.in_front // WARP), edges[:-1] // BLOCK)
    work.add("preprocess/in_front", np.maximum(front_warps, active_warps),
             int(frame.in_front.sum()))  # fmt: skip
    work.add("preprocess/visible", active_warps, index.size)
    work.add("preprocess/direction", active_warps, index.size)
    work.add("preprocess/coefficient", active_warps, index.size, times=coefficients)
    place = frame.layout.place
    means, scales = place(frame.gaussians * 12), place(frame.gaussians * 12)
    rotations, opacities = place(frame.gaussians * 16), place(frame.gaussians * 4)
    harmonics = place(frame.gaussians * 12 * coefficients)
    clamped, cov3d = place(frame.gaussians * CLAMPED_BYTES), place(frame.gaussians * COV3D_BYTES)

    def visible(base: int, item_bytes: int) -> MemoryRuns:
        return picked(base, item_bytes, index, edges, sector)

    reads = (
        Stream("preprocess.means", spans(means, edges * 12, sector)),
        Stream("preprocess.shape", join(
            _ahead(frame, scales, 12, edges), _ahead(frame, rotations, 16, edges),
            visible(opacities, 4))),
        Stream("preprocess.harmonics", visible(harmonics, 12 * coefficients)),
    )  # fmt: skip
    writes = (
        Stream("preprocess.radius_tiles", join(
            spans(frame.radius, edges * 4, sector), spans(frame.tiles_touched, edges * 4, sector))),
        Stream("preprocess.features", join(
            visible(frame.depth, DEPTH_BYTES), visible(clamped, CLAMPED_BYTES),
            visible(frame.mean2d, MEAN2D_BYTES), visible(frame.conic, CONIC_BYTES),
            visible(frame.rgb, RGB_BYTES))),
        Stream("preprocess.covariance", _ahead(frame, cov3d, COV3D_BYTES, edges)),
    )  # fmt: skip
    return work.kernel("preprocess", edges, reads, writes, trips=3)


def _ahead(frame: Frame, base: int, item_bytes: int, edges: I64) -> MemoryRuns:
    """Return the runs of the Gaussians in front of the near plane, one per block of 256."""
    block = np.flatnonzero(frame.in_front)
    size = frame.in_front[block] * item_bytes
    ptr = np.searchsorted(block, -(-edges // BLOCK)).astype(np.int64)
    size = -(-size // frame.sector) * frame.sector
    return MemoryRuns(ptr, base + block * (BLOCK * item_bytes), size)


def scan(frame: Frame) -> Kernel:
    """Return the prefix sum over the tiles that each Gaussian touches."""
    edges = frame.cut(frame.gaussians)
    work = WarpWork(frame, edges.size - 1)
    work.add("scan/item", warps_of(edges), frame.gaussians)
    reads = (Stream("scan.tiles", spans(frame.tiles_touched, edges * 4, frame.sector)),)
    writes = (Stream("scan.offsets", spans(frame.offset, edges * 4, frame.sector)),)
    # CUB initialises the look-back state in a kernel of its own
    return work.kernel("scan", edges, reads, writes, launches=2)
