"""Fine filter: exact projection, conic, box and colour of a Gaussian that passed the coarse one.

With the slopes (u, v) clamped as INRIA's, the rows of J W without the factor F = f / z are
U = W0 - u W2 and V = W1 - v W2. The scaled principal axes R_k s_k project to e_k = s_k (U R_k) and
g_k = s_k (V R_k), and the 2D covariance is F^2 sum (e_k, g_k)(e_k, g_k)^T plus the low-pass term.

Its determinant would be a small difference of large numbers for needles. By Cauchy and Binet it is
F^4 sum_{i<j} (e_i g_j - e_j g_i)^2 + 0.3 F^2 trace + 0.09, with no difference left to cancel. For
the same reason the renderer gets the quadratic form as a sum of squares,

    power = A (dx - m dy)^2 + C dy^2,  m = xy / yy,  A = yy / det,  C = 1 / yy,

both times 0.5 log2(e), since the exponential is a power of two.
"""

from __future__ import annotations

import math
from itertools import combinations

from archsim.rtl.arithmetic.coarse import LOW_PASS, SIGMAS_SQUARED, beyond
from archsim.rtl.flow.graph import Graph, Node
from archsim.rtl.format import Q
from archsim.rtl.parameters import SUBTILE, TILE

__all__ = ["COLOUR", "MEAN", "SLOPE", "fine_graph", "harmonics_terms"]

#: Centre relative to the tile's first pixel, in pixels.
MEAN = Q(10, 7, signed=True)
#: Shift in x per row, m.
SLOPE = Q(8, 9, signed=True)
#: Colour channel.
COLOUR = Q(2, 8)


def harmonics_terms(degree: int) -> int:
    """Return the spherical harmonics of degrees 1 to ``degree``."""
    return (degree + 1) ** 2 - 1


def fine_graph(degree: int) -> Graph:
    """Return the fine filter's arithmetic for spherical harmonics up to ``degree``.

    Inputs: the coarse filter's ``u, v, reach, px, py``; the decoded ``scale_0..2`` (voxel edges),
    ``rotation_0..3`` (unit quaternion w, x, y, z), ``base_0..2`` (the colour of degree 0, offset
    0.5 included) and ``harmonics_0..`` (coefficient-major, channel inside, times the factor of
    their basis function). Outputs: ``mask_0..3``, the subtiles that the box of ``SIGMAS`` touches,
    row by row; ``mean_x, mean_y``; ``slope``, ``sharp_x`` (A), ``sharp_y`` (C); ``colour_0..2``.
    """
    g = Graph()
    slopes = [g.input("u"), g.input("v")]
    reach, px, py = g.input("reach"), g.input("px"), g.input("py")
    scale = [g.input(f"scale_{k}") for k in range(3)]
    rotation = [g.input(f"rotation_{k}") for k in range(4)]
    view = [[g.port(f"view_{row}{column}") for column in range(3)] for row in range(3)]
    limit = [g.port("limit_x"), g.port("limit_y")]

    clamped = [
        g.maximum(g.minimum(s, most), g.negate(most)) for s, most in zip(slopes, limit, strict=True)
    ]
    jacobian = [
        [g.subtract(view[row][j], g.multiply(clamped[row], view[2][j])) for j in range(3)]
        for row in (0, 1)
    ]
    axes = _axes(g, rotation)
    e, h = (
        [g.multiply(scale[k], g.dot(row, axes[k])) for k in range(3)] for row in jacobian
    )  # fmt: skip
    xx, yy, xy = g.dot(e, e), g.dot(h, h), g.dot(e, h)
    crossed = [
        g.square(g.subtract(g.multiply(e[i], h[j]), g.multiply(e[j], h[i])))
        for i, j in combinations(range(3), 2)
    ]
    squared = g.square(reach)
    low_pass = g.constant(LOW_PASS)
    screen_xx = g.add(g.multiply(squared, xx), low_pass)
    screen_yy = g.add(g.multiply(squared, yy), low_pass)
    screen_xy = g.multiply(squared, xy)
    inner = g.add(g.multiply(squared, g.add(*crossed)), g.multiply(low_pass, g.add(xx, yy)))
    determinant = g.add(g.multiply(squared, inner), g.constant(LOW_PASS**2))
    over_yy = g.reciprocal(screen_yy)
    half = g.constant(0.5 * math.log2(math.e))
    g.output("slope", g.to_fixed(g.multiply(screen_xy, over_yy), SLOPE))
    sharp = g.multiply(g.multiply(half, screen_yy), g.reciprocal(determinant))
    g.output("sharp_x", sharp)
    g.output("sharp_y", g.multiply(half, over_yy))
    for name, value in (("mean_x", px), ("mean_y", py)):
        g.output(name, g.to_fixed(value, MEAN))
    _mask(g, px, py, screen_xx, screen_yy)
    _colour(g, slopes, degree)
    return g


