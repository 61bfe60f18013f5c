"""``builtin:room``: a furnished living room of 6 x 4.6 x 2.7 m, open at the front and the top.

It has a floor and three walls, so that an orbit from the front sees in as into a doll's house;
views from behind see the walls' backs. Its own path stands inside at eye height.
"""

from __future__ import annotations

from math import pi

import numpy as np

from archsim.traces.gs3d.builtin.props import book_row, bowl_of_fruit, curtain, mug, plant, vase
from archsim.traces.gs3d.builtin.stage import (
    F64,
    Light,
    Stage,
    Surface,
    Texture,
    box,
    lathe,
    patch,
    rounded,
    wall,
)
from archsim.traces.gs3d.builtin.textures import blend, plain, planks, stripes, waves, wood
from archsim.traces.gs3d.cameras import Keyframe

__all__ = ["KEYFRAMES", "stage"]

#: The room's own views: a walk along the open front, looking in.
KEYFRAMES = (
    Keyframe(position=(-0.2, -1.5, -2.2), look_at=(0.1, -0.75, 1.5)),
    Keyframe(position=(-2.1, -1.5, -1.9), look_at=(1.4, -0.8, 1.2)),
    Keyframe(position=(2.2, -1.5, -1.9), look_at=(-1.4, -0.8, 1.0)),
)

_X, _Z, _HEIGHT = 3.0, 2.3, 2.7  # half width, half depth, height in metres
_HIGH, _LOW, _FRONT, _BACK = -2.15, -0.9, -1.2, 0.6  # the window in the left wall
_WALL = (0.80, 0.77, 0.70)
_SIDE_WALL = (0.55, 0.63, 0.62)
_OAK, _OAK_DARK = (0.74, 0.55, 0.36), (0.50, 0.34, 0.20)
_WALNUT, _WALNUT_DARK = (0.45, 0.30, 0.20), (0.27, 0.17, 0.11)
_SOFA = (0.20, 0.38, 0.44)
_CHAIR = (0.72, 0.45, 0.22)


def stage(seed: int) -> Stage:
    """Return the room; the seed chooses books, leaves and fruit."""
    rng = np.random.default_rng([seed, 1])
    surfaces = [*_shell(), *_window(), *_sofa(), *_table(rng), *_shelf(rng), *_armchair()]
    surfaces += [*_lamp(), *_sideboard(rng), *_pictures()]
    surfaces += plant((2.45, 0.0, 1.75), 1.35, rng)
    return Stage(
        surfaces,
        lights=(
            Light((-2.7, -1.6, -0.3), 0.45, 0.42),
            Light((-2.35, -1.75, 1.75), 0.12, 0.30),
            Light((0.8, -3.6, -2.2), 0.5, 0.34),
        ),
        blockers=(
            ((-1.75, -0.75, 1.25), (0.75, -0.05, 2.2)),
            ((-0.55, -0.45, -0.45), (0.55, -0.38, 0.65)),
            ((2.62, -2.1, -0.1), (3.0, 0.0, 1.3)),
            ((1.2, -0.8, -1.0), (2.0, -0.1, -0.2)),
            ((-2.95, -0.75, -1.1), (-2.5, -0.05, 0.6)),
            ((2.25, -0.4, 1.55), (2.65, 0.0, 1.95)),
        ),
        corners=(
            ((0, 0, 0), (0, 1, 0)), ((0, 0, _Z), (0, 0, 1)),
            ((-_X, 0, 0), (1, 0, 0)), ((_X, 0, 0), (1, 0, 0)),
        ),
    )  # fmt: skip


