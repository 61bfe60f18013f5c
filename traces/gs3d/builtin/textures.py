"""Albedos by formula: plain, noisy, wooden, woven."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from archsim.traces.gs3d.builtin.stage import F64, Texture, Vector

__all__ = ["blend", "checks", "plain", "planks", "stripes", "waves", "wood"]


def waves(p: F64, frequency: float, seed: int, octaves: int = 3) -> F64:
    """Return smooth noise in about [-1, 1] at points (n, 3): sines along random directions."""
    rng = np.random.default_rng(seed)
    total, weight = np.zeros(len(p)), 0.0
    for octave in range(octaves):
        gain = 0.6**octave
        for _ in range(3):
            direction = rng.normal(size=3)
            direction *= frequency * 2**octave / np.linalg.norm(direction)
            total += gain * np.sin(p @ direction + rng.uniform(0, 6.28))
        weight += 1.7 * gain
    return total / weight


def blend(a: Vector, b: Vector, share: npt.NDArray[Any]) -> F64:
    """Return a (share 0) to b (share 1), per point."""
    s = np.clip(share, 0, 1)[:, None]
    mixed: F64 = np.asarray(a) * (1 - s) + np.asarray(b) * s
    return mixed


def plain(colour: Vector, noise: float = 0.06, frequency: float = 9.0) -> Texture:
    """Return one colour with faint stains."""

    def texture(p: F64, _u: F64, _v: F64) -> F64:
        return np.asarray(colour) * (1 + noise * waves(p, frequency, 1))[:, None]

    return texture


def wood(dark: Vector, light: Vector, along: Vector) -> Texture:
    """Return grain that runs along a direction."""
    axis = np.asarray(along, np.float64) / np.linalg.norm(along)

    def texture(p: F64, _u: F64, _v: F64) -> F64:
        squeezed = p - 0.93 * (p @ axis)[:, None] * axis
        ring = np.sin(55 * (squeezed @ np.array([0.6, 0.8, 0.5])) + 4 * waves(squeezed, 7, 2))
        return blend(dark, light, 0.5 + 0.3 * ring + 0.2 * waves(squeezed, 60, 3))

    return texture


def planks(width: float, length: float, dark: Vector, light: Vector) -> Texture:
    """Return floor boards along x with dark joints, each of its own tone."""
    grain = wood(dark, light, (1, 0, 0))

    def texture(p: F64, u: F64, v: F64) -> F64:
        row = np.floor(p[:, 2] / width)
        column = np.floor(p[:, 0] / length + 0.37 * row)
        tone = np.sin(12.9898 * row + 78.233 * column) * 43758.5453
        tone -= np.floor(tone)
        joint = np.minimum(
            np.abs(p[:, 2] / width - np.round(p[:, 2] / width)) * width,
            np.abs(p[:, 0] / length + 0.37 * row - np.round(p[:, 0] / length + 0.37 * row))
            * length,
        )
        shade = (0.78 + 0.35 * tone) * (1 - 0.35 * np.exp(-((joint / 0.012) ** 2)))
        return grain(p + tone[:, None], u, v) * shade[:, None]

    return texture


def stripes(a: Vector, b: Vector, along: Vector, period: float) -> Texture:
    """Return soft stripes across a direction."""
    axis = np.asarray(along, np.float64)

    def texture(p: F64, _u: F64, _v: F64) -> F64:
        wave = np.sin(2 * np.pi * (p @ axis) / period)
        return blend(a, b, 0.5 + 1.5 * wave) * (1 + 0.05 * waves(p, 40, 4))[:, None]

    return texture


def checks(a: Vector, b: Vector, columns: int, rows: int) -> Texture:
    """Return a checkerboard in u and v."""

    def texture(p: F64, u: F64, v: F64) -> F64:
        odd = (np.floor(u * columns) + np.floor(v * rows)) % 2
        return blend(a, b, odd) * (1 + 0.05 * waves(p, 30, 5))[:, None]

    return texture
