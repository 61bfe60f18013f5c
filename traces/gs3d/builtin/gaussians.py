"""From surfaces to Gaussians whose sizes, shapes and opacities resemble those of trained scenes.

Distributions are log-normal around medians read off trained scenes (the table in docs/scenes.md):
they decide how many tiles and voxels a Gaussian touches, which is what machines feel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import pi, sqrt

import numpy as np
import numpy.typing as npt

from archsim.traces.gs3d.builtin.stage import F64, Light, Stage, Surface
from archsim.traces.gs3d.formats.scene_file import BLOCK, SH_C0, sigmoid
from archsim.traces.gs3d.scene import F32
from archsim.traces.gs3d.sh_rotation import sh_basis

__all__ = ["SCRATCH_BYTES_PER_GAUSSIAN", "gaussians_on"]

#: Peak of making a scene beyond its arrays: the samples' columns, float64 (measured, rounded up).
SCRATCH_BYTES_PER_GAUSSIAN = 300

# Medians and spreads (of the logarithm), fitted by eye to the trained scenes' percentiles.
_SIZE = 0.95  # standard deviation in the surface over the Gaussians' spacing
_SIZE_SPREAD = 0.4
_LONGEST = 2.2  # long axis over size: beyond it the short axis alone shrinks
_THICKEST = 0.25  # thickness over spacing
_ELONGATION, _ELONGATION_SPREAD = 3.0, 0.85  # long over short axis in the surface
_FLATNESS, _FLATNESS_SPREAD = 6.0, 0.8  # short axis in the surface over thickness
_OPACITY_LOGIT, _OPACITY_SPREAD = 0.6, 1.8
_EDGE_PULL = 0.45  # denser by up to 1 / (1 - this) towards the edges of flat surfaces
_STRAY_SHARE = 0.01  # faint Gaussians off the surfaces, as training leaves them
_FEWEST = 6  # Gaussians of the smallest surface
_COLOUR_NOISE = 0.02
# Highlight per SH degree, like a cosine lobe's falling coefficients.
_LOBE = (0.0, 1.0, 0.85, 0.6)


@dataclass
class _Samples:
    """Points on surfaces, all in order of the surfaces; columns of n rows."""

    position: F64
    along: F64  # unit tangent in the direction of u
    normal: F64
    spacing: F64
    limit: F64  # (n, 2): largest size along u and v that the surface's bend or edge allows
    edge: npt.NDArray[np.bool_]  # nearer to a border in u than in v
    albedo: F64
    gloss: F64
    glow: F64

    def rows(self, block: slice) -> _Samples:
        """Return a view of some rows."""
        return _Samples(*(getattr(self, name)[block] for name in _COLUMNS))


_COLUMNS = tuple(_Samples.__dataclass_fields__)


def gaussians_on(
    stage: Stage, count: int, sh_degree: int, seed: int
) -> tuple[F32, F32, F32, F32, F32]:
    """Return means, scales, quats, opacities, sh of ``count`` Gaussians on a stage."""
    rng = np.random.default_rng([seed, count])
    shares = _shares(stage.surfaces, count)
    parts = [_sample(s, n, area, rng) for s, (n, area) in zip(stage.surfaces, shares) if n]
    columns = _Samples(*(np.concatenate([getattr(p, name) for p in parts])
                         for name in _COLUMNS))  # fmt: skip
    del parts
    scales, quats = np.empty((count, 3), np.float32), np.empty((count, 4), np.float32)
    opacities, sh = (
        np.empty(count, np.float32),
        np.zeros((count, (sh_degree + 1) ** 2, 3), np.float32),
    )
    blocks = [slice(start, min(start + BLOCK, count)) for start in range(0, count, BLOCK)]
    for b in blocks:
        scales[b], quats[b], opacities[b] = _shapes(columns.rows(b), rng)
    stray = rng.random(count) < _STRAY_SHARE
    columns.position[stray] += rng.normal(0, 0.04, (int(stray.sum()), 3))
    opacities[stray] *= np.float32(0.12)
    for b in blocks:
        _light(stage, columns.rows(b), sh[b], sh_degree, rng)
    return columns.position.astype(np.float32), scales, quats, opacities, sh


def _shares(surfaces: Sequence[Surface], count: int) -> list[tuple[int, float]]:
    """Return per surface how many of the Gaussians it gets, and its area."""
    areas = np.array([_cell_areas(s).sum() for s in surfaces])
    weights = areas * np.array([s.detail for s in surfaces])
    fewest = min(_FEWEST, count // len(surfaces))
    exact = fewest + (count - fewest * len(surfaces)) * weights / weights.sum()
    whole = np.floor(exact).astype(np.int64)
    order = np.argsort(-(exact - whole), kind="stable")  # largest remainders get the rest
    whole[order[: count - int(whole.sum())]] += 1
    return [(int(n), float(a)) for n, a in zip(whole, areas)]


def _cell_areas(surface: Surface) -> F64:
    """Return (cells, cells), v first: areas of the surface's grid cells (two triangles each)."""
    knots = np.linspace(0, 1, surface.cells + 1)
    v, u = np.meshgrid(knots, knots, indexing="ij")
    p = surface.point(u.ravel(), v.ravel()).reshape(*u.shape, 3)
    a, b, c, d = p[:-1, :-1], p[:-1, 1:], p[1:, 1:], p[1:, :-1]
    first = np.linalg.norm(np.cross(b - a, c - a), axis=-1)
    second = np.linalg.norm(np.cross(c - a, d - a), axis=-1)
    areas: F64 = (first + second) / 2
    return areas