def _shell() -> list[Surface]:
    floor = planks(0.16, 1.3, _OAK_DARK, _OAK)
    wall_paint, side = plain(_WALL, 0.03, 2.0), plain(_SIDE_WALL, 0.03, 2.0)
    skirting = plain((0.9, 0.89, 0.86), 0.02)
    parts = [
        patch((-_X, 0, -_Z), (2 * _X, 0, 0), (0, 0, 2 * _Z), floor, detail=2.2, gloss=0.25),
        *box((0, -0.05, _Z - 0.01), (2 * _X, 0.1, 0.02), skirting, detail=0.8),
        *box((_X - 0.01, -0.05, 0), (0.02, 0.1, 2 * _Z), skirting, detail=0.8),
        *box((-_X + 0.01, -0.05, 0), (0.02, 0.1, 2 * _Z), skirting, detail=0.8),
    ]
    # walls have holes where something hangs or stands flat against them
    parts += wall((-_X, -_HEIGHT, _Z), (0, _HEIGHT, 0), (2 * _X, 0, 0), wall_paint,
                  [_hole(-2.15, -1.29, -1.18, 0.18, -_X, 2 * _X),
                   _hole(-2.11, -1.29, 1.24, 1.86, -_X, 2 * _X)], detail=0.7)  # fmt: skip
    parts += wall((-_X, -_HEIGHT, -_Z), (0, _HEIGHT, 0), (0, 0, 2 * _Z), side,
                  [_hole(_HIGH, _LOW, _FRONT, _BACK, -_Z, 2 * _Z)], detail=0.7)  # fmt: skip
    right = [_hole(-2.03, -1.17, -1.58, -0.92, -_Z, 2 * _Z), _hole(-2.1, 0, -0.1, 1.3, -_Z, 2 * _Z)]
    parts += wall((_X, -_HEIGHT, -_Z), (0, 0, 2 * _Z), (0, _HEIGHT, 0), side,
                  [(h[2], h[3], h[0], h[1]) for h in right], detail=0.7)  # fmt: skip
    parts.append(patch((-1.5, -0.012, -0.75), (3.0, 0, 0), (0, 0, 1.75), _rug, detail=3.0))
    return parts


def _hole(
    top: float, bottom: float, low: float, high: float, start: float, length: float
) -> tuple[float, float, float, float]:
    """Return a hole for a wall whose u runs down and v from ``start``; the bounds in metres."""
    return (
        1 + top / _HEIGHT, 1 + bottom / _HEIGHT, (low - start) / length, (high - start) / length
    )  # fmt: skip


def _rug(p: F64, u: F64, v: F64) -> F64:
    border = np.minimum(np.minimum(u, 1 - u) * 3.0, np.minimum(v, 1 - v) * 1.75)
    diamond = np.abs((u * 9) % 1 - 0.5) + np.abs((v * 5) % 1 - 0.5)
    field = blend((0.58, 0.20, 0.17), (0.86, 0.74, 0.52), (diamond < 0.27).astype(float))
    field = blend(field, (0.16, 0.20, 0.33), (np.abs(diamond - 0.4) < 0.06).astype(float))
    edge = blend((0.16, 0.20, 0.33), (0.86, 0.74, 0.52), (np.abs(border - 0.09) < 0.02) * 1.0)
    colour = np.where((border < 0.16)[:, None], edge, field)
    fringe: F64 = colour * (1 + 0.12 * waves(p, 90, 6, 2))[:, None]
    return fringe


def _view(_p: F64, u: F64, v: F64) -> F64:
    """Sky, hills and a meadow outside the window; u runs down, v along."""
    sky = blend((0.45, 0.68, 0.95), (0.93, 0.95, 0.97), u * 1.6)
    ridge = 0.52 + 0.06 * np.sin(9 * v) + 0.03 * np.sin(23 * v + 1)
    hills = blend((0.36, 0.50, 0.47), (0.45, 0.62, 0.36), (u - ridge) * 4)
    meadow = 0.74 + 0.03 * np.sin(6 * v + 2)
    land = np.where((u > meadow)[:, None], (0.55, 0.70, 0.30), hills)
    seen: F64 = np.where((u > ridge)[:, None], land, sky)
    return seen


