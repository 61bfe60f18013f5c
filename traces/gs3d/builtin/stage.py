"""What a built-in scene is made of before it becomes Gaussians: surfaces, lights, blockers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from math import pi
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = [
    "F64",
    "Light",
    "Stage",
    "Surface",
    "Texture",
    "Vector",
    "box",
    "lathe",
    "patch",
    "rounded",
    "wall",
]

F64 = npt.NDArray[np.float64]

#: x, y, z in metres, y down.
Vector = Sequence[float] | npt.NDArray[Any]

#: Albedo (n, 3) in [0, 1] of points (n, 3) with parameters u, v (n,).
Texture = Callable[[F64, F64, F64], F64]

_OVERLAP = 0.025  # metres by which a wall's patches lie over each other, hiding the cuts


@dataclass(frozen=True)
class Surface:
    """A parametric surface over the unit square.

    Attributes
    ----------
    point
        (n,), (n,) -> (n, 3): position in metres, y down; t_u x t_v points outwards.
    texture
        Albedo.
    detail
        Gaussians per area, relative to other surfaces.
    gloss
        Strength of the mirror highlight, 0 to 1.
    glow
        Share of the albedo that shines by itself.
    flat
        Its borders are sharp edges and it bends little; else it closes on itself.
    cells
        Side of the grid that measures how its area spreads over u and v.
    """

    point: Callable[[F64, F64], F64]
    texture: Texture
    detail: float = 1.0
    gloss: float = 0.05
    glow: float = 0.0
    flat: bool = True
    cells: int = 2


@dataclass(frozen=True)
class Light:
    """A small ball of light: centre, radius, and brightness of a surface facing it."""

    position: tuple[float, float, float]
    radius: float
    brightness: float


@dataclass(frozen=True)
class Stage:
    """Everything that decides a built-in scene's Gaussians.

    Attributes
    ----------
    surfaces, lights
        What there is, and what lights it.
    blockers
        Boxes (low, high) that cast shadows on points outside of them.
    corners
        Planes (point, normal): surfaces near them, and not of them, are darker.
    """

    surfaces: Sequence[Surface]
    lights: Sequence[Light]
    blockers: Sequence[tuple[Sequence[float], Sequence[float]]]
    corners: Sequence[tuple[Sequence[float], Sequence[float]]]


def patch(origin: Vector, u: Vector, v: Vector, texture: Texture, **more: Any) -> Surface:
    """Return the parallelogram origin + [0, 1] u + [0, 1] v; u x v points outwards."""
    o, du, dv = (np.array(a, np.float64) for a in (origin, u, v))
    return Surface(lambda a, b: o + a[:, None] * du + b[:, None] * dv, texture, **more)


def wall(
    origin: Vector,
    u: Vector,
    v: Vector,
    texture: Texture,
    holes: Sequence[tuple[float, float, float, float]],
    **more: Any,
) -> list[Surface]:
    """Return a parallelogram without its holes (u0, u1, v0, v1 in [0, 1]), cut into patches."""
    o, du, dv = (np.array(a, np.float64) for a in (origin, u, v))
    lap_u, lap_v = (_OVERLAP / float(np.linalg.norm(d)) for d in (du, dv))
    rows = sorted({0.0, 1.0, *(r for h in holes for r in h[:2])})
    parts = []
    for top, bottom in pairwise(rows):
        open_here = sorted((h[2], h[3]) for h in holes if h[0] <= top and h[1] >= bottom)
        starts = [0.0, *(end for _, end in open_here)]
        ends = [*(start for start, _ in open_here), 1.0]
        u0, u1 = max(0.0, top - lap_u), min(1.0, bottom + lap_u)
        for start, end in zip(starts, ends):
            v0, v1 = max(0.0, start - lap_v), min(1.0, end + lap_v)
            if end > start:
                corner = o + u0 * du + v0 * dv
                parts.append(patch(corner, (u1 - u0) * du, (v1 - v0) * dv, texture, **more))
    return parts


def box(
    centre: Vector,
    size: Vector,
    texture: Texture,
    *,
    turn_deg: float = 0.0,
    faces: str = "nsweu",
    **more: Any,
) -> list[Surface]:
    """Return faces of an upright box turned about y: n -z, s +z, w -x, e +x, u up, d down."""
    c, (x, y, z) = np.array(centre, np.float64), np.array(size, np.float64) / 2
    angle = np.radians(turn_deg)
    cos, sin = np.cos(angle), np.sin(angle)
    turn = np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]])
    corners = {  # origin and two edges of each face, u x v outwards, y down
        "n": ((-x, -y, -z), (0, 2 * y, 0), (2 * x, 0, 0)),
        "s": ((-x, -y, z), (2 * x, 0, 0), (0, 2 * y, 0)),
        "w": ((-x, -y, -z), (0, 0, 2 * z), (0, 2 * y, 0)),
        "e": ((x, -y, -z), (0, 2 * y, 0), (0, 0, 2 * z)),
        "u": ((-x, -y, -z), (2 * x, 0, 0), (0, 0, 2 * z)),
        "d": ((-x, y, -z), (0, 0, 2 * z), (2 * x, 0, 0)),
    }
    return [patch(c + turn @ o, turn @ np.array(u), turn @ np.array(v), texture, **more)
            for o, u, v in (corners[f] for f in faces)]  # fmt: skip


def lathe(
    centre: Vector,
    profile: Sequence[tuple[float, float]],
    texture: Texture,
    **more: Any,
) -> Surface:
    """Return the surface of revolution about y through ``profile`` (radius, height), top first.

    Heights grow upwards from ``centre`` (against y); the profile runs downwards on the outside.
    """
    c = np.array(centre, np.float64)
    radius, height = np.array(profile, np.float64).T
    knots = np.concatenate([[0], np.cumsum(np.hypot(np.diff(radius), np.diff(height)))])
    knots /= knots[-1]

    def point(u: F64, v: F64) -> F64:
        r, h = np.interp(v, knots, radius), np.interp(v, knots, height)
        angle = 2 * pi * u
        position: F64 = c + np.stack([r * np.cos(angle), -h, -r * np.sin(angle)], axis=1)
        return position

    return Surface(point, texture, **{"flat": False, "cells": 48, **more})


@cache
def _superellipse(roundness: float) -> tuple[Callable[[F64], F64], Callable[[F64], F64]]:
    """Return both coordinates of |x|^(2/r) + |y|^(2/r) = 1 by the share of its length, from (1, 0).

    Equal steps of an angle would leave the flat sides of a box-like curve empty.
    """
    rising = (pi / 4) * np.linspace(0, 1, 200) ** (1 / roundness)
    angle = np.concatenate([rising, pi / 2 - rising[-2::-1]])
    x, y = np.cos(angle) ** roundness, np.sin(angle) ** roundness
    x[-1] = 0.0  # not the cosine's rounding error
    xs = np.concatenate([x, -x[-2::-1], -x[1:], x[-2::-1]])
    ys = np.concatenate([y, y[-2::-1], -y[1:], -y[-2::-1]])
    share = np.concatenate([[0], np.cumsum(np.hypot(np.diff(xs), np.diff(ys)))])
    share /= share[-1]
    return lambda s: np.interp(s, share, xs), lambda s: np.interp(s, share, ys)


def rounded(
    centre: Vector,
    size: Vector,
    texture: Texture,
    *,
    roundness: float = 0.35,
    turn_deg: float = 0.0,
    **more: Any,
) -> Surface:
    """Return a superellipsoid: 1 is an ellipsoid, towards 0 a box with round edges."""
    c, half = np.array(centre, np.float64), np.array(size, np.float64) / 2
    turn = np.radians(turn_deg)

    across, along = _superellipse(roundness)

    def point(u: F64, v: F64) -> F64:
        # v runs down the right half of the curve (0, 1) .. (1, 0) .. (0, -1)
        ring, height = across((0.25 - v / 2) % 1), along((0.25 - v / 2) % 1)
        x, y = ring * across(u) * half[0], -height * half[1]
        z = -ring * along(u) * half[2]
        cos, sin = np.cos(turn), np.sin(turn)
        position: F64 = c + np.stack([x * cos + z * sin, y, z * cos - x * sin], axis=1)
        return position

    return Surface(point, texture, **{"flat": False, "cells": 64, **more})