def _sample(surface: Surface, count: int, area: float, rng: np.random.Generator) -> _Samples:
    """Spread points evenly over the surface's area (a low-discrepancy sequence, warped)."""
    index = np.arange(count)
    offset = rng.random(2)
    # the two-dimensional golden ratio sequence; jitter breaks its lattice
    a = (offset[0] + 0.7548776662466927 * index) % 1
    b = (offset[1] + 0.5698402909980532 * index) % 1
    jitter = 0.35 / sqrt(max(1, count))
    a = np.clip(a + rng.uniform(-jitter, jitter, count), 0, 1 - 1e-9)
    b = np.clip(b + rng.uniform(-jitter, jitter, count), 0, 1 - 1e-9)
    spacing = np.full(count, sqrt(area / count))
    if surface.flat:  # edges are where trained scenes spend Gaussians
        for t in (a, b):
            spacing *= np.sqrt(1 - _EDGE_PULL * np.cos(2 * pi * t))
            t -= _EDGE_PULL * np.sin(2 * pi * t) / (2 * pi)
    u, v = _warp(_cell_areas(surface), a, b)
    position = surface.point(u, v)
    du, dv = _tangents(surface, u, v)
    length_u, length_v = np.linalg.norm(du, axis=1), np.linalg.norm(dv, axis=1)
    normal = np.cross(du, dv)
    normal /= np.maximum(np.linalg.norm(normal, axis=1), 1e-12)[:, None]
    along = du / np.maximum(length_u, 1e-12)[:, None]
    edge_u = np.minimum(u, 1 - u) * length_u
    edge_v = np.minimum(v, 1 - v) * length_v
    if surface.flat:
        limit = np.stack([edge_u, edge_v], axis=1) * 0.55 + 0.2 * spacing[:, None]
    else:
        limit = _bend_limits(surface, u, v)
        limit[:, 1] = np.clip(0.55 * edge_v + 0.12 * spacing, 0.3 * spacing, limit[:, 1])
    return _Samples(
        position, along, normal, spacing, limit, limit[:, 0] < limit[:, 1],
        surface.texture(position, u, v), np.full(count, surface.gloss),
        np.full(count, surface.glow),
    )  # fmt: skip


def _warp(areas: F64, a: F64, b: F64) -> tuple[F64, F64]:
    """Map the unit square to (u, v) so that equal parts of it cover equal areas."""
    cells = len(areas)
    rows = areas.sum(axis=1)
    edges = np.concatenate([[0], np.cumsum(rows) / rows.sum()])
    v = np.interp(b, edges, np.arange(cells + 1) / cells)
    row = np.minimum((v * cells).astype(np.int64), cells - 1)
    inner = np.cumsum(areas, axis=1) / np.maximum(rows, 1e-300)[:, None]
    inner = np.concatenate([np.zeros((cells, 1)), inner], axis=1)
    inner[:, -1] = 1
    # every row's distribution in one rising array: row r lives in [r, r + 1]
    rising = (inner + np.arange(cells)[:, None]).ravel()
    places = np.tile(np.arange(cells + 1) / cells, cells) + np.arange(cells).repeat(cells + 1) * 2
    u = np.interp(row + a, rising, places) - 2 * row
    return np.clip(u, 0, 1), v