def _window() -> list[Surface]:
    white = plain((0.93, 0.92, 0.90), 0.02)
    high, low, front, back = _HIGH, _LOW, _FRONT, _BACK
    height, width = low - high, back - front
    middle_y, middle_z = (high + low) / 2, (front + back) / 2
    parts = [
        patch((-_X - 0.1, high, front), (0, height, 0), (0, 0, width), _view, detail=0.9, glow=0.95)
    ]
    for z in (front, middle_z, back):
        parts += box((-_X, middle_y, z), (0.1, height + 0.06, 0.05), white, detail=1.5)
    for y in (high, middle_y, low):
        parts += box((-_X, y, middle_z), (0.1, 0.05, width), white, detail=1.5)
    parts += box((-_X + 0.1, low + 0.04, middle_z), (0.24, 0.03, width + 0.2), white, detail=1.5)
    linen = stripes((0.88, 0.83, 0.72), (0.80, 0.72, 0.58), (0, 0, 1), 0.11)
    for z in (front - 0.22, back + 0.22):
        parts.append(curtain((-_X + 0.13, -2.4, z), 0.5, 2.25, linen))
    parts += box((-_X + 0.13, -2.42, middle_z), (0.03, 0.03, width + 1.1),
                 plain((0.25, 0.22, 0.2)), detail=1.5)  # fmt: skip
    return parts


def _sofa() -> list[Surface]:
    cloth = plain(_SOFA, 0.10, 60)
    lighter = plain(tuple(1.15 * c for c in _SOFA), 0.10, 60)
    x, z = -0.5, 1.7
    parts = [
        rounded((x, -0.26, z), (2.3, 0.30, 0.95), cloth, roundness=0.2),
        rounded((x, -0.56, z + 0.38), (2.3, 0.62, 0.26), cloth, roundness=0.25),
        rounded((x - 1.12, -0.40, z), (0.26, 0.52, 0.95), cloth, roundness=0.3),
        rounded((x + 1.12, -0.40, z), (0.26, 0.52, 0.95), cloth, roundness=0.3),
    ]
    for i in (-1, 0, 1):
        parts.append(rounded((x + 0.67 * i, -0.46, z - 0.1), (0.66, 0.17, 0.68), lighter,
                             roundness=0.3, detail=1.2))  # fmt: skip
        parts.append(rounded((x + 0.67 * i, -0.72, z + 0.2), (0.62, 0.42, 0.2), lighter,
                             roundness=0.4, detail=1.2))  # fmt: skip
    mustard = stripes((0.85, 0.62, 0.20), (0.93, 0.86, 0.70), (0.7, 0.7, 0), 0.09)
    parts.append(rounded((x - 0.8, -0.68, z - 0.02), (0.42, 0.40, 0.16), mustard,
                         roundness=0.45, turn_deg=25, detail=1.8))  # fmt: skip
    coral = plain((0.78, 0.35, 0.25), 0.1, 50)
    parts.append(rounded((x + 0.82, -0.68, z), (0.40, 0.38, 0.16), coral,
                         roundness=0.45, turn_deg=-20, detail=1.8))  # fmt: skip
    for side in (-1, 1):
        for depth in (-0.4, 0.4):
            parts += box((x + 1.05 * side, -0.055, z + depth), (0.06, 0.11, 0.06),
                         plain((0.22, 0.14, 0.09)), detail=1.5)  # fmt: skip
    return parts


def _table(rng: np.random.Generator) -> list[Surface]:
    top = wood(_WALNUT_DARK, _WALNUT, (1, 0, 0.2))
    parts = [
        lathe((0, 0, 0.1), [(0, 0.44), (0.54, 0.44), (0.55, 0.42), (0.54, 0.40), (0, 0.40)], top,
              gloss=0.5, detail=1.8),
    ]  # fmt: skip
    for angle in (0.4, 2.5, 4.6):
        x, z = 0.38 * np.cos(angle), 0.1 + 0.38 * np.sin(angle)
        parts.append(lathe((x, 0, z), [(0.022, 0.40), (0.014, 0.0)], top, detail=2.0))
    parts += bowl_of_fruit((0.12, -0.44, 0.25), rng)
    parts += mug((-0.28, -0.44, -0.05), (0.85, 0.86, 0.84))
    colours = ((0.68, 0.22, 0.20), (0.90, 0.85, 0.74), (0.20, 0.35, 0.50))
    for i, colour in enumerate(colours):
        parts += box((-0.2, -0.455 - 0.03 * i, 0.32), (0.24 - 0.02 * i, 0.03, 0.17),
                     plain(colour), turn_deg=20 + 25 * i, detail=2.2)  # fmt: skip
    return parts


