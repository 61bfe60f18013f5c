"""Placement: where a voxel's corner lies in view space, and the principal point in its tile."""

from __future__ import annotations

from archsim.rtl.flow.graph import Graph
from archsim.rtl.format import Q

__all__ = ["placement_graph"]


def placement_graph() -> Graph:
    """Return the arithmetic of a visit.

    Inputs: ``ix, iy, iz`` (the voxel in the grid) and ``x, y`` (the tile's first pixel). Outputs:
    ``corner_x, corner_y, corner_z`` in voxel edges, and ``centre_x, centre_y`` in pixels.
    """
    g = Graph()
    index = [g.from_fixed(g.input(f"i{axis}", Q(8, 0))) for axis in "xyz"]
    pixel = [g.from_fixed(g.input(axis, Q(12, 0))) for axis in "xy"]
    view = [[g.port(f"view_{row}{column}") for column in range(3)] for row in range(3)]
    for row, axis in enumerate("xyz"):
        g.output(f"corner_{axis}", g.add(g.dot(view[row], index), g.port(f"origin_{axis}")))
    for axis, first in zip("xy", pixel, strict=True):
        g.output(f"centre_{axis}", g.subtract(g.port(f"principal_{axis}"), first))
    return g
