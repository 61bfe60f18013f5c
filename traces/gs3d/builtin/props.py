"""Things that stand about in the built-in scenes: books, plants, fruit, crockery, cloth."""

from __future__ import annotations

from collections.abc import Sequence
from math import pi

import numpy as np

from archsim.traces.gs3d.builtin.stage import F64, Surface, Texture, box, lathe, rounded
from archsim.traces.gs3d.builtin.textures import blend, plain, stripes, waves

__all__ = ["book_row", "bowl_of_fruit", "curtain", "mug", "plant", "vase"]

_SPINES = (
    (0.62, 0.20, 0.18), (0.20, 0.34, 0.48), (0.85, 0.72, 0.42), (0.25, 0.42, 0.32),
    (0.88, 0.86, 0.80), (0.38, 0.25, 0.40), (0.78, 0.46, 0.24), (0.16, 0.18, 0.22),
)  # fmt: skip


def book_row(
    start: Sequence[float], length: float, tallest: float, rng: np.random.Generator
) -> list[Surface]:
    """Return upright books side by side along +z, spines to -x, with a gap at the end."""
    parts: list[Surface] = []
    z, end = start[2], start[2] + length * rng.uniform(0.75, 0.98)
    while z < end:
        thick, tall = rng.uniform(0.025, 0.06), tallest * rng.uniform(0.65, 0.95)
        deep = rng.uniform(0.17, 0.22)
        colour = np.array(_SPINES[rng.integers(len(_SPINES))]) * rng.uniform(0.85, 1.1)
        band = stripes(colour, 0.6 * colour + 0.25, (0, 1, 0), tall * rng.uniform(0.5, 0.9))
        centre = (start[0] + rng.uniform(-0.02, 0.02), start[1] - tall / 2, z + thick / 2)
        parts += box(centre, (deep, tall, thick), band, detail=2.2, gloss=0.15)
        z += thick + 0.002
    return parts


def _leaf(base: F64, azimuth: float, length: float, rise: float, width: float,
          green: F64) -> Surface:  # fmt: skip
    out = np.array([np.cos(azimuth), 0, np.sin(azimuth)])
    side = np.array([-np.sin(azimuth), 0, np.cos(azimuth)])
    up = np.array([0.0, -1.0, 0.0])

    def point(u: F64, v: F64) -> F64:
        across = (u - 0.5) * width * np.sin(pi * np.clip(v, 0.02, 0.98) ** 0.75)
        spine = base + np.outer(length * v, out) + np.outer(rise * v - 0.75 * rise * v**2.2, up)
        fold = np.outer(0.3 * np.abs(across), up)
        position: F64 = spine + np.outer(across, side) + fold
        return position

    def texture(p: F64, u: F64, v: F64) -> F64:
        vein = np.exp(-(((u - 0.5) / 0.05) ** 2)) + 0.3 * np.abs(
            np.sin(22 * v + 6 * np.abs(u - 0.5))
        )
        return (
            blend(green, np.array([0.62, 0.74, 0.36]), 0.45 * vein)
            * (1 + 0.08 * waves(p, 25, 7))[:, None]
        )

    return Surface(point, texture, detail=1.5, gloss=0.35, cells=12)


def plant(foot: Sequence[float], height: float, rng: np.random.Generator) -> list[Surface]:
    """Return a pot plant with arching leaves around a stem."""
    x, y, z = foot
    clay = plain((0.70, 0.40, 0.28), 0.08, 20)
    pot = [(0.0, 0.34), (0.15, 0.34), (0.17, 0.38), (0.20, 0.38), (0.19, 0.30), (0.14, 0.0)]
    stem = [(0.014, height), (0.02, 0.34)]
    parts = [lathe(foot, pot, clay, detail=1.4), lathe(foot, stem, plain((0.36, 0.28, 0.16)))]
    for leaf in range(34):
        level = 0.45 + (height - 0.45) * (leaf / 33) ** 0.8
        azimuth = 2.399963 * leaf + rng.normal(0, 0.2)  # the golden angle, as leaves grow
        reach = (0.62 - 0.28 * leaf / 33) * rng.uniform(0.8, 1.1)
        green = np.array([0.16, 0.36, 0.14]) * rng.uniform(0.8, 1.35)
        parts.append(_leaf(np.array([x, y - level, z]), azimuth, reach, rng.uniform(0.2, 0.5),
                           rng.uniform(0.10, 0.16), green))  # fmt: skip
    return parts


def _fruit_skin(colour: Sequence[float], blush: Sequence[float]) -> Texture:
    def texture(p: F64, u: F64, v: F64) -> F64:
        mixed: F64 = blend(colour, blush, 0.5 + 0.6 * waves(p, 22, 9))
        return mixed * (1 - 0.5 * np.exp(-((v / 0.06) ** 2)))[:, None]

    return texture