def _axes(g: Graph, q: list[Node]) -> list[list[Node]]:
    """Return the columns of the rotation matrix of a unit quaternion."""
    w, x, y, z = q
    xx, yy, zz = g.square(x), g.square(y), g.square(z)
    xy, xz, yz = g.multiply(x, y), g.multiply(x, z), g.multiply(y, z)
    wx, wy, wz = g.multiply(w, x), g.multiply(w, y), g.multiply(w, z)
    one = g.constant(1.0)

    def straight(a: Node, b: Node) -> Node:
        return g.subtract(one, g.scale(g.add(a, b), 1))

    def plus(a: Node, b: Node) -> Node:
        return g.scale(g.add(a, b), 1)

    def minus(a: Node, b: Node) -> Node:
        return g.scale(g.subtract(a, b), 1)

    return [
        [straight(yy, zz), plus(xy, wz), minus(xz, wy)],
        [minus(xy, wz), straight(xx, zz), plus(yz, wx)],
        [plus(xz, wy), minus(yz, wx), straight(xx, yy)],
    ]


def _mask(g: Graph, px: Node, py: Node, xx: Node, yy: Node) -> None:
    """Add the outputs ``mask_k``: whether subtile k meets the box, bounds of pixel centres."""
    meets = []
    for centre, variance in ((px, xx), (py, yy)):
        bound = g.multiply(variance, g.constant(SIGMAS_SQUARED))
        meets.append(
            [
                g.less(g.square(beyond(g, centre, low, low + SUBTILE - 1.0)), bound)
                for low in range(0, TILE, SUBTILE)
            ]
        )
    for row in (0, 1):
        for column in (0, 1):
            g.output(f"mask_{2 * row + column}", g.both(meets[0][column], meets[1][row]))


def _colour(g: Graph, slopes: list[Node], degree: int) -> None:
    """Add the outputs ``colour_c``; degrees 1 to 3 of the direction from camera to Gaussian."""
    base = [g.input(f"base_{c}") for c in range(3)]
    terms = [
        [g.input(f"harmonics_{3 * k + c}") for c in range(3)]
        for k in range(harmonics_terms(degree))
    ]
    weights: list[Node] = []
    if degree:
        turn = [[g.port(f"turn_{row}{column}") for column in range(3)] for row in range(3)]
        towards = [g.add(g.dot([turn[0][j], turn[1][j]], slopes), turn[2][j]) for j in range(3)]
        shorten = g.inverse_root(g.dot(towards, towards))
        weights = _basis(g, [g.multiply(t, shorten) for t in towards], degree)
    for c in range(3):
        parts = [base[c], *(g.multiply(w, t[c]) for w, t in zip(weights, terms, strict=True))]
        g.output(f"colour_{c}", g.to_fixed(g.add(*parts), COLOUR))


def _basis(g: Graph, direction: list[Node], degree: int) -> list[Node]:
    """Return the polynomials of the basis; their factors and signs are in the coefficients."""
    x, y, z = direction
    weights = [y, z, x]
    if degree > 1:
        xx, yy, zz = g.square(x), g.square(y), g.square(z)
        xy = g.multiply(x, y)
        ring = g.subtract(xx, yy)
        height = g.subtract(g.scale(zz, 1), g.add(xx, yy))
        weights += [xy, g.multiply(y, z), height, g.multiply(x, z), ring]
        if degree > 2:
            three = g.constant(3.0)
            band = g.subtract(g.scale(zz, 2), g.add(xx, yy))
            pole = g.subtract(g.scale(zz, 1), g.multiply(three, g.add(xx, yy)))
            weights += [
                g.multiply(y, g.subtract(g.multiply(three, xx), yy)),
                g.multiply(xy, z),
                g.multiply(y, band),
                g.multiply(z, pole),
                g.multiply(x, band),
                g.multiply(z, ring),
                g.multiply(x, g.subtract(xx, g.multiply(three, yy))),
            ]
    return weights