def _shelf(rng: np.random.Generator) -> list[Surface]:
    timber = wood(_OAK_DARK, _OAK, (0, 1, 0))
    x, z0, z1, top = 2.83, -0.1, 1.3, 2.1
    parts = []
    for z in (z0, z1):
        parts += box((x, -top / 2, z), (0.32, top, 0.03), timber, detail=1.2)
    parts.append(patch((2.97, -top, z0), (0, 0, z1 - z0), (0, top, 0), timber, detail=0.6))
    for level in range(6):
        y = -0.06 - level * (top - 0.08) / 5
        parts += box((x, y, (z0 + z1) / 2), (0.32, 0.03, z1 - z0), timber,
                     detail=1.2, faces="nsweud")  # fmt: skip
        if level < 5:
            parts += book_row((x - 0.02, y - 0.015, z0 + 0.04), z1 - z0 - 0.08, 0.30, rng)
    return parts


def _armchair() -> list[Surface]:
    cloth, turn = plain(_CHAIR, 0.12, 55), 62.0
    x, z = 1.6, -0.6
    c, s = np.cos(np.radians(turn)), np.sin(np.radians(turn))

    def at(right: float, up: float, deep: float) -> tuple[float, float, float]:
        return x + right * c + deep * s, -up, z + deep * c - right * s

    parts = [
        rounded(at(0, 0.30, 0), (0.72, 0.20, 0.70), cloth, roundness=0.25, turn_deg=turn),
        rounded(at(0, 0.43, -0.03), (0.56, 0.16, 0.58), cloth, roundness=0.35, turn_deg=turn,
                detail=1.3),
        rounded(at(0, 0.66, 0.30), (0.70, 0.60, 0.20), cloth, roundness=0.35, turn_deg=turn,
                detail=1.2),
    ]  # fmt: skip
    for side in (-1, 1):
        parts.append(rounded(at(0.34 * side, 0.46, 0.02), (0.14, 0.28, 0.66), cloth,
                             roundness=0.4, turn_deg=turn, detail=1.2))  # fmt: skip
        for deep in (-0.28, 0.28):
            parts.append(lathe(at(0.28 * side, 0, deep), [(0.025, 0.22), (0.015, 0)],
                               wood(_WALNUT_DARK, _WALNUT, (0, 1, 0)), detail=1.5))  # fmt: skip
    return parts


def _lamp() -> list[Surface]:
    brass = plain((0.70, 0.55, 0.25), 0.05)
    x, z = -2.35, 1.75
    return [
        lathe((x, 0, z), [(0, 0.03), (0.17, 0.03), (0.17, 0.0)], brass, gloss=0.8, detail=1.5),
        lathe((x, 0, z), [(0.012, 1.6), (0.012, 0.03)], brass, gloss=0.8, detail=2.5),
        lathe((x, 0, z), [(0.13, 1.95), (0.24, 1.58)], plain((1.0, 0.90, 0.68), 0.04), glow=0.9,
              detail=1.5),
    ]  # fmt: skip


