"""Falloff and blending of a row of pixels: widths, tables and the golden model.

One Gaussian and one row of eight pixels at a time. The row unit finds where the row's maximum lies
and how much of the exponent is common; a lane adds its own part, takes a power of two from a table,
and blends front to back (see :mod:`archsim.traces.gs3d.blend` for the rule).
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from archsim.base.jit import njit
from archsim.rtl.arithmetic.fine import COLOUR, MEAN, SLOPE
from archsim.rtl.format import FLOAT, Q

__all__ = [
    "ALPHA", "DISTANCE", "EXPONENT", "FALLOFF", "FEATURE", "OPACITY", "PEAK", "SHARP",
    "SHARP_SHIFT",
    "START", "TRANSMITTANCE", "Widths", "blend_gaussians", "exp_table", "split_sharp", "widths",
]  # fmt: skip

I64 = npt.NDArray[np.int64]
Array = npt.NDArray[Any]

OPACITY = Q(0, 8)
#: A and C as mantissa in [1, 4) times 4**-shift.
SHARP, SHARP_SHIFT = Q(2, 14), Q(4, 0)
#: Where the row's maximum lies, in pixels.
PEAK = Q(11, 7, signed=True)
#: First pixel's distance from it, times 2**-shift.
START = Q(4, 14, signed=True)
#: |distance| of a lane or a row, times 2**-shift; beyond 4 alpha is zero for certain.
DISTANCE = Q(2, 12)
#: Each part of the exponent of 2.
FALLOFF = Q(4, 10)
#: The exponent; at 8 and above alpha is under 1/255.
EXPONENT = Q(3, 10)
ALPHA = Q(0, 12)
#: Transmittance and accumulated colour.
TRANSMITTANCE = Q(1, 16)

#: Fields of a Gaussian's features, behind which comes the mask of its subtiles.
FEATURE = {
    "mean_x": MEAN,
    "mean_y": MEAN,
    "slope": SLOPE,
    "sharp_x": SHARP,
    "shift_x": SHARP_SHIFT,
    "sharp_y": SHARP,
    "shift_y": SHARP_SHIFT,
    "opacity": OPACITY,
    "red": COLOUR,
    "green": COLOUR,
    "blue": COLOUR,
}


class Widths(NamedTuple):
    """Constants of the golden model, as an argument of compiled code."""

    mean_f: int
    slope_f: int
    peak_high: int
    start_f: int
    start_high: int
    distance_f: int
    distance_high: int
    falloff_f: int
    falloff_high: int
    exponent_high: int
    alpha_max: int
    alpha_min: int
    opaque: int
    t_min: int
    sum_high: int
    dy_high: int
    opacity_f: int
    colour_f: int
    alpha_f: int
    sharp_f: int


def widths() -> Widths:
    """Return the formats as numbers."""
    return Widths(
        MEAN.f, SLOPE.f, PEAK.high, START.f, START.high, DISTANCE.f, DISTANCE.high, FALLOFF.f,
        FALLOFF.high, EXPONENT.high, int(0.99 * 2**ALPHA.f), math.ceil(2**ALPHA.f / 255),
        1 << TRANSMITTANCE.f, math.ceil(1e-4 * 2**TRANSMITTANCE.f), TRANSMITTANCE.high, MEAN.high,
        OPACITY.f, COLOUR.f, ALPHA.f, SHARP.f,
    )  # fmt: skip


def exp_table(bits: int = ALPHA.f) -> tuple[I64, I64]:
    """Return 2**-x on [0, 1) in 32 segments: start (UQ1.12) and fall, both of 2**-12."""
    knots = np.arange(33) / 32
    unit = 2.0**bits
    value, middle = 2.0**-knots * unit, 2.0 ** -(knots[:-1] + 1 / 64) * unit
    bend = (value[:-1] + value[1:]) / 2 - middle
    start = np.floor(value[:-1] - bend / 2 + 0.5)
    return start.astype(np.int64), np.floor(value[:-1] - value[1:] + 0.5).astype(np.int64)


def split_sharp(raw: I64) -> tuple[I64, I64]:
    """Return mantissa (UQ2.14) and shift of a positive float up to 4: m * 4**-shift.

    Smaller numbers than 4**-15 lose bits of the mantissa; zero becomes zero.
    """
    exponent = (raw >> FLOAT.m) & ((1 << FLOAT.e) - 1)
    significand = (raw & ((1 << FLOAT.m) - 1)) | (1 << FLOAT.m)
    below = np.maximum(FLOAT.bias + 1 - exponent, 0)  # halvings under 2
    shift = np.minimum(below >> 1, SHARP_SHIFT.high)
    odd = below & 1
    mantissa = significand >> (FLOAT.m - SHARP.f - 1 + odd)
    return np.where((exponent == 0) | (below > 31), 0, mantissa), shift


@njit()
def blend_gaussians(
    features: Array, first: int, last: int, table: tuple[Array, Array], w: Widths,
    transmittance: Array, colour: Array, done: Array, counts: Array, issued: Array,
) -> None:  # fmt: skip
    """Blend Gaussians [first, last) of a tile, bit for bit as the render unit.

    ``features``, shape (n, 12): mean x, mean y, slope, mantissa and shift of A, of C, opacity, red,
    green, blue, mask of subtiles (bit k). ``transmittance`` (256,),
    ``colour`` (256, 3) and ``done`` (256,) are the pixels, subtile by subtile, row by row.
    ``counts`` collects subtiles blended, subtiles skipped as done and pixels blended; ``issued``,
    (last - first,), the subtiles blended of each Gaussian.
    """
    value, fall = table
    low_bits = w.falloff_f - 5
    for n in range(first, last):
        mean_x, mean_y, slope = features[n, 0], features[n, 1], features[n, 2]
        a, a_shift, c, c_shift = features[n, 3], features[n, 4], features[n, 5], features[n, 6]
        opacity, mask = features[n, 7], features[n, 11]
        for subtile in range(4):
            if not (mask >> subtile) & 1:
                continue
            live = 0
            for k in range(64):
                live += 1 - done[64 * subtile + k]
            if live == 0:
                counts[1] += 1
                continue
            counts[0] += 1
            issued[n - first] += 1
            x0, y0 = 8 * (subtile & 1), 8 * (subtile >> 1)
            for row in range(8):
                dy = ((y0 + row) << w.mean_f) - mean_y
                dy = min(max(dy, -w.dy_high - 1), w.dy_high)
                peak = mean_x + ((slope * dy) >> w.slope_f)
                peak = min(max(peak, -w.peak_high - 1), w.peak_high)
                start = ((x0 << w.mean_f) - peak) << (w.start_f - w.mean_f)
                start = min(max(start >> a_shift, -w.start_high - 1), w.start_high)
                step = (1 << w.start_f) >> a_shift
                far = min((abs(dy) << (w.distance_f - w.mean_f)) >> c_shift, w.distance_high)
                square = (far * far) >> w.distance_f
                base = min((c * square) >> (w.sharp_f + w.distance_f - w.falloff_f), w.falloff_high)
                for column in range(8):
                    place = 64 * subtile + 8 * row + column
                    if done[place]:
                        continue
                    off = abs(start + column * step) >> (w.start_f - w.distance_f)
                    off = min(off, w.distance_high)
                    square = (off * off) >> w.distance_f
                    own = (a * square) >> (w.sharp_f + w.distance_f - w.falloff_f)
                    exponent = min(own, w.falloff_high) + base
                    if exponent > w.exponent_high:
                        continue
                    fraction = exponent & ((1 << w.falloff_f) - 1)
                    segment = fraction >> low_bits
                    low = fraction & ((1 << low_bits) - 1)
                    power = value[segment] - ((fall[segment] * low) >> low_bits)
                    power >>= exponent >> w.falloff_f
                    alpha = min((opacity * power) >> w.opacity_f, w.alpha_max)
                    if alpha < w.alpha_min:
                        continue
                    weight = (transmittance[place] * alpha) >> w.alpha_f
                    rest = transmittance[place] - weight
                    if rest < w.t_min:
                        done[place] = 1
                        continue
                    transmittance[place] = rest
                    counts[2] += 1
                    for channel in range(3):
                        colour[place, channel] = min(
                            colour[place, channel]
                            + ((weight * features[n, 8 + channel]) >> w.colour_f),
                            w.sum_high,
                        )