def bowl_of_fruit(foot: Sequence[float], rng: np.random.Generator) -> list[Surface]:
    """Return a glazed bowl, 36 cm wide, with oranges, apples and lemons."""
    x, y, z = foot
    glaze = stripes((0.86, 0.88, 0.86), (0.20, 0.38, 0.55), (0, 1, 0), 0.055)
    outside = [(0.18, 0.11), (0.15, 0.05), (0.07, 0.005), (0.0, 0.0)]
    inside = [(0.0, 0.02), (0.08, 0.03), (0.14, 0.06), (0.175, 0.11)]
    parts = [lathe(foot, outside, glaze, gloss=0.7, detail=2.2),
             lathe(foot, inside, plain((0.88, 0.88, 0.84)), gloss=0.5, detail=1.5)]  # fmt: skip
    skins = (
        _fruit_skin((0.93, 0.52, 0.10), (0.97, 0.62, 0.18)),
        _fruit_skin((0.75, 0.14, 0.12), (0.88, 0.62, 0.22)),
        _fruit_skin((0.93, 0.80, 0.20), (0.88, 0.86, 0.35)),
    )
    for i in range(6):
        ring = 0.0 if i == 5 else 0.088
        angle = 2 * pi * i / 5 + rng.uniform(-0.1, 0.1)
        size = rng.uniform(0.085, 0.10)
        place = (x + ring * np.cos(angle), y - (0.15 if i == 5 else 0.09), z + ring * np.sin(angle))
        parts.append(rounded(place, (size, size * 0.95, size), skins[i % 3], roundness=1.0,
                             gloss=0.6, detail=2.6))  # fmt: skip
    return parts


def mug(foot: Sequence[float], colour: Sequence[float]) -> list[Surface]:
    """Return a mug, 9 cm tall, with coffee in it."""
    glaze = plain(colour, 0.03)
    profile = [(0.036, 0.02), (0.036, 0.09), (0.042, 0.09), (0.042, 0.0)]
    x, y, z = foot

    def handle(u: F64, v: F64) -> F64:
        bend, around = pi * (v - 0.5), 2 * pi * u
        ring = 0.028 + 0.007 * np.cos(around)
        return np.stack([x + 0.04 + ring * np.cos(bend), y - 0.047 + ring * np.sin(bend),
                         z - 0.007 * np.sin(around)], axis=1)  # fmt: skip

    return [
        lathe(foot, profile, glaze, gloss=0.7, detail=3),
        lathe(foot, [(0, 0.075), (0.036, 0.075)], plain((0.22, 0.12, 0.06)), gloss=0.6, detail=2.5),
        Surface(handle, glaze, detail=3, gloss=0.7, flat=False, cells=16),
    ]


def vase(foot: Sequence[float], height: float, rng: np.random.Generator) -> list[Surface]:
    """Return a bellied vase with a dozen round blossoms on stems."""
    x, y, z = foot
    h = height
    belly = [(0.02, 0.93 * h), (0.04, 0.97 * h), (0.055, h), (0.05, 0.9 * h), (0.04, 0.82 * h),
             (0.09, 0.5 * h), (0.10, 0.35 * h), (0.07, 0.08 * h), (0.06, 0.0)]  # fmt: skip
    glaze = stripes((0.18, 0.30, 0.52), (0.90, 0.90, 0.86), (0, 1, 0), 0.09)
    parts = [lathe(foot, belly, glaze, gloss=0.8, detail=2.2)]
    for i in range(12):
        angle, lean = 2.399963 * i, 0.05 + 0.012 * i
        top = h * rng.uniform(1.35, 1.75)
        tip = (x + lean * np.cos(angle), y - top, z + lean * np.sin(angle))
        petal = np.array(((0.90, 0.42, 0.45), (0.96, 0.80, 0.40), (0.92, 0.90, 0.86))[i % 3])
        parts.append(rounded(tip, (0.07, 0.06, 0.07), stripes(petal, 0.8 * petal, (1, 1, 1), 0.02),
                             roundness=0.9, detail=2.6))  # fmt: skip
        parts.append(_stem(np.array([x, y - 0.9 * h, z]), np.array(tip)))
    return parts


def _stem(low: F64, high: F64) -> Surface:
    def point(u: F64, v: F64) -> F64:
        around = 2 * pi * u
        ring = 0.003 * np.stack([np.cos(around), 0 * u, -np.sin(around)], axis=1)
        return high + v[:, None] * (low - high) + ring

    return Surface(point, plain((0.25, 0.42, 0.18)), detail=1.5, flat=False)


def curtain(top: Sequence[float], width: float, drop: float, texture: Texture) -> Surface:
    """Return cloth that hangs from ``top`` (its upper middle) in folds along z, facing +x."""
    x, y, z = top

    def point(u: F64, v: F64) -> F64:
        fold = 0.035 * np.sin(2 * pi * 5 * v + 1.5 * u) * (0.6 + 0.4 * u)
        return np.stack([x + fold, y + drop * u, z + width * (v - 0.5)], axis=1)

    return Surface(point, texture, detail=1.0, cells=24)
