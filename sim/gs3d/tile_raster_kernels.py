"""The kernels of INRIA's rasteriser on a recorded frame, in launch order.

Order and arrays follow diff-gaussian-rasterization (59f5f77): preprocess, prefix sum over the
touched tiles, duplicate with keys, radix sort, tile ranges, render. DRAM bytes are whole sectors,
each moved once per piece of a kernel.
"""

from __future__ import annotations

from archsim.sim.gpu.device import Device
from archsim.sim.gpu.pieces import Kernel
from archsim.sim.gs3d.tile_raster_frame import frame_of
from archsim.sim.gs3d.tile_raster_gaussians import preprocess, scan
from archsim.sim.gs3d.tile_raster_pairs import Sort, duplicate, passes_of, ranges, sort_pairs
from archsim.sim.gs3d.tile_raster_render import render
from archsim.traces.trace import Trace

__all__ = ["Sort", "tile_raster_kernels"]


def tile_raster_kernels(trace: Trace, device: Device, sort: Sort) -> list[Kernel]:
    """Return the kernels of one frame, in launch order."""
    frame = frame_of(trace, device)
    coefficients = (int(trace.meta["sh_degree"]) + 1) ** 2
    passes = passes_of(sort, int(trace.meta["key_bits"]))
    return [
        preprocess(frame, coefficients),
        scan(frame),
        duplicate(frame),
        *sort_pairs(frame, sort, passes),
        ranges(frame, trace.columns["tile.pairs"].size, passes % 2),
        render(frame, trace, passes % 2),
    ]