def _sideboard(rng: np.random.Generator) -> list[Surface]:
    timber = wood(_WALNUT_DARK, _WALNUT, (0, 0, 1))
    parts = box((-2.72, -0.42, -0.25), (0.45, 0.55, 1.7), timber, faces="nsu", detail=1.2,
                gloss=0.3)  # fmt: skip
    front = plain((0.86, 0.83, 0.77), 0.03)
    for i in range(3):
        z = -0.80 + 0.55 * i
        parts += box((-2.505, -0.42, z), (0.02, 0.51, 0.53), front, detail=1.2)
        parts.append(rounded((-2.465, -0.45, z), (0.03, 0.03, 0.03), plain((0.7, 0.55, 0.25)),
                             roundness=1.0, gloss=0.8, detail=3))  # fmt: skip
    for z in (-1.0, 0.5):
        for x in (-2.88, -2.56):
            parts.append(lathe((x, 0, z), [(0.025, 0.15), (0.015, 0)], timber, detail=1.5))
    parts += vase((-2.72, -0.695, 0.35), 0.34, rng)
    parts += box((-2.7, -0.71, -0.7), (0.2, 0.03, 0.27), plain((0.25, 0.45, 0.35)), turn_deg=12,
                 detail=2)  # fmt: skip
    return parts


def _sunset(p: F64, u: F64, v: F64) -> F64:
    """A painting; u runs down, v along: sun over layered hills."""
    sky = blend((0.93, 0.62, 0.36), (0.42, 0.30, 0.48), (0.65 - u) * 1.5)
    sun = np.hypot((v - 0.62) * 1.6, u - 0.48) < 0.11
    colour = np.where(sun[:, None], (1.0, 0.90, 0.62), sky)
    for depth, shade in enumerate(((0.55, 0.35, 0.45), (0.36, 0.25, 0.38), (0.18, 0.15, 0.25))):
        ridge = 0.55 + 0.13 * depth + 0.07 * np.sin((7 - 2 * depth) * v * pi + 2 * depth)
        colour = np.where((u > ridge)[:, None], shade, colour)
    brush: F64 = colour * (1 + 0.10 * waves(p, 70, 8))[:, None]
    return brush


def _shapes(p: F64, u: F64, v: F64) -> F64:
    """An abstract print: discs and a bar on paper."""
    colour = np.broadcast_to(np.array([0.92, 0.89, 0.82]), p.shape)
    discs = (
        (0.35, 0.35, 0.20, (0.80, 0.30, 0.22)),
        (0.62, 0.55, 0.24, (0.20, 0.35, 0.50)),
        (0.40, 0.74, 0.13, (0.90, 0.68, 0.25)),
    )
    for x, y, r, c in discs:
        colour = np.where((np.hypot(u - x, (v - y) * 1.3) < r)[:, None], c, colour)
    bar = (np.abs(u + 0.6 * v - 0.75) < 0.018)[:, None]
    print_: F64 = np.where(bar, (0.12, 0.12, 0.13), colour)
    return print_


def _framed(
    middle: tuple[float, float], size: tuple[float, float], timber: Texture, canvas: Texture
) -> list[Surface]:
    """Return a picture on the back wall: a canvas between four bars."""
    (x, y), (width, height), z, bar = middle, size, _Z - 0.02, 0.06
    parts = [patch((x - width / 2, y - height / 2, z), (0, height, 0), (width, 0, 0), canvas,
                   detail=5.0)]  # fmt: skip
    for side in (-1, 1):
        parts += box((x + side * (width + bar) / 2, y, z), (bar, height + 2 * bar, 0.04), timber,
                     detail=1.5)  # fmt: skip
        parts += box((x, y + side * (height + bar) / 2, z), (width, bar, 0.04), timber, detail=1.5)
    return parts


def _pictures() -> list[Surface]:
    parts = _framed((-0.5, -1.72), (1.24, 0.74), wood(_WALNUT_DARK, _WALNUT, (1, 0, 0)), _sunset)
    black = plain((0.15, 0.14, 0.13))
    parts += _framed((1.55, -1.7), (0.5, 0.7), black, _shapes)
    # on the right wall
    for z in (-1.55, -0.95):
        parts += box((_X - 0.02, -1.6, z), (0.04, 0.86, 0.06), black, detail=1.5)
    for y in (-2.0, -1.2):
        parts += box((_X - 0.02, y, -1.25), (0.04, 0.06, 0.54), black, detail=1.5)
    parts.append(patch((_X - 0.02, -1.97, -1.52), (0, 0, 0.54), (0, 0.74, 0), _shapes, detail=5.0))
    return parts
