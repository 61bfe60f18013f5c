"""``builtin:object``: a still life on a round table, to be seen from all around."""

from __future__ import annotations

from math import pi

import numpy as np

from archsim.traces.gs3d.builtin.props import bowl_of_fruit, mug, vase
from archsim.traces.gs3d.builtin.stage import F64, Light, Stage, Surface, box, lathe, rounded
from archsim.traces.gs3d.builtin.textures import blend, checks, plain, waves, wood
from archsim.traces.gs3d.cameras import Keyframe

__all__ = ["KEYFRAMES", "stage"]

#: The still life's own views: half a turn around it, a little above.
KEYFRAMES = tuple(
    Keyframe(position=(1.35 * np.sin(a), -0.75, -1.35 * np.cos(a)), look_at=(0.0, -0.22, 0.0))
    for a in np.linspace(0, pi, 7)
)


def stage(seed: int) -> Stage:
    """Return the still life; the seed chooses fruit and flowers."""
    rng = np.random.default_rng([seed, 2])
    oak = wood((0.42, 0.27, 0.15), (0.66, 0.46, 0.27), (1, 0, 0.3))
    top = [(0, 0), (0.60, 0), (0.62, -0.015), (0.62, -0.035), (0.60, -0.05), (0, -0.05)]
    steel = plain((0.75, 0.76, 0.78), 0.02)
    surfaces = [
        lathe((0, 0, 0), top, oak, gloss=0.45, detail=1.2, cells=128),
        lathe((0, 0, 0), [(0, 0.002), (0.36, 0.002), (0.37, 0.001)],
              checks((0.90, 0.87, 0.80), (0.66, 0.18, 0.18), 16, 4), detail=3.0),
        _knot((0.0, -0.25, -0.26)),
    ]  # fmt: skip
    surfaces += vase((-0.24, -0.002, 0.10), 0.30, rng)
    surfaces += bowl_of_fruit((0.20, -0.002, 0.08), rng)
    surfaces += mug((0.36, -0.002, -0.24), (0.25, 0.45, 0.50))
    colours = ((0.20, 0.33, 0.48), (0.85, 0.80, 0.68), (0.60, 0.22, 0.20))
    for i, colour in enumerate(colours):
        surfaces += box((-0.36, -0.02 - 0.032 * i, -0.20), (0.22 - 0.02 * i, 0.03, 0.15),
                        plain(colour), turn_deg=20 + 22 * i, detail=2)  # fmt: skip
    surfaces.append(rounded((-0.36, -0.145, -0.20), (0.08, 0.08, 0.08), steel,
                            roundness=1.0, gloss=1.0, detail=2.5))  # fmt: skip
    return Stage(
        surfaces,
        lights=(Light((-1.4, -1.8, -1.2), 0.18, 0.62), Light((1.6, -1.2, 0.9), 0.3, 0.25)),
        blockers=(
            ((-0.33, -0.30, 0.02), (-0.15, 0.0, 0.18)),
            ((0.04, -0.13, -0.08), (0.36, 0.0, 0.24)),
            ((-0.45, -0.10, -0.28), (-0.27, 0.0, -0.12)),
            ((-0.14, -0.40, -0.36), (0.14, -0.12, -0.16)),
            ((0.32, -0.09, -0.28), (0.40, 0.0, -0.20)),
        ),
        corners=(((0, 0, 0), (0, 1, 0)),),
    )


def _knot(centre: tuple[float, float, float]) -> Surface:
    """Return a (2, 3) torus knot of gold and copper, standing upright."""
    ring, wind, tube = 0.115, 0.055, 0.026

    def curve(t: F64) -> tuple[F64, F64]:
        """Position, and the middle of the torus next to it."""
        along = np.stack([np.cos(2 * t), np.sin(2 * t), 0 * t], axis=1)
        middle = ring * along
        out = np.cos(3 * t)[:, None] * along
        out[:, 2] += np.sin(3 * t)
        return middle + wind * out, middle

    def point(u: F64, v: F64) -> F64:
        t = 2 * pi * v
        spine, middle = curve(t)
        ahead, _ = curve(t + 1e-4)
        tangent = ahead - spine
        tangent /= np.linalg.norm(tangent, axis=1)[:, None]
        normal = spine - middle
        normal -= np.einsum("ij,ij->i", normal, tangent)[:, None] * tangent
        normal /= np.linalg.norm(normal, axis=1)[:, None]
        side = np.cross(tangent, normal)
        turn = 2 * pi * u[:, None]
        position: F64 = (
            np.array(centre) + spine + tube * (np.cos(turn) * normal + np.sin(turn) * side)
        )
        return position

    def texture(p: F64, _u: F64, v: F64) -> F64:
        share = 0.5 + 0.5 * np.sin(4 * pi * v)
        return (
            blend((0.85, 0.62, 0.20), (0.72, 0.35, 0.22), share)
            * (1 + 0.05 * waves(p, 40, 10))[:, None]
        )

    return Surface(point, texture, detail=2.2, gloss=1.0, flat=False, cells=64)