def _bend_limits(surface: Surface, u: F64, v: F64) -> F64:
    """Return (n, 2): half the way along u and along v on which the surface stays flat.

    Measured on the surface's grid: how far until a point lies off the tangent plane by a fifth
    of its distance.
    """
    cells = surface.cells
    middles = (np.arange(cells) + 0.5) / cells
    grid_v, grid_u = (g.ravel() for g in np.meshgrid(middles, middles, indexing="ij"))
    p = surface.point(grid_u, grid_v).reshape(cells, cells, 3)
    du, dv = _tangents(surface, grid_u, grid_v)
    normal = np.cross(du, dv)
    normal = (normal / np.maximum(np.linalg.norm(normal, axis=1), 1e-12)[:, None]).reshape(p.shape)
    limits = np.full((2, cells, cells), np.inf)
    for axis, limit in ((1, limits[0]), (0, limits[1])):
        for step in (1, 2, 3, 4, 6, 8, 12, 16, 24):
            for way in (step, -step) if step < cells / 2 else ():
                index = np.arange(cells) + way
                index = index % cells if axis == 1 else np.clip(index, 0, cells - 1)
                other = np.take(p, index, axis=axis) - p
                distance = np.linalg.norm(other, axis=2)
                off = np.abs(np.einsum("ijk,ijk->ij", other, normal)) > 0.2 * distance
                np.minimum(limit, np.where(off, 0.5 * distance, np.inf), out=limit)
    limits[~np.isfinite(limits)] = 0.25 * float(np.ptp(p, axis=(0, 1)).max())
    column = np.minimum((u * cells).astype(np.int64), cells - 1)
    row = np.minimum((v * cells).astype(np.int64), cells - 1)
    return np.stack([limits[0, row, column], limits[1, row, column]], axis=1)


def _tangents(surface: Surface, u: F64, v: F64) -> tuple[F64, F64]:
    step = 1e-4
    u0, u1 = np.maximum(u - step, 0), np.minimum(u + step, 1)
    v0, v1 = np.maximum(v - step, 0), np.minimum(v + step, 1)
    du = (surface.point(u1, v) - surface.point(u0, v)) / (u1 - u0)[:, None]
    dv = (surface.point(u, v1) - surface.point(u, v0)) / (v1 - v0)[:, None]
    return du, dv


def _shapes(s: _Samples, rng: np.random.Generator) -> tuple[F32, F32, F32]:
    """Return scales, quaternions and opacities: flat on the surface, long beside edges."""
    n = len(s.position)
    size = s.spacing * _SIZE * np.exp(_SIZE_SPREAD * rng.normal(size=n))
    elongation = np.maximum(1, _ELONGATION * np.exp(_ELONGATION_SPREAD * rng.normal(size=n)))
    flatness = np.maximum(1, _FLATNESS * np.exp(_FLATNESS_SPREAD * rng.normal(size=n)))
    long = size * np.minimum(np.sqrt(elongation), _LONGEST)
    short = long / elongation
    # beside an edge the long axis runs with it, elsewhere along u or v at random
    near = s.limit.min(axis=1) < 1.5 * size
    along_u = np.where(near, ~s.edge, rng.random(n) < 0.5)
    in_u = np.minimum(np.where(along_u, long, short), s.limit[:, 0])
    in_v = np.minimum(np.where(along_u, short, long), s.limit[:, 1])
    thickness = np.minimum(np.minimum(in_u, in_v) / flatness, _THICKEST * s.spacing)
    spin = np.where(near, 0.03, 0.35) * rng.normal(size=n)
    across = np.cross(s.normal, s.along)
    x = s.along * np.cos(spin)[:, None] + across * np.sin(spin)[:, None]
    z = s.normal + 0.03 * rng.normal(size=(n, 3))
    z /= np.linalg.norm(z, axis=1)[:, None]
    y = np.cross(z, x)
    y /= np.maximum(np.linalg.norm(y, axis=1), 1e-12)[:, None]
    x = np.cross(y, z)
    scales = np.stack([in_u, in_v, thickness], axis=1).astype(np.float32)
    opacities = sigmoid(_OPACITY_LOGIT + _OPACITY_SPREAD * rng.normal(size=n))
    return scales, _quats(x, y, z), opacities


