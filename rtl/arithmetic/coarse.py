"""Coarse filter: projected centre and a bound of the radius against the tile.

A Gaussian's four parameters are its place inside the voxel and its largest scale, both in voxel
edges. With the voxel's corner in view space, the view-space centre is corner + R p. Its variance
on screen is at most (s f / z)^2 (1 + u^2 + v^2) + low-pass (see
:mod:`archsim.traces.gs3d.streaminggs.filters`); the square of ``SIGMAS`` standard deviations is
tested against the tile's pixel centres, without a root.
"""

from __future__ import annotations

from archsim.rtl.flow.graph import Graph, Node
from archsim.rtl.format import Q
from archsim.rtl.parameters import TILE

__all__ = ["LOW_PASS", "PLACE", "SIGMAS_SQUARED", "SIZE", "beyond", "coarse_graph"]

#: Place inside the voxel, and sizes, in voxel edges.
PLACE, SIZE = Q(0, 16), Q(2, 14)

#: 2 ln 255: beyond these standard deviations alpha is under 1/255 (gsplat's 3.33, squared).
SIGMAS_SQUARED = 11.09
#: Added to the diagonal of the 2D covariance in pixels squared (INRIA).
LOW_PASS = 0.3


def beyond(g: Graph, centre: Node, low: float, high: float) -> Node:
    """Return how far ``centre`` lies outside the interval [low, high], at least 0."""
    below = g.negate(centre) if low == 0 else g.subtract(g.constant(low), centre)
    above = g.subtract(centre, g.constant(high))
    return g.first_positive(below, above)  # never both


def coarse_graph() -> Graph:
    """Return the coarse filter's arithmetic.

    Inputs: ``x, y, z`` (place), ``size`` (largest scale), ``corner_x, corner_y, corner_z`` (the
    voxel's corner in view space, in voxel edges), ``centre_x, centre_y`` (principal point relative
    to the tile's first pixel). Row 1 of the view is scaled by fy / fx, so that one focal length
    serves both axes. Outputs: ``keep``, and what the fine filter goes on with: ``u, v`` (slopes of
    the view ray), ``reach`` (pixels per voxel edge at its depth), ``px, py`` (centre relative to
    the tile's first pixel) and ``depth``.
    """
    g = Graph()
    place = [g.from_fixed(g.input(axis, PLACE)) for axis in "xyz"]
    size = g.from_fixed(g.input("size", SIZE))
    corner = [g.input(f"corner_{axis}") for axis in "xyz"]
    centre = [g.input(f"centre_{axis}") for axis in "xy"]
    view = [[g.port(f"view_{row}{column}") for column in range(3)] for row in range(3)]
    focal, near, spread = g.port("focal"), g.port("near_plane"), g.port("spread")
    limit = [g.port("limit_x"), g.port("limit_y")]
    point = [g.add(g.dot(row, place), offset) for row, offset in zip(view, corner, strict=True)]
    nearness = g.reciprocal(point[2])
    slope = [g.multiply(point[axis], nearness) for axis in (0, 1)]
    pixel = [g.add(g.multiply(focal, s), c) for s, c in zip(slope, centre, strict=True)]
    reach = g.multiply(focal, nearness)

    clamped = [g.minimum(g.magnitude(s), most) for s, most in zip(slope, limit, strict=True)]
    oblique = g.add(g.constant(1.0), g.square(clamped[0]), g.square(clamped[1]))
    bound = g.multiply(g.multiply(g.square(g.multiply(size, reach)), oblique), spread)
    bound = g.add(bound, g.constant(SIGMAS_SQUARED * LOW_PASS * 1.01))
    outside = [beyond(g, p, 0.0, TILE - 1.0) for p in pixel]
    distance = g.square(g.maximum(*outside))
    in_front = g.less(near, point[2])
    # widened so that cut fractions never drop what the fine filter would keep
    inside = g.less(distance, g.multiply(bound, g.constant(1.0 + 2.0**-10)))
    g.output("keep", g.both(in_front, inside))
    for name, node in zip(
        ("u", "v", "reach", "px", "py", "depth"), [*slope, reach, *pixel, point[2]], strict=True
    ):
        g.output(name, node)
    return g