def _quats(x: F64, y: F64, z: F64) -> F32:
    """Return unit quaternions w, x, y, z of rotations with columns x, y, z (n, 3) each."""
    trace = np.stack([
        x[:, 0] + y[:, 1] + z[:, 2], x[:, 0] - y[:, 1] - z[:, 2],
        y[:, 1] - x[:, 0] - z[:, 2], z[:, 2] - x[:, 0] - y[:, 1],
    ], axis=1)  # fmt: skip
    best = np.argmax(trace, axis=1)
    root = np.sqrt(1 + trace[np.arange(len(x)), best])
    a, b, c = y[:, 2] - z[:, 1], z[:, 0] - x[:, 2], x[:, 1] - y[:, 0]
    d, e, f = x[:, 1] + y[:, 0], x[:, 2] + z[:, 0], y[:, 2] + z[:, 1]
    square = root * root
    by_largest = np.stack([
        np.stack([square, a, b, c]), np.stack([a, square, d, e]),
        np.stack([b, d, square, f]), np.stack([c, e, f, square]),
    ])  # fmt: skip
    quats = by_largest[best, :, np.arange(len(x))]
    quats /= np.linalg.norm(quats, axis=1)[:, None]
    return quats.astype(np.float32)


def _light(stage: Stage, s: _Samples, sh: F32, sh_degree: int, rng: np.random.Generator) -> None:
    """Write the colours of some rows: light and shadow in DC, highlights in the higher bands."""
    p, n = s.position, s.normal
    open_sky = np.ones(len(p))
    for at, facing in stage.corners:
        distance = np.abs((p - np.array(at)) @ np.array(facing, np.float64))
        across = 1 - np.abs(n @ np.array(facing, np.float64))
        open_sky *= 1 - 0.42 * across * np.exp(-distance / 0.28)
    light = (0.50 - 0.16 * n[:, 1]) * open_sky  # up is -y
    lobes: list[tuple[F64, F64]] = []
    for lamp in stage.lights:
        towards, shine = _towards(stage, lamp, p, n, rng)
        facing = np.einsum("ij,ij->i", n, towards)
        light += shine * np.maximum(facing, 0)
        # seen brightest when looking against the mirrored ray
        mirrored = 2 * facing[:, None] * n - towards
        lobes.append((-mirrored, shine * (facing > 0)))
    colour = s.albedo * (light * (1 - s.glow) + s.glow)[:, None]
    colour += rng.normal(0, _COLOUR_NOISE, (len(p), 1))
    colour = np.clip(colour, 0.01, 0.98)
    sh[:, 0] = (colour - 0.5) / SH_C0
    for direction, strength in lobes if sh_degree else ():
        basis = sh_basis(direction, sh_degree)
        for degree in range(1, sh_degree + 1):
            band = slice(degree * degree, (degree + 1) ** 2)
            amount = 0.55 * _LOBE[degree] * s.gloss * strength
            sh[:, band] += (basis[:, band] * amount[:, None])[:, :, None].astype(np.float32)


def _towards(
    stage: Stage, lamp: Light, p: F64, n: F64, rng: np.random.Generator
) -> tuple[F64, F64]:
    """Return unit directions to points of a lamp, and its brightness there after shadows."""
    spot = np.array(lamp.position) + lamp.radius * rng.normal(size=p.shape) / sqrt(3)
    way = spot - p
    distance = np.maximum(np.linalg.norm(way, axis=1), 1e-6)
    start = p + 0.01 * n
    free = np.ones(len(p), bool)
    inverse = 1 / np.where(np.abs(way) < 1e-9, 1e-9, way)
    for low, high in stage.blockers:
        near, far = (np.array(low) - start) * inverse, (np.array(high) - start) * inverse
        enters = np.minimum(near, far).max(axis=1)
        leaves = np.maximum(near, far).min(axis=1)
        free &= ~((enters < leaves) & (enters > 0) & (enters < 1))
    centre_distance = np.linalg.norm(np.array(lamp.position) - p, axis=1)
    fall = np.minimum(1.4, (3.0 / (1.0 + centre_distance)) ** 1.2)
    return way / distance[:, None], lamp.brightness * fall * free
